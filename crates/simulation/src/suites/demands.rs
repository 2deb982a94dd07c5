//! What suites demand beyond invariants and references.

use crate::{
    divergence::Divergence,
    examine::unserved,
    history::Step,
    picture::Picture,
    run::{Ran, Reference},
};
use jiff::SignedDuration;
use serde_json::Value;
use std::sync::Arc;

/// Something that must be true of a run; it says what was not.
pub type Demand = Arc<dyn Fn(&Ran, &Reference) -> Vec<Divergence> + Send + Sync>;

/// How many more requests a minute may see than the busiest minute of the reference.
const MORE_REQUESTS: usize = 120;
/// How long a minute is.
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// A controller that meets trouble does not try again and again without a pause.
pub(super) fn bounded_requests() -> Demand {
    Arc::new(|ran, reference| {
        let (most, bound) = (busiest(ran), busiest(&reference.ran) + MORE_REQUESTS);
        let found = format!("{most} requests within a minute, where {bound} may be");
        (most > bound).then_some(Divergence::Demand { found }).into_iter().collect()
    })
}

/// The most requests within a minute.
fn busiest(ran: &Ran) -> usize {
    let mut times: Vec<_> = ran.trace.passed.iter().map(|passed| passed.at).collect();
    times.sort_unstable();
    let mut first = 0;
    let mut most = 0;
    for (last, at) in times.iter().enumerate() {
        while at.duration_since(times[first]) >= MINUTE {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

/// If anything was refused as forbidden, people can see it.
pub(super) fn tells_what_is_forbidden() -> Demand {
    Arc::new(|ran, _| {
        let was_refused =
            ran.trace.passed.iter().any(|passed| passed.fate == faults::Fate::Refused(403));
        let is_told = ran.history.steps.iter().any(|step| {
            matches!(step.resource.as_str(), "events" | "rollouts" | "analysisruns")
                && step.after().is_some_and(|object| object.to_string().contains("forbidden"))
        });
        let found = "something was forbidden, and neither an event nor a status says so".to_owned();
        (was_refused && !is_told).then_some(Divergence::Demand { found }).into_iter().collect()
    })
}

/// Some rollouts end as they do in the reference.
pub(super) fn same_ending_of(names: Vec<String>) -> Demand {
    Arc::new(move |ran, reference| {
        let ending = ran.ending();
        let mut found = Vec::new();
        for (key, expected) in
            reference.ending.iter().filter(|(key, _)| key.starts_with("rollouts "))
        {
            let is_asked = names.iter().any(|name| key.ends_with(&format!("/{name}")));
            if is_asked && ending.get(key) != Some(expected) {
                let found_here = ending.get(key).unwrap_or(&Value::Null);
                found.push(Divergence::Demand { found: format!("{key} ended as {found_here}") });
            }
        }
        found
    })
}

/// Every rollout ends in a state that somebody can read: through, taken back, or waiting for a person.
pub(super) fn settles() -> Demand {
    Arc::new(|ran, reference| {
        let mut found = Vec::new();
        for (key, ending) in ran.ending().iter().filter(|(key, _)| key.starts_with("rollouts ")) {
            let phase = ending["phase"].as_str().unwrap_or("none");
            let before = reference.ending.get(key).and_then(|ending| ending["phase"].as_str());
            let is_settled = matches!(phase, "Healthy" | "Degraded" | "Paused");
            if !is_settled && before != Some(phase) {
                found.push(Divergence::Demand { found: format!("{key} ends {phase}: {ending}") });
            }
        }
        found
    })
}

/// At most so many requests find nobody.
pub(super) fn leaves_unserved(most: u64) -> Demand {
    Arc::new(move |ran, _| {
        let requests = ran.report.blast_radius.unserved;
        (requests > most).then_some(Divergence::Unserved { requests }).into_iter().collect()
    })
}

/// Nobody's request is lost because no pod could take it, unless it is in the reference too.
pub(super) fn serves_everybody() -> Demand {
    Arc::new(|ran, reference| unserved(ran, reference).into_iter().collect())
}

/// No analysis run ends so, but for those that are told to end, those whose metrics are all dry, which
/// succeed by definition, and those that Jobs judge, which ask no provider.
pub(super) fn no_verdict(phases: &'static [&'static str]) -> Demand {
    Arc::new(move |ran, _| {
        let mut picture = Picture::default();
        ran.history.steps.iter().for_each(|step| picture.apply(step));
        let judged = picture
            .all("analysisruns")
            .filter(|run| !is_dry(run) && !is_by_jobs(run) && run["spec"]["terminate"] != true);
        let bad = judged.filter_map(|run| {
            let phase = phases.iter().find(|bad| run["status"]["phase"] == **bad)?;
            let found =
                format!("analysis run {} ended {phase} on no data", run["metadata"]["name"]);
            Some(Divergence::Demand { found })
        });
        bad.collect()
    })
}

fn is_dry(run: &Value) -> bool {
    let results = run["status"]["metricResults"].as_array();
    results.is_some_and(|results| {
        !results.is_empty() && results.iter().all(|result| result["dryRun"] == true)
    })
}

fn is_by_jobs(run: &Value) -> bool {
    let metrics = run["spec"]["metrics"].as_array().into_iter().flatten();
    metrics.map(|metric| &metric["provider"]["job"]).any(Value::is_object)
}

/// Everything that the script expects comes true.
pub(super) fn as_scripted() -> Demand {
    Arc::new(|ran, _| ran.report.failures.iter().map(Divergence::unmet).collect())
}

/// As long as the reference lasts, every change is the reference's to the last byte: only then do story,
/// case and seed name a run.
pub(super) fn repeats() -> Demand {
    Arc::new(|ran, reference| {
        let (steps, before) = (&ran.history.steps, &reference.ran.history.steps);
        let parts = std::iter::zip(steps, before).find(|(step, before)| told(step) != told(before));
        let parts = parts.map(|(step, before)| {
            format!("a second run does\n  {}\n  not\n  {}", told(step), told(before))
        });
        let ends = (steps.len() < before.len()).then(|| "a second run does less".to_owned());
        let found = parts.or(ends).map(|found| Divergence::Demand { found });
        found.into_iter().collect()
    })
}

fn told(step: &Step) -> String {
    let Step { at, by, request: _, resource, kind, object } = step;
    format!("{at} {by:?} {kind:?} {resource} {}", object.value())
}
