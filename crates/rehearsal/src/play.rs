//! Playing a script, line by line.

mod hold;

use crate::{
    conditions::{Conditions, Election, Refusals, Trace},
    elsewhere::Elsewhere,
    expect::observed_phase,
    ground::Ground,
    report::{BlastRadius, Outcome, Report, Unmet, Unserved},
    resources::{UnknownResource, dynamic},
    scene::{RolloutName, hash_of},
    script::{Command, Fault, Line, Manifest, Side, UserAction},
    stage::{NAMESPACE, SetUpFailed, Stage},
};
use actions::{Action, Refused, Subject};
use api::argo::{Rollout, RolloutStatus};
use embedded::{ApplyError, Availability};
use jiff::Timestamp;
use k8s_openapi::{
    api::{
        apps::v1::ReplicaSet,
        core::v1::{Namespace, Pod},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{Instant, sleep};
use world::traffic;

const ACTOR: effects::Actor =
    effects::Actor { field_manager: "ringfence-rehearsal", user_agent: "ringfence-rehearsal" };
/// How often an action is tried again because somebody else was faster.
const CONFLICTS_MAX: usize = 10;
/// Bounds of how often an expectation is looked at again when nothing is heard of it.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(500);
const LOOK_AGAIN_MAX: Duration = Duration::from_mins(10);
/// How long what follows from a change may take before it is looked at.
const ECHO: Duration = Duration::from_millis(20);
/// How often one release is promoted at most.
const PROMOTIONS_MAX: usize = 100;

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
    #[error("there is no rollout `{0}`; it must be applied before")]
    UnknownRollout(String),
    #[error("the rollout has no pod of that version")]
    NoPod,
    #[error(transparent)]
    UnknownResource(#[from] UnknownResource),
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
    let alone = Conditions { election: Election::None, ..Conditions::default() };
    rehearse_under(play, &alone).map(|(report, _)| report)
}

/// Plays a script under conditions; says also what the controllers did.
///
/// # Errors
/// As [`rehearse`].
pub fn rehearse_under(play: &Play, conditions: &Conditions) -> Result<(Report, Trace), PlayFailed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(PlayFailed::Runtime)?;
    runtime.block_on(async {
        let ground = Ground::embedded(play.seed, conditions).await?;
        perform(play, conditions, ground).await
    })
}

/// Plays a script in real time on a cluster that is there already.
///
/// # Errors
/// As [`rehearse`].
pub async fn rehearse_elsewhere(
    play: &Play,
    conditions: &Conditions,
    place: &Elsewhere,
) -> Result<(Report, Trace), PlayFailed> {
    perform(play, conditions, Ground::elsewhere(place, conditions)).await
}

async fn perform(
    play: &Play,
    conditions: &Conditions,
    ground: Ground,
) -> Result<(Report, Trace), PlayFailed> {
    let stage = Stage::set_up(ground, play.seed, conditions).await?;
    let Conditions { patience, settle, .. } = *conditions;
    let (unmet, always) = (Vec::new(), Vec::new());
    let mut player = Player { stage, patience, settle, rollout: None, unmet, always };
    let began = player.stage.clock.now();
    for line in &play.lines {
        let place = format!("{}:{}", play.name, line.number);
        let outcome = player.line(play, line, &place).await;
        match (outcome, conditions.refusals) {
            (Ok(()), _) => {}
            (Err(error), Refusals::PassOver) => player.note(&format!("passed over: {error}")),
            (Err(error), Refusals::Stop) => {
                return Err(PlayFailed::Line { place, message: error.to_string() });
            }
        }
        sleep(conditions.settle).await;
    }
    player.end_always();
    let script_ended = player.stage.clock.now();
    sleep(conditions.afterwards).await;
    let trace = player.stage.trace(script_ended);
    player.stage.traffic.end_scrapes();
    Ok((player.report(began).await, trace))
}

struct Player {
    stage: Stage,
    patience: Duration,
    settle: Duration,
    rollout: Option<RolloutName>,
    unmet: Vec<Unmet>,
    /// What must hold until the script ends.
    always: Vec<(Line, String)>,
}

impl Player {
    async fn line(&mut self, play: &Play, line: &Line, place: &str) -> Result<(), LineFailed> {
        if !matches!(line.command, Command::Expect { .. }) {
            self.note(&line.text);
        }
        match &line.command {
            Command::Apply(manifest) => self.apply(play, manifest).await?,
            Command::Delete { resource, name } => {
                self.objects(resource)?.delete(name, &DeleteParams::default()).await?;
            }
            Command::Patch { resource, name, body } => {
                let patch = Patch::Merge(body);
                self.objects(resource)?.patch(name, &PatchParams::default(), &patch).await?;
            }
            Command::LosePod(side) => self.lose_pod(*side).await?,
            Command::Advance(span) => sleep(*span).await,
            Command::Rollout(name) => self.choose(name).await?,
            Command::Act(action) => self.act(action).await?,
            Command::Traffic(rate) => self.stage.traffic.set_rate(*rate),
            Command::Senders { name, value, rate } => {
                self.stage.traffic.set_senders(name, value, *rate);
            }
            Command::Fault(fault) => self.stage.traffic.set_fault(modelled(fault)),
            Command::Heal => self.stage.traffic.clear_faults(),
            Command::MetricsDown => self.stage.numbers.set_availability(Availability::Down),
            Command::MetricsUp => self.stage.numbers.set_availability(Availability::Up),
            Command::KillController => self.stage.kill_controllers(),
            Command::StartController => self.stage.start_controllers().await?,
            Command::SeeThrough(within) => self.see_through(*within, line, place).await?,
            Command::Annotate { side, count, key, value } => {
                self.annotate((*side, *count), key, value.as_deref()).await?;
            }
            Command::Expect { what, when } => self.expect((what, *when), line, place).await?,
        }
        Ok(())
    }

    async fn apply(&mut self, play: &Play, manifest: &Manifest) -> Result<(), LineFailed> {
        let (file, text) = match manifest {
            Manifest::Inline(text) => (play.name.as_str(), text),
            Manifest::File(file) => (
                file.as_str(),
                play.files.get(file).ok_or_else(|| LineFailed::FileMissing(file.clone()))?,
            ),
        };
        let mut rollout = None;
        for (index, object) in embedded::read(file, text)?.iter().enumerate() {
            let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str);
            self.make_namespace(namespace).await?;
            let place = (file, index + 1);
            match embedded::apply_object(&self.stage.client, NAMESPACE, place, object).await {
                Err(ApplyError::UnknownKind { kind, api_version, .. })
                    if is_foreign(&api_version) =>
                {
                    let message =
                        format!("passed over {kind} of {api_version}: nothing here acts on it");
                    self.note(&message);
                }
                applied => {
                    let applied = applied?;
                    let is_first = rollout.is_none() && object["kind"] == "Rollout";
                    rollout = if is_first { RolloutName::of(&applied.metadata) } else { rollout };
                }
            }
        }
        self.rollout = rollout.or(self.rollout.take());
        Ok(())
    }

    /// Manifests rarely bring the namespace that they are meant for.
    async fn make_namespace(&self, name: Option<&str>) -> Result<(), LineFailed> {
        let Some(name) = name.filter(|name| *name != NAMESPACE) else { return Ok(()) };
        let api: Api<Namespace> = Api::all(self.stage.client.clone());
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        match api.create(&PostParams::default(), &namespace).await {
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            outcome => Ok(outcome.map(drop)?),
        }
    }

    async fn choose(&mut self, name: &str) -> Result<(), LineFailed> {
        let (namespace, name) = match name.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, name),
        };
        let all: Api<Rollout> = Api::all(self.stage.client.clone());
        let mut found = all.list(&ListParams::default()).await?.items.into_iter();
        let found = found.find_map(|rollout| {
            RolloutName::of(&rollout.metadata).filter(|found| {
                found.name == name && namespace.is_none_or(|namespace| found.namespace == namespace)
            })
        });
        self.rollout = Some(found.ok_or_else(|| LineFailed::UnknownRollout(name.to_owned()))?);
        Ok(())
    }

    fn note(&self, message: &str) {
        self.stage.timeline.note(self.stage.clock.now(), "script", message);
    }

    fn rollout(&self) -> Result<&RolloutName, LineFailed> {
        self.rollout.as_ref().ok_or(LineFailed::NoRollout)
    }

    /// Where the lines act: in the namespace of the rollout they are about.
    fn objects(&self, resource: &str) -> Result<Api<DynamicObject>, LineFailed> {
        let namespace = self.rollout.as_ref().map_or(NAMESPACE, |rollout| &rollout.namespace);
        Ok(dynamic(&self.stage, namespace, resource)?)
    }

    async fn read_rollout(&self) -> Result<Rollout, LineFailed> {
        let RolloutName { namespace, name } = self.rollout()?;
        let api: Api<Rollout> = Api::namespaced(self.stage.client.clone(), namespace);
        Ok(api.get(name).await?)
    }

    /// Acts, and acts again on what is the case then if somebody else was faster.
    async fn act(&self, action: &UserAction) -> Result<(), LineFailed> {
        for _ in 0..CONFLICTS_MAX {
            match self.try_to_act(action).await {
                Err(LineFailed::Server(kube::Error::Api(status))) if status.code == 409 => {}
                outcome => return outcome,
            }
        }
        self.try_to_act(action).await
    }

    async fn try_to_act(&self, action: &UserAction) -> Result<(), LineFailed> {
        let name = &self.rollout()?.name;
        if let UserAction::Scale(replicas) = action {
            let body = json!({ "spec": { "replicas": replicas } });
            self.objects("rollout")?
                .patch(name, &PatchParams::default(), &Patch::Merge(body))
                .await?;
            return Ok(());
        }
        let rollout = serde_json::to_value(self.objects("rollout")?.get(name).await?)?;
        let sets: Api<ReplicaSet> =
            Api::namespaced(self.stage.client.clone(), &self.rollout()?.namespace);
        let sets = sets.list(&ListParams::default()).await?.items;
        let sets = sets.iter().map(serde_json::to_value).collect::<Result<Vec<Value>, _>>()?;
        let workload = self.workload(&rollout).await?;
        let subject =
            Subject { rollout: &rollout, replica_sets: &sets, workload: workload.as_ref() };
        for write in meant(action, self.stage.clock.now()).writes(subject)? {
            effects::perform(&self.stage.client, ACTOR, &write).await?;
        }
        Ok(())
    }

    async fn workload(&self, rollout: &Value) -> Result<Option<Value>, LineFailed> {
        let Some(name) = rollout.pointer("/spec/workloadRef/name").and_then(Value::as_str) else {
            return Ok(None);
        };
        let found = self.objects("deployment")?.get_opt(name).await?;
        Ok(found.as_ref().map(serde_json::to_value).transpose()?)
    }

    /// Waits until something happened, or it is time to look again anyway.
    async fn wait_for_change(&self, began: Instant, within: Duration) {
        let left = within.saturating_sub(began.elapsed());
        let again = (began.elapsed() / 20).clamp(LOOK_AGAIN_MIN, LOOK_AGAIN_MAX).min(left);
        tokio::select! {
            biased;
            () = self.stage.stirred.notified() => sleep(ECHO.min(left)).await,
            () = sleep(again) => {}
        }
    }

    fn note_unmet(&mut self, line: &Line, place: &str, found: String) {
        let unmet = Unmet { place: place.to_owned(), expectation: line.text.clone(), found };
        let message = format!("{}: {}", unmet.expectation, unmet.found);
        self.stage.timeline.note(self.stage.clock.now(), "unmet", &message);
        self.unmet.push(unmet);
    }

    async fn see_through(
        &mut self,
        within: Duration,
        line: &Line,
        place: &str,
    ) -> Result<(), LineFailed> {
        let began = Instant::now();
        let mut promotions = 0;
        loop {
            let rollout = self.read_rollout().await?;
            let standing = standing(&rollout);
            match standing {
                Standing::Through => return Ok(()),
                Standing::TakenBack(found) => {
                    self.note_unmet(line, place, found);
                    return Ok(());
                }
                Standing::WaitsForPerson(why) if promotions < PROMOTIONS_MAX => {
                    promotions += 1;
                    self.note(&format!("promote, because nobody else would: {why}"));
                    self.act(&UserAction::Promote).await?;
                    sleep(self.settle).await;
                }
                Standing::WaitsForPerson(found) | Standing::UnderWay(found)
                    if began.elapsed() >= within || promotions >= PROMOTIONS_MAX =>
                {
                    self.note_unmet(line, place, found);
                    return Ok(());
                }
                _ => self.wait_for_change(began, within).await,
            }
        }
    }

    /// Names of the pods of one version. Whose the canary's are is not known before the controller has seen
    /// the rollout as it is, which may need patience.
    async fn pods_of(&self, side: Side) -> Result<Vec<String>, LineFailed> {
        let began = Instant::now();
        loop {
            let rollout = self.read_rollout().await?;
            let names = self.pods_by_status(&rollout, side).await?;
            let is_known = rollout.is_observed() && !names.is_empty();
            match (is_known || began.elapsed() >= self.patience, names.is_empty()) {
                (true, true) => return Err(LineFailed::NoPod),
                (true, false) => return Ok(names),
                (false, _) => self.wait_for_change(began, self.patience).await,
            }
        }
    }

    async fn pods_by_status(
        &self,
        rollout: &Rollout,
        side: Side,
    ) -> Result<Vec<String>, LineFailed> {
        let status = rollout.status.clone().unwrap_or_default();
        let hash = match side {
            Side::Stable => status.stable_rs,
            Side::Canary => status.current_pod_hash,
        };
        let api: Api<Pod> = Api::namespaced(self.stage.client.clone(), &self.rollout()?.namespace);
        let pods = api.list(&ListParams::default()).await?.items.into_iter();
        let pods = pods.filter(|pod| hash.is_some() && hash_of(&pod.metadata) == hash.as_deref());
        let mut names: Vec<String> = pods.filter_map(|pod| pod.metadata.name).collect();
        names.sort();
        Ok(names)
    }

    async fn lose_pod(&self, side: Side) -> Result<(), LineFailed> {
        let name = self.pods_of(side).await?.swap_remove(0);
        self.objects("pod")?.delete(&name, &DeleteParams::default()).await?;
        Ok(())
    }

    async fn annotate(
        &self,
        (side, count): (Side, Option<usize>),
        key: &str,
        value: Option<&str>,
    ) -> Result<(), LineFailed> {
        let body = json!({"metadata": {"annotations": {key: value}}});
        for name in self.pods_of(side).await?.iter().take(count.unwrap_or(usize::MAX)) {
            let patch = Patch::Merge(&body);
            self.objects("pod")?.patch(name, &PatchParams::default(), &patch).await?;
        }
        Ok(())
    }

    async fn report(self, began: Timestamp) -> Report {
        let all: Api<Rollout> = Api::all(self.stage.client.clone());
        let all = all.list(&ListParams::default()).await;
        let outcome = |rollout: Rollout| {
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

/// Where a release stands for somebody who watches it.
enum Standing {
    Through,
    TakenBack(String),
    WaitsForPerson(String),
    UnderWay(String),
}

fn standing(rollout: &Rollout) -> Standing {
    let status = rollout.status.clone().unwrap_or_default();
    let (phase, message) = observed_phase(rollout, &status);
    let words = format!("{phase} ({message})");
    let waits = status.reasons.iter().find(|reason| {
        reason.code == "PausedByUser"
            || reason.evidence.get("until").is_some_and(|until| until == "promoted")
    });
    match (phase.as_str(), waits) {
        ("Healthy", _) => Standing::Through,
        ("Degraded", _) => Standing::TakenBack(words),
        ("Paused", Some(wait)) if is_held(rollout, &status) => {
            Standing::WaitsForPerson(wait.message.clone())
        }
        _ => Standing::UnderWay(words),
    }
}

/// Whether a pause is in force, and not lifted already by somebody whom the controller did not hear yet.
fn is_held(rollout: &Rollout, status: &RolloutStatus) -> bool {
    rollout.spec.paused || !status.pause_conditions.is_empty()
}

/// Whether a kind belongs to some product that a rehearsal does not know.
fn is_foreign(api_version: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    group.contains('.') && !group.ends_with(".k8s.io") && !group.ends_with("argoproj.io")
}

fn meant(action: &UserAction, now: Timestamp) -> Action {
    match action {
        UserAction::Restart => {
            Action::Restart { at: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string() }
        }
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
    traffic::Fault {
        target: fault.image.clone().map_or(traffic::Target::Canary, traffic::Target::Image),
        errors: fault.errors,
        latency: fault.latency,
    }
}

/// What users have felt so far.
fn blast_radius(stage: &Stage) -> BlastRadius {
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
        mirrored: totals.mirrored,
        first_unserved: totals.first_unserved.map(|first| Unserved {
            seconds: stage.timeline.seconds(first.since),
            service: first.service,
        }),
    }
}
