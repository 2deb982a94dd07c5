//! What the controller asks of the API server and may therefore do: the roles of the install manifests
//! are made from this table, and a test plays rehearsals against it.
//!
//! A new request is a new line here, with its reason.
//!
//! **Invariant.** The table allows what is asked and nothing else; no secret is listed or watched.

use crate::asked::{
    Asked,
    Verb::{self, Create, Delete, Get, List, Patch, Update, Watch},
};

/// What may be done with one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right {
    /// The API group; empty for the core.
    pub group: &'static str,
    /// The resource, with its subresource if it is about one.
    pub resource: &'static str,
    /// What may be done with it.
    pub verbs: &'static [Verb],
    /// Where.
    pub reach: Reach,
    /// Why, in one sentence.
    pub why: &'static str,
}

/// Where a right holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// In every namespace the controller works in.
    Namespaces,
    /// Beyond namespaces; a controller of one namespace goes without.
    Cluster,
    /// In the controller's own namespace.
    Own,
}

const ARGO: &str = "argoproj.io";

/// Everything the controller may do.
pub const RIGHTS: &[Right] = &[
    right(
        ARGO,
        "rollouts",
        &[Get, List, Watch, Patch],
        "rollouts are what it works on, and carry its annotations",
    ),
    right(ARGO, "rollouts/status", &[Patch], "the status says how far a rollout is"),
    right(
        ARGO,
        "rollouts/finalizers",
        &[Update],
        "ReplicaSets and runs hold back the deletion of their rollout",
    ),
    right(
        ARGO,
        "analysisruns",
        &[Get, List, Watch, Create, Patch, Delete],
        "runs are made, told to end, and collected",
    ),
    right(ARGO, "analysisruns/finalizers", &[Update], "Jobs hold back the deletion of their run"),
    right(
        ARGO,
        "experiments",
        &[Get, List, Watch, Create, Patch, Delete],
        "experiments are worked on, and made by steps of rollouts",
    ),
    right(
        ARGO,
        "experiments/finalizers",
        &[Update],
        "ReplicaSets, services and runs hold back the deletion of their experiment",
    ),
    right(ARGO, "analysistemplates", &[List, Watch], "runs are made from templates"),
    Right {
        reach: Reach::Cluster,
        ..right(
            ARGO,
            "clusteranalysistemplates",
            &[List, Watch],
            "runs are made from templates of the cluster",
        )
    },
    right(
        "apps",
        "replicasets",
        &[Get, List, Watch, Create, Patch, Delete],
        "each version has its ReplicaSet",
    ),
    right(
        "apps",
        "deployments",
        &[Get, List, Watch, Patch],
        "workloadRef takes the pod template of a Deployment, and its pods down",
    ),
    right(
        "batch",
        "jobs",
        &[Get, List, Watch, Create, Delete],
        "a measurement of the provider job is a Job",
    ),
    right(
        "",
        "pods",
        &[Get, List, Watch, Patch],
        "pods are counted, and get the metadata of their role",
    ),
    right("", "pods/log", &[Get], "the judge of logs reads what pods of both versions say"),
    right("", "pods/eviction", &[Create], "a restart evicts pods one by one"),
    right(
        "",
        "services",
        &[Get, List, Watch, Create, Patch, Delete],
        "selectors of services name the version they lead to; experiments have services of their own",
    ),
    right(
        "discovery.k8s.io",
        "endpointslices",
        &[List, Watch],
        "a version gets traffic once its endpoints are there",
    ),
    right(
        "gateway.networking.k8s.io",
        "httproutes",
        &[Get, List, Watch, Patch],
        "routes of the Gateway API split traffic",
    ),
    right(
        "networking.k8s.io",
        "ingresses",
        &[Get, List, Watch, Create, Patch],
        "canary Ingresses of NGINX split traffic",
    ),
    right("", "secrets", &[Get], "a secret is read by name when an analysis names it"),
    right("", "events", &[Create, Patch], "events tell people what happens"),
    Right {
        reach: Reach::Own,
        ..right(
            "coordination.k8s.io",
            "leases",
            &[Get, Create, Update],
            "a lease decides who leads",
        )
    },
];

const fn right(
    group: &'static str,
    resource: &'static str,
    verbs: &'static [Verb],
    why: &'static str,
) -> Right {
    Right { group, resource, verbs, reach: Reach::Namespaces, why }
}

/// The right that allows a request, if one does.
pub fn right_to(asked: &Asked) -> Option<&'static Right> {
    let allows = |right: &&Right| {
        right.group == asked.group
            && right.resource == asked.resource
            && right.verbs.contains(&asked.verb)
    };
    RIGHTS.iter().find(allows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Kind;

    #[test]
    fn secrets_are_only_read_by_name() {
        let secrets = RIGHTS.iter().filter(|right| right.resource == "secrets");
        assert_eq!(secrets.map(|right| right.verbs).collect::<Vec<_>>(), [&[Get][..]]);
    }

    #[test]
    fn everything_that_is_watched_may_be_listed_and_watched() {
        for kind in Kind::ALL {
            let resource = kind.resource();
            for verb in [List, Watch] {
                let (group, resource) = (resource.group.clone(), resource.plural.clone());
                let asked = Asked { group, resource, namespace: String::new(), verb };
                assert!(right_to(&asked).is_some(), "{asked}");
            }
        }
    }

    #[test]
    fn what_lives_beyond_namespaces_is_marked_so() {
        for kind in Kind::ALL {
            let plural = kind.resource().plural;
            let right = RIGHTS.iter().find(|right| right.resource == plural);
            let is_beyond = right.is_some_and(|right| right.reach == Reach::Cluster);
            assert_eq!(is_beyond, !kind.is_namespaced(), "{plural}");
        }
    }
}
