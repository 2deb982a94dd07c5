//! What the analyses of one release have in common: an error budget, and what their judges have learned.
//!
//! A release is a new version beside a stable one: it begins anew when either changes. Its budget is
//! stated by the rollout, and shared by all comparisons that its analyses ask for. A comparison that
//! several steps ask for is one: each step goes on from what the step before has left, so it has one part
//! of the budget and no look is counted twice.

use super::{
    analysis_run::{self, Hashes, Part},
    reads, sets,
    subject::Subject,
};
use crate::analysis_run::{annotation, left_by};
use analysis::arguments;
use api::argo::{AnalysisPhase, AnalysisRun, AnalysisRunSpec, Metric, keys};
use providers::budget::{self, PLUGIN};
use serde_json::{Value, json};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Annotation of a rollout: the chance that one of its releases is failed though nothing is worse.
pub(crate) const ALPHA: &str = "ringfence.dev/alpha";
/// Annotation of a run: the hash of the stable version beside which it ran.
pub(crate) const STABLE_HASH: &str = "ringfence.dev/stable-hash";
/// Where the problems with a budget are.
const ALPHA_PATH: &str = "metadata.annotations[ringfence.dev/alpha]";

/// A comparison that analyses of the release ask for.
struct Comparison {
    /// Its name among all of them, for people.
    name: String,
    /// Its settings, with arguments.
    config: Value,
}

/// Gives the comparisons of a run their parts of the release's budget, if the rollout states one.
///
/// # Errors
/// The sentence of what is wrong with the budget.
pub(super) fn share(
    subject: &Subject<'_>,
    part: Part,
    spec: &mut AnalysisRunSpec,
    hashes: Hashes<'_>,
) -> Result<(), String> {
    let Some(alpha) = sets::annotation(&subject.rollout.metadata, ALPHA) else { return Ok(()) };
    let all = comparisons(subject, hashes);
    let shares = shares(alpha, &all).map_err(|problems| problems.join("; "))?;
    let identities = of_spec(part.path(), spec);
    for metric in &mut spec.metrics {
        let identity = identities.get(&metric.name);
        let share = identity.and_then(|(identity, _)| shares.get(&all.get(identity)?.name));
        let config = metric.provider.plugin.get_mut(PLUGIN).and_then(Value::as_object_mut);
        if let (Some(share), Some(config)) = (share, config) {
            config.insert("alpha".to_owned(), json!(share));
            config.insert("releaseAlpha".to_owned(), json!(alpha.trim()));
        }
    }
    Ok(())
}

/// Everything that is wrong with the budget that the rollout states: where, what, and why.
pub(super) fn problems(subject: &Subject<'_>) -> Vec<(&'static str, Value, String)> {
    let Some(alpha) = sets::annotation(&subject.rollout.metadata, ALPHA) else { return Vec::new() };
    let found = shares(alpha, &comparisons(subject, Hashes::UNKNOWN)).err().unwrap_or_default();
    found.into_iter().map(|problem| (ALPHA_PATH, json!(alpha), problem)).collect()
}

fn shares(
    alpha: &str,
    comparisons: &BTreeMap<String, Comparison>,
) -> Result<BTreeMap<String, f64>, Vec<String>> {
    let named = comparisons.values().map(|found| (found.name.clone(), &found.config));
    budget::share(alpha, &named.collect())
}

/// The comparisons of all analyses of the rollout, by what they are.
fn comparisons(subject: &Subject<'_>, hashes: Hashes<'_>) -> BTreeMap<String, Comparison> {
    let mut found = BTreeMap::<String, Comparison>::new();
    for (path, analysis) in reads::analyses(subject.rollout) {
        // What gives no run is told by those who validate the analysis.
        let Ok(spec) = analysis_run::foreseen(subject, analysis, hashes) else { continue };
        let part = Part::ALL.into_iter().find(|part| path.starts_with(part.path()));
        let place = part.map_or(path.as_str(), |part| part.path());
        for (metric, (identity, config)) in of_spec(place, &spec) {
            let name = free_name(&found, &identity, &metric);
            found.entry(identity).or_insert(Comparison { name, config });
        }
    }
    found
}

/// The metric's name, with a number where others that compare something else have it too.
fn free_name(found: &BTreeMap<String, Comparison>, identity: &str, metric: &str) -> String {
    let others = found.iter().filter(|(other, _)| *other != identity);
    let taken: Vec<&str> = others.map(|(_, comparison)| comparison.name.as_str()).collect();
    let numbered = (2..).map(|number| format!("{metric}.{number}"));
    let mut names = std::iter::once(metric.to_owned()).chain(numbered);
    names.find(|name| !taken.contains(&name.as_str())).unwrap_or_default()
}

/// The comparisons of one run by their metrics' names: what they are, and their settings.
fn of_spec(place: &str, spec: &AnalysisRunSpec) -> BTreeMap<String, (String, Value)> {
    let args = arguments::without_secrets(&spec.args);
    let comparison = |metric: &Metric| {
        let resolved = arguments::resolve_metric(metric, &args).ok()?;
        let config = resolved.provider.plugin.get(PLUGIN)?.clone();
        let identity = format!("{place} {} {}", metric.name, budget::identity(&config));
        Some((metric.name.clone(), (identity, config)))
    };
    spec.metrics.iter().filter_map(comparison).collect()
}

/// The annotations that make a run that compares one of its release, and hand on what runs before it
/// have learned.
pub(super) fn annotations(
    subject: &Subject<'_>,
    part: Part,
    spec: &AnalysisRunSpec,
) -> Vec<(String, String)> {
    let compares = |metric: &&Metric| metric.provider.plugin.contains_key(PLUGIN);
    let comparing = spec.metrics.iter().filter(compares).map(|metric| metric.name.as_str());
    let comparing: BTreeSet<&str> = comparing.collect();
    if comparing.is_empty() {
        return Vec::new();
    }
    let mut learned = learned(subject, part);
    learned.retain(|name, _| comparing.contains(name.as_str()));
    let stable = (STABLE_HASH.to_owned(), subject.stable_hash().to_owned());
    std::iter::once(stable).chain(annotation(learned)).collect()
}

/// What the runs of the release before this one have learned, the newest word of each metric.
///
/// Runs of steps hand it on from step to step. A run of the same step, and of a part that has no steps,
/// hands it on only where it was inconclusive and somebody let it go on. Whoever retries an aborted
/// release wants it judged anew; its steps begin from the front, so its runs do not follow older ones.
fn learned(subject: &Subject<'_>, part: Part) -> BTreeMap<String, Value> {
    let runs = subject.observed.analysis_runs.iter().map(Arc::as_ref);
    let hash = subject.new_hash();
    let mut runs: Vec<&AnalysisRun> =
        runs.filter(|run| is_of_release(subject, run, part, &hash)).collect();
    runs.sort_by_key(|run| Reverse((sets::created(&run.metadata), run.metadata.name.clone())));
    let mut step = subject.step_index();
    let mut learned = BTreeMap::new();
    for run in runs {
        let at = step_of(run).unwrap_or(step);
        let is_inconclusive = super::analysis::phase(run) == AnalysisPhase::Inconclusive;
        if at > step || (at == step && !is_inconclusive) {
            break;
        }
        step = at;
        for (metric, left) in left_by(run) {
            learned.entry(metric).or_insert(left);
        }
    }
    learned
}

fn is_of_release(subject: &Subject<'_>, run: &AnalysisRun, part: Part, hash: &str) -> bool {
    let metadata = &run.metadata;
    sets::label(metadata, keys::POD_TEMPLATE_HASH) == Some(hash)
        && sets::label(metadata, keys::ROLLOUT_TYPE) == Some(part.label())
        && sets::annotation(metadata, STABLE_HASH) == Some(subject.stable_hash())
}

fn step_of(run: &AnalysisRun) -> Option<i32> {
    sets::label(&run.metadata, keys::STEP_INDEX)?.parse().ok()
}
