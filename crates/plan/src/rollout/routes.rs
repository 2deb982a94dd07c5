//! The header routes and mirrors that a router should hold now.
//!
//! Start with [`wanted`]. What stands follows from the steps so far, the state of the release and the pods
//! of the new version alone: a route leads nobody to a version without endpoints, and none outlives its
//! release.

use super::{
    draft::Draft,
    services,
    sets::SetExt,
    subject::Subject,
    targets::canary_targets,
    traffic::View,
    waits::Wait,
    weights::{Desired, Urgency},
};
use api::argo::{CanaryStep, Rollout, RouteMatch, SetHeaderRoute, SetMirrorRoute, StringMatch};
use vocab::{ManagedKind, ManagedRoute, NamedText, RequestMatch, TextMatch};

/// The share of requests that a mirror copies when its step does not say.
const ALL: i32 = 100;

/// Whether the new version may be reached by a route.
enum Door {
    Open,
    /// It shall have no pods now; the route comes with the first of them.
    Nobody,
    Closed(Option<Wait>),
}

/// The routes that should stand, in the order of `managedRoutes`.
pub(crate) fn wanted(
    subject: &Subject<'_>,
    view: &View,
    desired: &Desired,
    draft: &mut Draft,
) -> Vec<ManagedRoute> {
    if is_over(subject, draft) || desired.urgency == Urgency::CanaryGone {
        return Vec::new();
    }
    let asked = asked(subject);
    if asked.is_empty() {
        return asked;
    }
    match door(subject, view) {
        Door::Open => asked,
        Door::Nobody => Vec::new(),
        Door::Closed(wait) => {
            if let Some(wait) = wait {
                draft.wait(wait);
            }
            Vec::new()
        }
    }
}

/// Whether the routes of the steps so far, the present one included, stand as they should.
pub(crate) fn are_made(subject: &Subject<'_>, view: Option<&View>) -> bool {
    let Some(view) = view else { return true };
    match door(subject, view) {
        Door::Open => view.holds(subject, &asked(subject)),
        Door::Nobody => true,
        Door::Closed(_) => false,
    }
}

/// Whether the steps have no say any more, or have none yet.
fn is_over(subject: &Subject<'_>, draft: &Draft) -> bool {
    subject.is_fully_promoted()
        || subject.distinct_stable().is_none()
        || subject.status.promote_full
        || subject.is_rollback_within_window()
        || draft.pause.is_aborted(&subject.status)
}

fn door(subject: &Subject<'_>, view: &View) -> Door {
    let Some(new) = subject.new_set() else { return Door::Nobody };
    if canary_targets(subject, view.in_force(subject)).canary == 0 {
        return Door::Nobody;
    }
    if new.available() == 0 {
        return Door::Closed(None);
    }
    let service = subject.canary().and_then(|canary| canary.canary_service.as_deref());
    let service = service.unwrap_or_default();
    let selects = services::selected(subject, service).unwrap_or_default();
    if selects != new.hash() {
        return Door::Closed(Some(Wait::Service {
            service: service.to_owned(),
            selects: selects.to_owned(),
            wanted: new.hash().to_owned(),
            because: "its pods are not available".to_owned(),
        }));
    }
    let visible = services::visible(subject, service, new.hash());
    if visible == 0 {
        let hash = new.hash().to_owned();
        let wait = Wait::Endpoints { service: service.to_owned(), hash, visible, needed: 1 };
        return Door::Closed(Some(wait));
    }
    Door::Open
}

/// What the steps so far have asked for and not taken back.
fn asked(subject: &Subject<'_>) -> Vec<ManagedRoute> {
    let so_far: Vec<&CanaryStep> = subject.steps_so_far().collect();
    let mut standing: Vec<ManagedRoute> = Vec::new();
    for named in so_far.into_iter().rev().flat_map(of_step) {
        standing.retain(|route| route.name != named.0);
        standing.extend(named.1);
    }
    let managed = subject.canary().and_then(|canary| canary.traffic_routing.as_ref());
    let managed = managed.map_or(&[][..], |routing| routing.managed_routes.as_slice());
    let place = |route: &ManagedRoute| managed.iter().position(|found| found.name == route.name);
    standing.sort_by_key(place);
    standing
}

/// Every route that some step of a rollout asks for.
pub(crate) fn of_all_steps(rollout: &Rollout) -> Vec<ManagedRoute> {
    let steps = rollout.spec.strategy.canary.iter().flat_map(|canary| &canary.steps);
    steps.flat_map(of_step).filter_map(|(_, route)| route).collect()
}

/// The routes that a step names, each with what it makes of it: nothing when the step takes it back.
fn of_step(step: &CanaryStep) -> impl Iterator<Item = (String, Option<ManagedRoute>)> {
    let header = step.set_header_route.as_deref().map(header_route);
    let mirror = step.set_mirror_route.as_deref().map(mirror_route);
    header.into_iter().chain(mirror)
}

fn header_route(route: &SetHeaderRoute) -> (String, Option<ManagedRoute>) {
    let header = |wanted: &api::argo::HeaderRoutingMatch| {
        Some(NamedText { name: wanted.header_name.clone(), value: text(&wanted.header_value)? })
    };
    let headers = route.match_.iter().filter_map(header).collect();
    let name = route.name.clone().unwrap_or_default();
    let made = ManagedRoute { name: name.clone(), kind: ManagedKind::Header(headers) };
    (name, Some(made).filter(|_| !route.match_.is_empty()))
}

fn mirror_route(route: &SetMirrorRoute) -> (String, Option<ManagedRoute>) {
    let matches = route.match_.iter().map(request).collect();
    let percent = route.percentage.unwrap_or(ALL).clamp(0, ALL);
    let percent = u8::try_from(percent).unwrap_or(u8::MAX);
    let kind = ManagedKind::Mirror { matches, percent };
    let made = ManagedRoute { name: route.name.clone(), kind };
    (route.name.clone(), Some(made).filter(|_| !route.match_.is_empty()))
}

fn request(wanted: &RouteMatch) -> RequestMatch {
    let header = |(name, value): (&String, &StringMatch)| {
        Some(NamedText { name: name.clone(), value: text(value)? })
    };
    RequestMatch {
        method: wanted.method.as_ref().and_then(|method| method.exact.clone()),
        path: wanted.path.as_ref().and_then(text),
        headers: wanted.headers.iter().filter_map(header).collect(),
    }
}

/// What a match says; validation has refused one that says nothing.
fn text(found: &StringMatch) -> Option<TextMatch> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let exact = given(&found.exact).map(TextMatch::Exact);
    exact
        .or_else(|| given(&found.prefix).map(TextMatch::Prefix))
        .or_else(|| given(&found.regex).map(TextMatch::Pattern))
}
