//! Reading the objects that a rollout is shown from: the rollout first, then what carries its labels.

use crate::{
    Exit, Failure,
    connect::Connection,
    info::{ExperimentObjects, Objects},
};
use api::argo::{AnalysisRun, Experiment, Rollout};
use futures::{StreamExt, stream::BoxStream};
use k8s_openapi::{
    api::{apps::v1::ReplicaSet, core::v1::Pod},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kube::{Api, api::ListParams, runtime::watcher};

impl Connection {
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) async fn rollout(&self, name: &str) -> Result<Rollout, Failure> {
        let answer = self.api::<Rollout>().get(name).await;
        answer.map_err(|error| as_looked_up(error, "rollout"))
    }

    /// The rollout with its ReplicaSets, their pods, its experiments and its runs.
    pub(crate) async fn objects(&self, name: &str) -> Result<Objects, Failure> {
        let rollout = self.rollout(name).await?;
        let every = ListParams::default();
        let (experiments, runs) = (self.api::<Experiment>(), self.api::<AnalysisRun>());
        let (experiments, runs) = futures::try_join!(experiments.list(&every), runs.list(&every))?;
        let uid = rollout.metadata.uid.as_deref();
        let is_owned = |experiment: &Experiment| {
            let mut owners = experiment.metadata.owner_references.iter().flatten();
            owners.any(|owner| Some(owner.uid.as_str()) == uid)
        };
        // The pods of an experiment may have labels of their own.
        let selected = if experiments.iter().any(is_owned) {
            every
        } else {
            selector(rollout.spec.selector.as_ref())
        };
        let (sets, pods) = (self.api::<ReplicaSet>(), self.api::<Pod>());
        let (sets, pods) = futures::try_join!(sets.list(&selected), pods.list(&selected))?;
        Ok(Objects {
            rollout,
            replica_sets: sets.items,
            pods: pods.items,
            runs: runs.items,
            experiments: experiments.items,
        })
    }

    /// The experiment with its ReplicaSets, their pods and its runs.
    pub(crate) async fn experiment(&self, name: &str) -> Result<ExperimentObjects, Failure> {
        let every = ListParams::default();
        let (sets, pods, runs) =
            (self.api::<ReplicaSet>(), self.api::<Pod>(), self.api::<AnalysisRun>());
        let experiments = self.api::<Experiment>();
        let experiment = experiments.get(name).await;
        let experiment = experiment.map_err(|error| as_looked_up(error, "experiment"))?;
        let (sets, pods, runs) =
            futures::try_join!(sets.list(&every), pods.list(&every), runs.list(&every))?;
        Ok(ExperimentObjects {
            experiment,
            replica_sets: sets.items,
            pods: pods.items,
            runs: runs.items,
        })
    }

    /// Ticks whenever something that a rollout is shown from has changed.
    pub(crate) fn changes(&self, rollout: &Rollout) -> BoxStream<'static, ()> {
        let selected = selector(rollout.spec.selector.as_ref()).label_selector.unwrap_or_default();
        let labelled = watcher::Config::default().labels(&selected);
        let name = rollout.metadata.name.clone().unwrap_or_default();
        let own = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let every = watcher::Config::default();
        let ticks = [
            watcher(self.api::<Rollout>(), own).map(|_| ()).boxed(),
            watcher(self.api::<ReplicaSet>(), labelled.clone()).map(|_| ()).boxed(),
            watcher(self.api::<Pod>(), labelled).map(|_| ()).boxed(),
            watcher(self.api::<AnalysisRun>(), every.clone()).map(|_| ()).boxed(),
            watcher(self.api::<Experiment>(), every).map(|_| ()).boxed(),
        ];
        futures::stream::select_all(ticks).boxed()
    }

    /// Ticks whenever something that an experiment is shown from has changed.
    pub(crate) fn experiment_changes(&self, name: &str) -> BoxStream<'static, ()> {
        let own = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let every = watcher::Config::default();
        let ticks = [
            watcher(self.api::<Experiment>(), own).map(|_| ()).boxed(),
            watcher(self.api::<ReplicaSet>(), every.clone()).map(|_| ()).boxed(),
            watcher(self.api::<Pod>(), every.clone()).map(|_| ()).boxed(),
            watcher(self.api::<AnalysisRun>(), every).map(|_| ()).boxed(),
        ];
        futures::stream::select_all(ticks).boxed()
    }
}

/// What upstream's client shows it looks up in a cache, whose words for what is missing name a single object.
fn as_looked_up(error: kube::Error, kind: &str) -> Failure {
    match Failure::from(error) {
        Failure::Refused(words, Exit::NotFound) => {
            let all = format!("{kind}s.argoproj.io ");
            let one = words.strip_prefix(&all).map(|rest| format!("{kind}.argoproj.io {rest}"));
            Failure::Refused(one.unwrap_or(words), Exit::NotFound)
        }
        other => other,
    }
}

/// The selector as a list parameter; without one, everything.
fn selector(selector: Option<&LabelSelector>) -> ListParams {
    let Some(selector) = selector else { return ListParams::default() };
    let equal = selector.match_labels.iter().flatten().map(|(key, value)| format!("{key}={value}"));
    let expressed = selector.match_expressions.iter().flatten().filter_map(|requirement| {
        let values = requirement.values.clone().unwrap_or_default().join(",");
        let key = &requirement.key;
        Some(match requirement.operator.as_str() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.clone(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        })
    });
    let all: Vec<String> = equal.chain(expressed).collect();
    ListParams::default().labels(&all.join(","))
}
