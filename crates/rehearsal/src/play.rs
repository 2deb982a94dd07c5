//! Playing a script, line by line.

use crate::{
    expect::{check, rollouts},
    report::{BlastRadius, Outcome, Report, Unmet},
    script::{Command, Expectation, Fault, Line, Manifest, UserAction},
    stage::{NAMESPACE, SetUpFailed, Stage},
};
use actions::{Action, Refused, Subject};
use embedded::{ApplyError, Availability};
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{Instant, sleep};
use world::traffic;

const ACTOR: effects::Actor =
    effects::Actor { field_manager: "ringfence-rehearsal", user_agent: "ringfence-rehearsal" };
/// How long everything that follows from a line at once may take.
const SETTLE: Duration = Duration::from_millis(100);
/// Bounds of how often an expectation is looked at again.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(500);
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(60);

/// A script and the files it may apply.
#[derive(Clone, Debug)]
pub struct Play {
    /// Name of the script, for messages.
    pub name: String,
    /// Its lines.
    pub lines: Vec<Line>,
    /// Texts of the manifests that its lines name.
    pub files: BTreeMap<String, String>,
    /// Seed of names and choices.
    pub seed: u64,
}

/// Why a rehearsal could not go on.
#[derive(Debug, thiserror::Error)]
pub enum PlayFailed {
    /// The stage could not be set up.
    #[error("the stage could not be set up")]
    SetUp(#[from] SetUpFailed),
    /// The runtime could not be made.
    #[error("no runtime could be made")]
    Runtime(#[source] std::io::Error),
    /// A line could not be carried out.
    #[error("{place}: {message}")]
    Line {
        /// `file:line`.
        place: String,
        /// Why.
        message: String,
    },
}

/// Why one line could not be carried out.
#[derive(Debug, thiserror::Error)]
enum LineFailed {
    #[error("no rollout was applied before this line")]
    NoRollout,
    #[error("{0} was not read")]
    FileMissing(String),
    #[error("there is no resource `{0}` here")]
    UnknownResource(String),
    #[error(transparent)]
    NotApplied(#[from] ApplyError),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("{0}")]
    Server(#[from] kube::Error),
    #[error(transparent)]
    SetUp(#[from] SetUpFailed),
    #[error(transparent)]
    Misunderstood(#[from] serde_json::Error),
}

/// Plays a script on virtual time; the same script and seed always give the same report.
///
/// # Errors
/// [`PlayFailed`] when a line cannot be carried out. An expectation that does not come true is no
/// error: the report says so.
pub fn rehearse(play: &Play) -> Result<Report, PlayFailed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(PlayFailed::Runtime)?;
    runtime.block_on(perform(play))
}

async fn perform(play: &Play) -> Result<Report, PlayFailed> {
    let mut player =
        Player { stage: Stage::set_up(play.seed).await?, rollout: None, unmet: Vec::new() };
    let began = player.stage.clock.now();
    for line in &play.lines {
        let place = format!("{}:{}", play.name, line.number);
        let outcome = player.line(play, line, &place).await;
        outcome.map_err(|error| PlayFailed::Line { place, message: error.to_string() })?;
        sleep(SETTLE).await;
    }
    Ok(player.report(began).await)
}

struct Player {
    stage: Stage,
    rollout: Option<String>,
    unmet: Vec<Unmet>,
}

impl Player {
    async fn line(&mut self, play: &Play, line: &Line, place: &str) -> Result<(), LineFailed> {
        if !matches!(line.command, Command::Expect { .. }) {
            self.stage.timeline.note(self.stage.clock.now(), "script", &line.text);
        }
        match &line.command {
            Command::Apply(manifest) => self.apply(play, manifest).await?,
            Command::Delete { resource, name } => {
                dynamic(&self.stage, resource)?.delete(name, &DeleteParams::default()).await?;
            }
            Command::Patch { resource, name, body } => {
                let patch = Patch::Merge(body);
                dynamic(&self.stage, resource)?
                    .patch(name, &PatchParams::default(), &patch)
                    .await?;
            }
            Command::Advance(span) => sleep(*span).await,
            Command::Rollout(name) => self.rollout = Some(name.clone()),
            Command::Act(action) => self.act(action).await?,
            Command::Traffic(rate) => self.stage.traffic.set_rate(*rate),
            Command::Fault(fault) => self.stage.traffic.set_fault(modelled(fault)),
            Command::Heal => self.stage.traffic.clear_faults(),
            Command::MetricsDown => self.stage.numbers.set_availability(Availability::Down),
            Command::MetricsUp => self.stage.numbers.set_availability(Availability::Up),
            Command::KillController => self.stage.kill_controller(),
            Command::StartController => self.stage.start_controller().await?,
            Command::Expect { what, within } => self.expect((what, *within), line, place).await?,
        }
        Ok(())
    }

    async fn apply(&mut self, play: &Play, manifest: &Manifest) -> Result<(), LineFailed> {
        let (name, text) = match manifest {
            Manifest::Inline(text) => (play.name.as_str(), text),
            Manifest::File(file) => (
                file.as_str(),
                play.files.get(file).ok_or_else(|| LineFailed::FileMissing(file.clone()))?,
            ),
        };
        let applied = embedded::apply(&self.stage.client, NAMESPACE, (name, text)).await?;
        let is_rollout = |object: &&DynamicObject| {
            object.types.as_ref().is_some_and(|types| types.kind == "Rollout")
        };
        if let Some(rollout) = applied.iter().find(is_rollout) {
            self.rollout = rollout.metadata.name.clone();
        }
        Ok(())
    }

    fn rollout(&self) -> Result<&str, LineFailed> {
        self.rollout.as_deref().ok_or(LineFailed::NoRollout)
    }

    async fn act(&self, action: &UserAction) -> Result<(), LineFailed> {
        let name = self.rollout()?;
        if let UserAction::Scale(replicas) = action {
            let body = json!({ "spec": { "replicas": replicas } });
            rollouts(&self.stage).patch(name, &PatchParams::default(), &Patch::Merge(body)).await?;
            return Ok(());
        }
        let rollout = serde_json::to_value(dynamic(&self.stage, "rollout")?.get(name).await?)?;
        let sets: Api<ReplicaSet> = Api::namespaced(self.stage.client.clone(), NAMESPACE);
        let sets = sets.list(&ListParams::default()).await?.items;
        let sets = sets.iter().map(serde_json::to_value).collect::<Result<Vec<Value>, _>>()?;
        let workload = self.workload(&rollout).await?;
        let subject =
            Subject { rollout: &rollout, replica_sets: &sets, workload: workload.as_ref() };
        for write in meant(action).writes(subject)? {
            effects::perform(&self.stage.client, ACTOR, &write).await?;
        }
        Ok(())
    }

    async fn workload(&self, rollout: &Value) -> Result<Option<Value>, LineFailed> {
        let Some(name) = rollout.pointer("/spec/workloadRef/name").and_then(Value::as_str) else {
            return Ok(None);
        };
        let found = dynamic(&self.stage, "deployment")?.get_opt(name).await?;
        Ok(found.as_ref().map(serde_json::to_value).transpose()?)
    }

    async fn expect(
        &mut self,
        (what, within): (&Expectation, Option<Duration>),
        line: &Line,
        place: &str,
    ) -> Result<(), LineFailed> {
        let began = Instant::now();
        let within = within.unwrap_or_default();
        let found = loop {
            let found = self.look(what).await?;
            let left = within.saturating_sub(began.elapsed());
            if found.is_ok() || left.is_zero() {
                break found;
            }
            sleep((began.elapsed() / 20).clamp(LOOK_AGAIN_MIN, LOOK_AGAIN_MAX).min(left)).await;
        };
        if let Err(found) = found {
            let unmet = Unmet { place: place.to_owned(), expectation: line.text.clone(), found };
            self.stage.timeline.note(
                self.stage.clock.now(),
                "unmet",
                &format!("{}: {}", unmet.expectation, unmet.found),
            );
            self.unmet.push(unmet);
        }
        Ok(())
    }

    async fn look(&self, what: &Expectation) -> Result<Result<(), String>, LineFailed> {
        Ok(check(&self.stage, self.rollout()?, what).await?)
    }

    async fn report(self, began: jiff::Timestamp) -> Report {
        let all = rollouts(&self.stage).list(&ListParams::default()).await;
        let outcome = |rollout: api::argo::Rollout| {
            let status = rollout.status.unwrap_or_default();
            Outcome {
                name: rollout.metadata.name.unwrap_or_default(),
                phase: status.phase.map(|phase| phase.to_string()).unwrap_or_default(),
                message: status.message.unwrap_or_default(),
            }
        };
        Report {
            ok: self.unmet.is_empty(),
            rollouts: all
                .map(|all| all.items.into_iter().map(outcome).collect())
                .unwrap_or_default(),
            failures: self.unmet,
            blast_radius: blast_radius(&self.stage),
            virtual_seconds: self.stage.clock.now().duration_since(began).as_secs(),
            timeline: self.stage.timeline.entries(),
        }
    }
}

fn meant(action: &UserAction) -> Action {
    match action {
        UserAction::SetImage { container, image } => {
            Action::SetImage { container: container.clone(), image: image.clone() }
        }
        UserAction::Promote => Action::Promote,
        UserAction::PromoteFull => Action::PromoteFull,
        UserAction::Abort => Action::Abort,
        UserAction::Retry => Action::Retry,
        UserAction::Undo(to_revision) => Action::Undo { to_revision: *to_revision },
        UserAction::Pause => Action::Pause,
        UserAction::Resume | UserAction::Scale(_) => Action::Resume,
    }
}

fn modelled(fault: &Fault) -> traffic::Fault {
    traffic::Fault { errors: fault.errors, latency: fault.latency, image: fault.image.clone() }
}

/// What users have felt so far.
pub(crate) fn blast_radius(stage: &Stage) -> BlastRadius {
    stage.traffic.settle();
    let totals = stage.traffic.totals();
    let bad = stage.taken_back.hashes();
    let met_bad = totals
        .by_version
        .iter()
        .filter(|(hash, _)| bad.contains(*hash))
        .map(|(_, met)| met.requests)
        .sum();
    BlastRadius {
        requests: totals.requests,
        met_bad,
        failed: totals.failed,
        unserved: totals.unserved,
    }
}

/// The kinds that scripts may name.
fn dynamic(stage: &Stage, resource: &str) -> Result<Api<DynamicObject>, LineFailed> {
    let (group, version, kind) = match resource.trim_end_matches('s') {
        "rollout" | "ro" => ("argoproj.io", "v1alpha1", "Rollout"),
        "analysisrun" | "ar" => ("argoproj.io", "v1alpha1", "AnalysisRun"),
        "analysistemplate" | "at" => ("argoproj.io", "v1alpha1", "AnalysisTemplate"),
        "replicaset" | "r" => ("apps", "v1", "ReplicaSet"),
        "deployment" | "deploy" => ("apps", "v1", "Deployment"),
        "httproute" => ("gateway.networking.k8s.io", "v1", "HTTPRoute"),
        "service" | "svc" => ("", "v1", "Service"),
        "pod" | "po" => ("", "v1", "Pod"),
        "configmap" | "cm" => ("", "v1", "ConfigMap"),
        "secret" => ("", "v1", "Secret"),
        "horizontalpodautoscaler" | "hpa" => ("autoscaling", "v2", "HorizontalPodAutoscaler"),
        _ => return Err(LineFailed::UnknownResource(resource.to_owned())),
    };
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Ok(Api::namespaced_with(stage.client.clone(), NAMESPACE, &resource))
}
