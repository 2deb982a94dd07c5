//! How a controller is set up.

use crate::{
    cache::Kind,
    events::EventLimit,
    lease::{LEASE_NAME, LeaderElection},
    metered::Meter,
    pace::Pace,
    planner::{Planner, Product},
    surroundings::Surroundings,
};
use api::argo::{GenerationForm, keys::CONTROLLER_INSTANCE_ID};
use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

/// Upstream's address of `/metrics` is port 8090 and of health is port 8080, on all interfaces; ours are
/// off until asked for.
#[derive(Clone, Debug)]
pub struct ControllerConfig {
    /// Only this namespace, without any right beyond it; the whole cluster when absent.
    pub namespace: Option<String>,
    /// Only objects labelled with this instance id; when absent, only objects without such a label.
    pub instance_id: Option<String>,
    /// Who this process is in the lease and in events.
    pub identity: String,
    /// How a leader is found.
    pub leader_election: LeaderElection,
    /// What was laid around the client to count its requests. Each controller has one of its own, and keeps its
    /// other numbers with it.
    pub meter: Meter,
    /// Where `/metrics` is served, if at all.
    pub metrics_listen: Option<SocketAddr>,
    /// Where `/healthz` and `/readyz` are served, if at all.
    pub health_listen: Option<SocketAddr>,
    /// How a rollout's status names generations.
    pub generation_form: GenerationForm,
    /// Address of Prometheus for metrics that name none.
    pub prometheus_address: Option<String>,
    /// Where the controller runs, for metric providers that take their credentials from there.
    pub surroundings: Surroundings,
    /// How many objects are worked on at once; one makes the order of writes repeatable.
    pub workers: usize,
    /// What is worked on.
    pub work: Work,
    /// How many events each object may have.
    pub events: EventLimit,
    /// How fast the API server may be written to; without a limit when absent.
    pub pace: Option<Pace>,
    /// What decides.
    pub planner: Arc<dyn Planner>,
}

/// What a controller works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Rollouts and analysis runs.
    Everything,
    /// Analysis runs that somebody else makes.
    Analysis,
}

impl ControllerConfig {
    /// A controller that runs alone, sees the whole cluster, listens nowhere and does one thing at a time.
    pub fn alone() -> Self {
        Self {
            namespace: None,
            instance_id: None,
            identity: "ringfence".to_owned(),
            leader_election: LeaderElection::Off,
            meter: Meter::default(),
            metrics_listen: None,
            health_listen: None,
            generation_form: GenerationForm::Text,
            prometheus_address: None,
            surroundings: Surroundings::default(),
            workers: 1,
            work: Work::Everything,
            events: EventLimit::GENEROUS,
            pace: None,
            planner: Arc::new(Product),
        }
    }

    /// The label selector that tells our rollouts and runs from those of other instances.
    pub(crate) fn instance_selector(&self) -> String {
        match &self.instance_id {
            Some(id) => format!("{CONTROLLER_INSTANCE_ID}={id}"),
            None => format!("!{CONTROLLER_INSTANCE_ID}"),
        }
    }

    /// The kinds this controller does without: what its work does not need, and in one namespace what
    /// lives in none.
    pub(crate) fn left_out(&self) -> BTreeSet<Kind> {
        let needed = |kind: Kind| self.work == Work::Everything || kind.serves_analysis();
        let reached = |kind: Kind| self.namespace.is_none() || kind.is_namespaced();
        Kind::ALL.into_iter().filter(|kind| !needed(*kind) || !reached(*kind)).collect()
    }

    /// The lease's name.
    pub(crate) fn lease_name(&self) -> String {
        match &self.instance_id {
            Some(id) => format!("{LEASE_NAME}-{id}"),
            None => LEASE_NAME.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_namespace_has_nothing_to_do_with_what_lives_in_none() {
        let namespace = Some("shop".to_owned());
        let config = ControllerConfig { namespace, ..ControllerConfig::alone() };
        assert_eq!(config.left_out(), BTreeSet::from([Kind::ClusterAnalysisTemplate]));
        assert!(ControllerConfig::alone().left_out().is_empty());
    }

    #[test]
    fn analysis_alone_needs_runs_and_templates() {
        let config = ControllerConfig { work: Work::Analysis, ..ControllerConfig::alone() };
        let left = Kind::ALL.into_iter().filter(|kind| !config.left_out().contains(kind));
        let expected = [
            Kind::AnalysisRun,
            Kind::AnalysisTemplate,
            Kind::ClusterAnalysisTemplate,
            Kind::Job,
            Kind::JobPod,
        ];
        assert_eq!(left.collect::<Vec<_>>(), expected);
    }
}
