//! What controllers ask of the API server in rehearsals, held against the table of their rights: nothing
//! else is asked, and nothing is allowed that nobody ever asks.

use controller::{Asked, RIGHTS, Reach, Right, right_to};
use faults::{Passed, Refusal, Requests, Rule, Trouble, Verb as Sort, Which};
use http::{Method, Uri};
use rehearsal::{Conditions, Election, Seat, load, rehearse_under};
use std::{collections::BTreeSet, path::Path};

/// Scenarios that between them use every right.
const PLAYED: [&str; 21] = [
    "a-token-stays-secret",
    "abort-returns-traffic-first",
    "another-namespace",
    "blue-green-judged-passes",
    "errors-caught-in-the-background",
    "experiment-by-itself",
    "experiment-ends-when-the-release-is-aborted",
    "experiment-gets-a-share-of-the-route",
    "good-canary-by-pods",
    "job-under-way-ends-when-the-release-is-aborted",
    "judge-reads-what-pods-log",
    "nginx-canary-promotes",
    "nginx-somebody-edits-the-canary-ingress",
    "regressions/argo_1181_runs_go_with_the_versions_they_judged",
    "regressions/argo_845_a_restart_takes_one_pod_of_two",
    "regressions/argo_883_labels_of_a_role_stay_with_the_pods",
    "revision-history-limit",
    "service-that-does-not-exist",
    "somebody-edits-the-route",
    "workload-ref",
    "workload-ref-hands-over-progressively",
];

/// Rights that no rehearsal uses, and why they are needed all the same.
const UNPLAYED: [(&str, &str); 5] = [
    ("update rollouts/finalizers.argoproj.io", BY_ADMISSION),
    ("update experiments/finalizers.argoproj.io", BY_ADMISSION),
    ("update analysisruns/finalizers.argoproj.io", BY_ADMISSION),
    ("get jobs.batch", "a Job that is there although no watch showed it is looked at"),
    ("delete experiments.argoproj.io", "they go beyond the history; no scenario makes so many"),
];
const BY_ADMISSION: &str =
    "asked for by the admission plugin OwnerReferencesPermissionEnforcement, not by a request";

/// Kinds whose first patch meets a conflict, after which the object is read.
const CONTENDED: [&str; 9] = [
    "analysisruns",
    "deployments",
    "experiments",
    "httproutes",
    "ingresses",
    "pods",
    "replicasets",
    "rollouts",
    "services",
];

/// Two controllers, so that they contend for the lease too.
fn asked(scenario: &str) -> BTreeSet<Asked> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let script = folder.join(format!("{scenario}.scenario"));
    let play = load(&[], Some(&script), 1).expect("the scenario is there and can be played");
    let conflict = |kind: &str| Rule {
        requests: Requests::nth(Which::Only(Sort::Patch), 1).about(kind),
        trouble: Trouble::Refused(Refusal::Conflict),
    };
    let first = Seat { rules: CONTENDED.map(conflict).into(), ..Seat::default() };
    let seats = vec![first, Seat::default()];
    let conditions = Conditions { seats, election: Election::Lease, ..Conditions::default() };
    // A conflict costs time and events, so what the script expects may not come true; that is no matter here.
    let (_, trace) = rehearse_under(&play, &conditions).expect("it can be played");
    trace.passed.iter().filter_map(understood).collect()
}

fn understood(passed: &Passed) -> Option<Asked> {
    let (method, query) = match passed.verb {
        Sort::Read => (Method::GET, ""),
        Sort::Watch => (Method::GET, "?watch=true"),
        Sort::Create => (Method::POST, ""),
        Sort::Update => (Method::PUT, ""),
        Sort::Patch => (Method::PATCH, ""),
        Sort::Delete => (Method::DELETE, ""),
    };
    let uri: Uri = format!("{}{query}", passed.path).parse().expect("it was sent");
    Asked::of(&method, &uri)
}

/// Every use of a right there may be, in words.
fn uses(right: &Right) -> impl Iterator<Item = String> {
    right.verbs.iter().map(|verb| {
        let (group, resource) = (right.group.to_owned(), right.resource.to_owned());
        Asked { group, resource, namespace: String::new(), verb: *verb }.to_string()
    })
}

#[test]
fn the_table_of_rights_allows_what_controllers_ask_and_nothing_else() {
    let asked: BTreeSet<Asked> = PLAYED.iter().flat_map(|scenario| asked(scenario)).collect();
    let refused: BTreeSet<String> =
        asked.iter().filter(|asked| right_to(asked).is_none()).map(ToString::to_string).collect();
    assert_eq!(refused, BTreeSet::new(), "asked for without a right");
    let asked: BTreeSet<String> = asked.iter().map(ToString::to_string).collect();
    let excused: BTreeSet<&str> = UNPLAYED.iter().map(|(right, _)| *right).collect();
    let idle: BTreeSet<String> = RIGHTS
        .iter()
        .flat_map(uses)
        .filter(|right| !asked.contains(right) && !excused.contains(right.as_str()))
        .collect();
    assert_eq!(idle, BTreeSet::new(), "allowed and never asked for");
    let needless = excused.iter().filter(|right| asked.contains(**right));
    assert_eq!(needless.count(), 0, "a right that is used needs no excuse");
}

#[test]
fn only_the_lease_is_kept_to_the_controllers_own_namespace() {
    let own = RIGHTS.iter().filter(|right| right.reach == Reach::Own);
    assert_eq!(own.map(|right| right.resource).collect::<Vec<_>>(), ["leases"]);
}
