//! What the analyses of one release have in common: an error budget, and what their judges have learned.
//!
//! A release is a new version beside a stable one: it begins anew when either changes. Its budget is
//! stated by the rollout, and shared by all comparisons that its analyses ask for. A comparison that
//! several steps ask for is one: each step goes on from what the step before has left, so it has one part
//! of the budget and no look is counted twice.

use super::{
    analysis_run::{self, Hashes, Part},
    reads, sets, spent,
    subject::Subject,
};
use crate::analysis_run::{annotation, left_by};
use analysis::arguments;
use api::argo::{AnalysisRun, AnalysisRunSpec, Metric, keys};
use providers::budget::{self, PLUGIN, Spent};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

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
    let spent = spent::of(subject, Some(part));
    let shares = shares(alpha, &all, &spent).map_err(|problems| problems.join("; "))?;
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

/// Everything that is wrong with the budget that the rollout states: where, what, and why. What a release
/// has given already does not keep it from being aborted.
pub(super) fn problems(subject: &Subject<'_>) -> Vec<(&'static str, Value, String)> {
    let Some(alpha) = sets::annotation(&subject.rollout.metadata, ALPHA) else { return Vec::new() };
    let spent =
        if subject.status.abort { spent::Ledger::default() } else { spent::of(subject, None) };
    let latest = subject.new_hash();
    let hashes = if spent.is_empty() {
        Hashes::UNKNOWN
    } else {
        Hashes { stable: subject.stable_hash(), latest: &latest }
    };
    let found = shares(alpha, &comparisons(subject, hashes), &spent).err().unwrap_or_default();
    found.into_iter().map(|problem| (ALPHA_PATH, json!(alpha), problem)).collect()
}

fn shares(
    alpha: &str,
    comparisons: &BTreeMap<String, Comparison>,
    ledger: &spent::Ledger,
) -> Result<BTreeMap<String, f64>, Vec<String>> {
    let named = comparisons.values().map(|found| (found.name.clone(), &found.config));
    let marks = comparisons.iter().map(|(identity, found)| (budget::mark(identity), &found.name));
    let marks: BTreeMap<String, &String> = marks.collect();
    let mut spent = Spent::default();
    for (mark, given) in ledger {
        match marks.get(mark) {
            Some(name) => drop(spent.kept.insert((*name).clone(), given.alpha)),
            None => spent.gone.push((given.metric.clone(), given.alpha)),
        }
    }
    budget::share(alpha, &named.collect(), &spent)
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
/// have learned and what the release has given of its budget.
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
    let own = of_spec(part.path(), spec).into_iter();
    let own = own.map(|(metric, (identity, config))| {
        let alpha = budget::alpha(&config);
        (budget::mark(&identity), spent::Given { metric, alpha })
    });
    let spent = spent::annotation(subject, part, own.collect());
    [stable, spent].into_iter().chain(annotation(learned)).collect()
}

/// What the runs of the release before this one have learned, the newest word of each metric.
///
/// Runs of steps hand it on from step to step. A run of the same step, and of a part that has no steps,
/// hands it on only where it was inconclusive and somebody let it go on. Whoever retries an aborted
/// release wants it judged anew; its steps begin from the front, so its runs do not follow older ones.
fn learned(subject: &Subject<'_>, part: Part) -> BTreeMap<String, Value> {
    let is_of_part =
        |run: &&AnalysisRun| sets::label(&run.metadata, keys::ROLLOUT_TYPE) == Some(part.label());
    let mut learned = BTreeMap::new();
    for run in spent::attempt(subject, Some(part)).into_iter().filter(is_of_part) {
        for (metric, left) in left_by(run) {
            learned.entry(metric).or_insert(left);
        }
    }
    learned
}
