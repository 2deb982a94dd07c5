//! Building an analysis run out of a rollout's analysis and its templates.

use super::{
    release, revision,
    sets::{self, SetExt},
    subject::Subject,
};
use crate::broken::no_run;
use analysis::{field_ref, template};
use api::argo::{
    AnalysisRun, AnalysisRunArgument, AnalysisRunSpec, AnalysisTemplate, Argument,
    ClusterAnalysisTemplate, RolloutAnalysis, keys,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// The part an analysis plays for its rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A step of a canary.
    Step,
    /// Beside the steps of a canary.
    Background,
    /// Before the switch of blue-green.
    PrePromotion,
    /// After the switch of blue-green.
    PostPromotion,
}

impl Part {
    /// Every part.
    pub(crate) const ALL: [Self; 4] =
        [Self::Step, Self::Background, Self::PrePromotion, Self::PostPromotion];

    /// The value of the run's label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Step => keys::ROLLOUT_TYPE_STEP,
            Self::Background => keys::ROLLOUT_TYPE_BACKGROUND,
            Self::PrePromotion => keys::ROLLOUT_TYPE_PRE_PROMOTION,
            Self::PostPromotion => keys::ROLLOUT_TYPE_POST_PROMOTION,
        }
    }

    /// How messages name it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Step => "Step-based",
            Self::Background => "Background",
            Self::PrePromotion => "Blue/green pre-promotion",
            Self::PostPromotion => "Blue/green post-promotion",
        }
    }

    /// Where the spec asks for it.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Step => "spec.strategy.canary.steps",
            Self::Background => "spec.strategy.canary.analysis",
            Self::PrePromotion => "spec.strategy.blueGreen.prePromotionAnalysis",
            Self::PostPromotion => "spec.strategy.blueGreen.postPromotionAnalysis",
        }
    }

    /// Whether it belongs to blue-green.
    pub(crate) fn is_blue_green(self) -> bool {
        matches!(self, Self::PrePromotion | Self::PostPromotion)
    }

    fn suffix(self, step: i32) -> String {
        match self {
            Self::Step => format!("-{step}"),
            Self::Background => String::new(),
            Self::PrePromotion => "-pre".to_owned(),
            Self::PostPromotion => "-post".to_owned(),
        }
    }
}

/// A run that is wanted.
pub(crate) enum Built {
    /// It has to be made.
    New(AnalysisRun),
    /// It was made already, though the status does not know yet.
    There(AnalysisRun),
}

/// Builds the run for `part`.
///
/// # Errors
/// Why the templates or arguments give no run.
pub(crate) fn build(
    subject: &Subject<'_>,
    part: Part,
    analysis: &RolloutAnalysis,
) -> Result<Built, String> {
    let new = subject.new_set().ok_or("the new ReplicaSet is not there")?;
    let stable = subject.stable_set().map_or("", SetExt::hash);
    let hashes = Hashes { stable, latest: new.hash() };
    let mut spec = spec(subject, analysis, hashes, field_ref::rollout_arguments)?;
    release::share(subject, part, &mut spec, hashes)?;
    let mut metadata = metadata(subject, part, analysis, new.hash());
    let of_release = release::annotations(subject, part, &spec);
    metadata.annotations.get_or_insert_default().extend(of_release);
    let mut run = AnalysisRun { metadata, spec, status: None };
    let base = run.metadata.name.clone().unwrap_or_default();
    for attempt in 1.. {
        let taken = subject
            .observed
            .analysis_runs
            .iter()
            .find(|found| found.metadata.name == run.metadata.name);
        match taken {
            Some(found) if is_same(found, &run) => {
                return Ok(Built::There(AnalysisRun::clone(found)));
            }
            None if !is_foreign(subject, &run) => break,
            _ => run.metadata.name = Some(format!("{base}.{attempt}")),
        }
    }
    Ok(Built::New(run))
}

fn is_foreign(subject: &Subject<'_>, wanted: &AnalysisRun) -> bool {
    let taken = &subject.observed.taken_runs;
    wanted.metadata.name.as_ref().is_some_and(|name| taken.contains(name))
}

fn is_same(found: &AnalysisRun, wanted: &AnalysisRun) -> bool {
    let (one, other) = (&found.spec, &wanted.spec);
    !super::analysis::phase(found).completed()
        && !one.terminate
        && one.metrics == other.metrics
        && one.args == other.args
        && one.dry_run == other.dry_run
        && one.measurement_retention == other.measurement_retention
}

/// What a run would measure, as far as that can be known before there is anything to measure.
///
/// # Errors
/// The sentence of what can never fit.
pub(crate) fn foreseen(
    subject: &Subject<'_>,
    analysis: &RolloutAnalysis,
    hashes: Hashes<'_>,
) -> Result<AnalysisRunSpec, String> {
    spec(subject, analysis, hashes, field_ref::rollout_arguments_so_far)
}

/// Which versions a run is about.
#[derive(Clone, Copy)]
pub(crate) struct Hashes<'a> {
    /// Of the stable version.
    pub(crate) stable: &'a str,
    /// Of the new version.
    pub(crate) latest: &'a str,
}

impl Hashes<'static> {
    /// In place of versions that are not there yet, as upstream validates.
    pub(crate) const UNKNOWN: Self = Self { stable: "dummy-stable-hash", latest: "dummy-new-hash" };
}

/// How arguments are worked out.
type Resolve = fn(
    &[AnalysisRunArgument],
    field_ref::Subject<'_>,
) -> Result<Vec<Argument>, field_ref::FieldRefError>;

/// What a run measures: templates merged, arguments resolved with the hashes of stable and new.
fn spec(
    subject: &Subject<'_>,
    analysis: &RolloutAnalysis,
    hashes: Hashes<'_>,
    resolve: Resolve,
) -> Result<AnalysisRunSpec, String> {
    let rollout = serde_json::to_value(subject.rollout).map_err(|error| error.to_string())?;
    let fields = field_ref::Subject {
        stable_hash: hashes.stable,
        latest_hash: hashes.latest,
        rollout: &rollout,
    };
    let args = resolve(&analysis.args, fields).map_err(|error| error.to_string())?;
    let templates: Vec<&AnalysisTemplate> = subject.observed.templates.values().flatten().collect();
    let cluster: Vec<&ClusterAnalysisTemplate> =
        subject.observed.cluster_templates.values().flatten().collect();
    let merged = template::merge(&analysis.templates, &templates, &cluster)
        .map_err(|error| no_run(&subject.observed.broken, &error))?;
    template::run_spec(merged, &args, analysis).map_err(|error| error.to_string())
}

fn metadata(
    subject: &Subject<'_>,
    part: Part,
    analysis: &RolloutAnalysis,
    hash: &str,
) -> ObjectMeta {
    let revision = subject.revision();
    let index = subject.step_index();
    let mut labels = BTreeMap::from([
        (keys::POD_TEMPLATE_HASH.to_owned(), hash.to_owned()),
        (keys::ROLLOUT_TYPE.to_owned(), part.label().to_owned()),
    ]);
    if part == Part::Step {
        labels.insert(keys::STEP_INDEX.to_owned(), index.to_string());
    }
    let instance = sets::label(&subject.rollout.metadata, keys::CONTROLLER_INSTANCE_ID);
    labels.extend(instance.map(|id| (keys::CONTROLLER_INSTANCE_ID.to_owned(), id.to_owned())));
    let mut annotations = BTreeMap::from([(keys::REVISION.to_owned(), revision.to_string())]);
    if let Some(extra) = &analysis.analysis_run_metadata {
        labels.extend(extra.labels.clone());
        annotations.extend(extra.annotations.clone());
    }
    labels.extend(subject.selector().match_labels.clone().unwrap_or_default());
    ObjectMeta {
        name: Some(format!("{}-{hash}-{revision}{}", subject.name(), part.suffix(index))),
        namespace: Some(subject.namespace().to_owned()),
        labels: Some(labels),
        annotations: Some(annotations),
        owner_references: Some(vec![revision::owner(subject)]),
        ..ObjectMeta::default()
    }
}
