//! The story without a person: a good release, an erroring one and a slow one.

use super::{
    NAMESPACE, RELEASES, ROLLOUT, ReleaseKind,
    load::Load,
    split::{Moment, Splits, StepSeen},
};
use actions::{Action, Subject};
use anyhow::{Context, bail};
use api::argo::{Rollout, RolloutPhase};
use effects::Actor;
use embedded::Embedded;
use jiff::Timestamp;
use kube::Api;
use metrics::access::Tally;
use serde::Serialize;
use std::time::Duration;

const ACTOR: Actor = Actor { field_manager: "ringfence-demo", user_agent: "ringfence-demo" };
const POLL: Duration = Duration::from_millis(50);
/// A release that takes longer than this is given up.
const RELEASE_SECONDS_MAX: f64 = 180.0;
/// How long the split is watched after a promotion.
const AFTERWARDS: Duration = Duration::from_secs(2);
/// How far the observed share may be from the weight, in points.
const POINTS_MAX: f64 = 3.0;
/// A bad release must be taken back before it has more than this share.
const BAD_WEIGHT_MAX: u32 = 40;
/// The weights a good release goes through.
const WEIGHTS: [u32; 5] = [20, 40, 60, 80, 100];

/// How the story went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Report {
    pub(crate) ok: bool,
    pub(crate) releases: Vec<ReleaseReport>,
}

/// How one release went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ReleaseReport {
    pub(crate) image: String,
    pub(crate) outcome: Outcome,
    pub(crate) reason: String,
    pub(crate) steps: Vec<StepSeen>,
    pub(crate) requests: u64,
    pub(crate) failed: u64,
    pub(crate) seconds: f64,
}

/// What became of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcome {
    /// Every user has it.
    Promoted,
    /// Nobody has it any more.
    RolledBack,
}

/// Plays every release in turn; `tell` hears what happens.
pub(crate) async fn play(
    embedded: &Embedded,
    load: &Load,
    tell: impl Fn(&str),
) -> anyhow::Result<Report> {
    let mut releases = Vec::new();
    let mut ok = true;
    for release in RELEASES {
        tell(&format!("releasing {}", release.image));
        let report = play_one(embedded, load, release.image)
            .await
            .with_context(|| format!("releasing {}", release.image))?;
        tell(&format!(
            "{}: {:?} after {:.0} s, {}",
            release.image, report.outcome, report.seconds, report.reason
        ));
        ok &= went_right(release.kind, &report);
        releases.push(report);
    }
    Ok(Report { ok, releases })
}

fn went_right(kind: ReleaseKind, report: &ReleaseReport) -> bool {
    match kind {
        ReleaseKind::Good => {
            let weights: Vec<u32> = report.steps.iter().map(|step| step.weight).collect();
            let is_close = |step: &StepSeen| {
                (step.observed_percent - f64::from(step.weight)).abs() <= POINTS_MAX
            };
            report.outcome == Outcome::Promoted
                && report.failed == 0
                && weights == WEIGHTS
                && report.steps.iter().all(is_close)
        }
        ReleaseKind::Erroring | ReleaseKind::Slow => {
            let highest = report.steps.iter().map(|step| step.weight).max().unwrap_or_default();
            report.outcome == Outcome::RolledBack
                && highest <= BAD_WEIGHT_MAX
                && !report.reason.is_empty()
        }
    }
}

async fn play_one(embedded: &Embedded, load: &Load, image: &str) -> anyhow::Result<ReleaseReport> {
    let began = embedded.clock.now();
    let before = load.answered();
    let api: Api<Rollout> = Api::namespaced(embedded.client.clone(), NAMESPACE);
    let stable = set_image(embedded, image).await?;
    let mut splits = Splits::default();
    let (outcome, reason) = loop {
        let rollout = api.get(ROLLOUT).await?;
        let verdict = verdict(&rollout, &stable);
        splits.observe(moment(embedded, &rollout, verdict.as_ref().map(|verdict| verdict.0)));
        if let Some(verdict) = verdict {
            break verdict;
        }
        if seconds_since(began, embedded) > RELEASE_SECONDS_MAX {
            bail!("nothing was decided within {RELEASE_SECONDS_MAX} s: {}", message(&rollout));
        }
        tokio::time::sleep(POLL).await;
    };
    let seconds = seconds_since(began, embedded);
    tokio::time::sleep(AFTERWARDS).await;
    splits.observe(moment(embedded, &api.get(ROLLOUT).await?, Some(outcome)));
    let after = load.answered();
    Ok(ReleaseReport {
        image: image.to_owned(),
        outcome,
        reason,
        steps: splits.finish(),
        requests: after.requests - before.requests,
        failed: after.failed - before.failed,
        seconds: (seconds * 10.0).round() / 10.0,
    })
}

/// Starts the release and hands back the hash that was stable before.
async fn set_image(embedded: &Embedded, image: &str) -> anyhow::Result<String> {
    let api: Api<Rollout> = Api::namespaced(embedded.client.clone(), NAMESPACE);
    let rollout = api.get(ROLLOUT).await?;
    let stable =
        rollout.status.as_ref().and_then(|status| status.stable_rs.clone()).unwrap_or_default();
    let rollout = serde_json::to_value(rollout)?;
    let action = Action::SetImage { container: "*".to_owned(), image: image.to_owned() };
    for write in action.writes(Subject { rollout: &rollout, replica_sets: &[], workload: None })? {
        effects::perform(&embedded.client, ACTOR, &write).await?;
    }
    Ok(stable)
}

/// Promoted once another hash is stable and healthy; rolled back once aborted with no traffic left.
fn verdict(rollout: &Rollout, stable_before: &str) -> Option<(Outcome, String)> {
    let status = rollout.status.as_ref()?;
    if !rollout.is_observed() {
        return None;
    }
    let is_new = status.stable_rs.as_deref() != Some(stable_before);
    match status.phase? {
        RolloutPhase::Healthy if is_new => {
            Some((Outcome::Promoted, "every step passed".to_owned()))
        }
        RolloutPhase::Degraded if status.abort && weight(rollout) == 0 => {
            Some((Outcome::RolledBack, message(rollout)))
        }
        _ => None,
    }
}

fn message(rollout: &Rollout) -> String {
    rollout.status.as_ref().and_then(|status| status.message.clone()).unwrap_or_default()
}

fn weight(rollout: &Rollout) -> u32 {
    let weights = rollout.status.as_ref().and_then(|status| status.canary.weights.as_ref());
    weights.and_then(|weights| u32::try_from(weights.canary.weight).ok()).unwrap_or_default()
}

/// The counts of now; a promoted release has all the traffic although no canary is left.
fn moment(embedded: &Embedded, rollout: &Rollout, outcome: Option<Outcome>) -> Moment {
    let hash = rollout
        .status
        .as_ref()
        .and_then(|status| status.current_pod_hash.clone())
        .unwrap_or_default();
    let weight = if outcome == Some(Outcome::Promoted) { 100 } else { weight(rollout) };
    let snapshot = embedded.numbers.access().snapshot(embedded.clock.now());
    let requests = |tally: &Tally| tally.requests();
    let all = snapshot.tallies.values().map(requests).sum();
    let of_canary = |(backend, tally)| {
        let backend: &metrics::access::Backend = backend;
        (backend.pod_template_hash == hash).then(|| requests(tally))
    };
    Moment { weight, canary: snapshot.tallies.iter().filter_map(of_canary).sum(), all }
}

fn seconds_since(began: Timestamp, embedded: &Embedded) -> f64 {
    embedded.clock.now().duration_since(began).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcome: Outcome, steps: &[(u32, f64)]) -> ReleaseReport {
        let step =
            |&(weight, observed_percent)| StepSeen { weight, observed_percent, requests: 100 };
        ReleaseReport {
            image: String::new(),
            outcome,
            reason: "why".to_owned(),
            steps: steps.iter().map(step).collect(),
            requests: 0,
            failed: 0,
            seconds: 0.0,
        }
    }

    #[test]
    fn a_good_release_must_pass_every_weight_within_three_points() {
        let right = [(20, 22.0), (40, 38.5), (60, 60.0), (80, 80.0), (100, 100.0)];
        assert!(went_right(ReleaseKind::Good, &report(Outcome::Promoted, &right)));
        assert!(!went_right(ReleaseKind::Good, &report(Outcome::RolledBack, &right)));
        assert!(!went_right(ReleaseKind::Good, &report(Outcome::Promoted, &right[1..])));
        let far = [(20, 23.5), (40, 40.0), (60, 60.0), (80, 80.0), (100, 100.0)];
        assert!(!went_right(ReleaseKind::Good, &report(Outcome::Promoted, &far)));
    }

    #[test]
    fn a_bad_release_must_be_taken_back_before_it_passes_forty_percent() {
        for (outcome, weight, right) in [
            (Outcome::RolledBack, 20, true),
            (Outcome::RolledBack, 40, true),
            (Outcome::RolledBack, 60, false),
            (Outcome::Promoted, 20, false),
        ] {
            let report = report(outcome, &[(weight, f64::from(weight))]);
            assert_eq!(went_right(ReleaseKind::Erroring, &report), right, "{outcome:?} {weight}");
        }
    }
}
