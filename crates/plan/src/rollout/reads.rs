//! What has to be gathered before a rollout can be planned.

use super::{Observed, routes, sets::SetExt};
use api::argo::{AnalysisTemplateRef, AnalysisTemplateSpec, Rollout, RolloutAnalysis};
use routers::{Context, Objects, ROUTERS, Router};
use serde_json::Value;
use std::collections::BTreeSet;
use vocab::{ObjectRef, Reason};

/// The objects a plan rests on, besides the ReplicaSets, pods and analysis runs of the rollout itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Names of services in the rollout's namespace; their EndpointSlices are needed too.
    pub services: BTreeSet<String>,
    /// Objects that traffic routers read.
    pub objects: BTreeSet<ObjectRef>,
    /// Names of `AnalysisTemplates` in the rollout's namespace; see [`nested_templates`].
    pub templates: BTreeSet<String>,
    /// Names of `ClusterAnalysisTemplates`; see [`nested_templates`].
    pub cluster_templates: BTreeSet<String>,
    /// The workload that supplies the pod template.
    pub workload: Option<ObjectRef>,
}

/// What `rollout` refers to. Templates may refer to further templates: ask [`nested_templates`] of each.
pub fn reads(rollout: &Rollout) -> Reads {
    let mut reads =
        Reads { services: services(rollout), objects: objects(rollout), ..Reads::default() };
    for (_, analysis) in analyses(rollout) {
        add_templates(&analysis.templates, &mut reads);
    }
    reads.workload = rollout.spec.workload_ref.as_ref().map(|workload| {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        ObjectRef::new(
            &text(&workload.api_version),
            &text(&workload.kind),
            namespace(rollout),
            &text(&workload.name),
        )
    });
    reads
}

/// The templates that a template takes in; only the template fields of the result are set.
pub fn nested_templates(template: &AnalysisTemplateSpec) -> Reads {
    let mut reads = Reads::default();
    add_templates(&template.templates, &mut reads);
    reads
}

/// The ReplicaSet that the status calls stable, unless it is among those that were seen. Where it is gone the
/// next version is the first one, and gets all pods at once: better make sure that it is.
pub fn unseen_stable(observed: &Observed) -> Option<ObjectRef> {
    let rollout = &observed.rollout;
    let hash = rollout.status.as_ref()?.stable_rs.as_ref().filter(|hash| !hash.is_empty())?;
    if observed.replica_sets.iter().any(|set| set.hash() == hash) {
        return None;
    }
    let name = format!("{}-{hash}", rollout.metadata.name.as_deref()?);
    Some(ObjectRef::new("apps/v1", "ReplicaSet", namespace(rollout), &name))
}

fn add_templates(references: &[AnalysisTemplateRef], reads: &mut Reads) {
    for reference in references {
        let names = if reference.cluster_scope == Some(true) {
            &mut reads.cluster_templates
        } else {
            &mut reads.templates
        };
        names.insert(reference.template_name.clone());
    }
}

/// The services a rollout names, with the field that names them.
pub(crate) fn named_services(rollout: &Rollout) -> Vec<(&'static str, &str)> {
    let strategy = &rollout.spec.strategy;
    let mut named: Vec<(&'static str, Option<&str>)> = Vec::new();
    if let Some(blue_green) = &strategy.blue_green {
        named.push(("spec.strategy.blueGreen.activeService", Some(&blue_green.active_service)));
        named.push((
            "spec.strategy.blueGreen.previewService",
            blue_green.preview_service.as_deref(),
        ));
    } else if let Some(canary) = &strategy.canary {
        named.push(("spec.strategy.canary.stableService", canary.stable_service.as_deref()));
        named.push(("spec.strategy.canary.canaryService", canary.canary_service.as_deref()));
    }
    named
        .into_iter()
        .filter_map(|(path, name)| Some((path, name.filter(|name| !name.is_empty())?)))
        .collect()
}

fn services(rollout: &Rollout) -> BTreeSet<String> {
    named_services(rollout).into_iter().map(|(_, name)| name.to_owned()).collect()
}

/// Every analysis a rollout asks for, with the path of its templates.
pub fn analyses(rollout: &Rollout) -> Vec<(String, &RolloutAnalysis)> {
    let strategy = &rollout.spec.strategy;
    let mut found = Vec::new();
    if let Some(blue_green) = &strategy.blue_green {
        let pre = blue_green.pre_promotion_analysis.as_ref();
        let post = blue_green.post_promotion_analysis.as_ref();
        found.extend(pre.map(|analysis| {
            ("spec.strategy.blueGreen.prePromotionAnalysis.templates".to_owned(), analysis)
        }));
        found.extend(post.map(|analysis| {
            ("spec.strategy.blueGreen.postPromotionAnalysis.templates".to_owned(), analysis)
        }));
    } else if let Some(canary) = &strategy.canary {
        for (index, step) in canary.steps.iter().enumerate() {
            let path = || format!("spec.strategy.canary.steps[{index}].analysis.templates");
            found.extend(step.analysis.as_deref().map(|analysis| (path(), analysis)));
        }
        let background = canary.analysis.as_ref().map(|background| &background.analysis);
        found.extend(
            background
                .map(|analysis| ("spec.strategy.canary.analysis.templates".to_owned(), analysis)),
        );
    }
    found
}

fn objects(rollout: &Rollout) -> BTreeSet<ObjectRef> {
    let Some(config) = routing_config(rollout) else {
        return BTreeSet::new();
    };
    let read = |router: &&'static dyn Router| {
        with_context(rollout, &config, |context| router.reads(context))
    };
    configured_routers(&config).iter().filter_map(|router| read(router).ok()).flatten().collect()
}

/// `trafficRouting` as on the wire.
pub(crate) fn routing_config(rollout: &Rollout) -> Option<Value> {
    let routing = rollout.spec.strategy.canary.as_ref()?.traffic_routing.as_ref()?;
    serde_json::to_value(routing).ok()
}

/// The routers that `trafficRouting` asks for.
pub(crate) fn configured_routers(config: &Value) -> Vec<&'static dyn Router> {
    ROUTERS.iter().copied().filter(|router| router.is_configured(config)).collect()
}

/// What the configured routers find wrong with their configuration.
pub(crate) fn router_problems(rollout: &Rollout, config: &Value) -> Vec<Reason> {
    let routers = configured_routers(config);
    routers
        .iter()
        .filter_map(|router| with_context(rollout, config, |context| router.reads(context)).err())
        .flatten()
        .collect()
}

/// What the configured routers find wrong with the objects that it names.
pub(crate) fn object_problems(rollout: &Rollout, objects: &Objects) -> Vec<Reason> {
    let Some(config) = routing_config(rollout) else { return Vec::new() };
    let find = |router: &'static dyn Router| {
        with_context(rollout, &config, |context| router.problems(context, objects))
    };
    configured_routers(&config).into_iter().flat_map(find).collect()
}

/// Calls `act` with the facts routers need.
pub(crate) fn with_context<T>(
    rollout: &Rollout,
    config: &Value,
    act: impl FnOnce(&Context<'_>) -> T,
) -> T {
    let canary = rollout.spec.strategy.canary.as_ref();
    let name = |service: Option<&Option<String>>| service.cloned().flatten().unwrap_or_default();
    let stable_service = name(canary.map(|canary| &canary.stable_service));
    let canary_service = name(canary.map(|canary| &canary.canary_service));
    let target = rollout_ref(rollout);
    let steps = routes::of_all_steps(rollout);
    act(&Context {
        rollout: &target,
        uid: rollout.metadata.uid.as_deref().unwrap_or_default(),
        config,
        stable_service: &stable_service,
        canary_service: &canary_service,
        steps: &steps,
    })
}

/// The rollout's own reference.
pub(crate) fn rollout_ref(rollout: &Rollout) -> ObjectRef {
    ObjectRef::new(
        api::argo::API_VERSION,
        "Rollout",
        namespace(rollout),
        rollout.metadata.name.as_deref().unwrap_or_default(),
    )
}

fn namespace(rollout: &Rollout) -> &str {
    rollout.metadata.namespace.as_deref().unwrap_or_default()
}
