//! One pass over blue-green.
//!
//! Start with [`pass`]. The preview service shows the new version at once; users get it by one switch of
//! the active service when everything asked for has come true, and get the stable version back by the same
//! switch when the update is aborted.

use super::{
    analysis::{self, current, is_saturated, phase},
    analysis_run::Part,
    draft::Draft,
    old_sets, promote, roles, scaling, services,
    sets::{SetExt, total_actual, total_available},
    status,
    subject::Subject,
    waits::Wait,
};
use api::argo::{AnalysisPhase, BlueGreenStrategy, keys};
use jiff::SignedDuration;

/// Plans blue-green.
pub(crate) fn pass(subject: &Subject<'_>, strategy: &BlueGreenStrategy, draft: &mut Draft) {
    status::begin(subject, draft);
    if let (Some(preview), Some(new)) = (&strategy.preview_service, subject.new_set())
        && !subject.is_halted()
    {
        services::switch(subject, preview, new.hash(), draft);
    }
    if !subject.template_changed() {
        switch_active(subject, strategy, draft);
        roles::prepare(subject, draft);
        // Both versions follow the number of pods wanted, as under an autoscaler, while the switch is held up.
        scaling::reconcile_blue_green(subject, draft);
        old_sets::retain(subject, draft);
        reconcile_pause(subject, strategy, draft);
        analysis::reconcile(subject, draft);
        roles::reconcile(subject, draft);
    }
    conclude(subject, strategy, draft);
}

/// Scales only, because the number of pods wanted changed.
pub(crate) fn rescale(subject: &Subject<'_>, draft: &mut Draft) {
    draft.status = subject.status.clone();
    draft.pause.leave();
    scaling::reconcile_blue_green(subject, draft);
    count(subject, draft);
}

/// Whether nothing has to be waited for before the switch.
fn is_fast_tracked(subject: &Subject<'_>, strategy: &BlueGreenStrategy) -> bool {
    let active = services::selected(subject, &strategy.active_service);
    subject.is_fast_rollback()
        || subject.status.promote_full
        || active.is_none()
        || active == subject.new_set().map(SetExt::hash)
}

fn reconcile_pause(subject: &Subject<'_>, strategy: &BlueGreenStrategy, draft: &mut Draft) {
    if draft.pause.is_aborted(&subject.status)
        || !is_at_target(subject, draft)
        || subject.is_halted()
    {
        return;
    }
    let managed =
        strategy.auto_promotion_enabled == Some(false) || strategy.auto_promotion_seconds > 0;
    let passed = subject.status.blue_green.scale_up_preview_check_point;
    if is_fast_tracked(subject, strategy) || passed || !managed {
        return draft.pause.remove(keys::PAUSE_BLUE_GREEN);
    }
    if !is_pre_promotion_done(subject, strategy) {
        return;
    }
    if subject.pause(keys::PAUSE_BLUE_GREEN).is_some() {
        if is_pause_over(subject, strategy, draft) {
            draft.pause.remove(keys::PAUSE_BLUE_GREEN);
        }
    } else if !subject.status.controller_pause {
        draft.pause.add(keys::PAUSE_BLUE_GREEN);
    }
}

/// Whether the new version has as many pods as it may have now.
fn is_at_target(subject: &Subject<'_>, draft: &Draft) -> bool {
    let target = scaling::blue_green_target(subject, draft);
    subject.new_set().is_some_and(|set| set.wanted() == target && set.available() == target)
}

fn is_pre_promotion_done(subject: &Subject<'_>, strategy: &BlueGreenStrategy) -> bool {
    let run = current(subject, Part::PrePromotion);
    strategy.pre_promotion_analysis.is_none()
        || run.is_some_and(|run| phase(run) == AnalysisPhase::Successful)
}

/// Whether the pause before the switch is over: its time has passed, or somebody resumed it.
fn is_pause_over(subject: &Subject<'_>, strategy: &BlueGreenStrategy, draft: &Draft) -> bool {
    if draft.pause.adds() {
        return false;
    }
    if subject.status.blue_green.scale_up_preview_check_point {
        return true;
    }
    let started = subject.pause(keys::PAUSE_BLUE_GREEN);
    let resumed = subject.status.controller_pause && started.is_none();
    if strategy.auto_promotion_enabled == Some(false) {
        return resumed;
    }
    let delay = SignedDuration::from_secs(i64::from(strategy.auto_promotion_seconds));
    let passed = started
        .and_then(|started| started.checked_add(delay).ok())
        .is_some_and(|end| end <= subject.now);
    delay <= SignedDuration::ZERO || resumed || passed
}

/// Moves users: forward when everything is ready, back at once after an abort.
fn switch_active(subject: &Subject<'_>, strategy: &BlueGreenStrategy, draft: &mut Draft) {
    let Some(new) = subject.new_set() else { return };
    let service = strategy.active_service.as_str();
    if draft.pause.is_aborted(&subject.status) && !subject.stable_hash().is_empty() {
        return switch_back(subject, service, draft);
    }
    if subject.is_halted() {
        return;
    }
    if let Some(stable) = subject.distinct_stable().filter(|set| set.available() > 0)
        && services::selected(subject, service).is_none()
    {
        // A service that is taken over, as after a change of strategy, keeps its users where they are.
        return services::switch(subject, service, stable.hash(), draft);
    }
    if !is_saturated(subject) {
        return;
    }
    let active = services::selected(subject, service).unwrap_or_default();
    let ready = is_fast_tracked(subject, strategy)
        || (is_pause_over(subject, strategy, draft) && is_pre_promotion_done(subject, strategy));
    let hash = if ready { new.hash() } else { active };
    services::switch(subject, service, hash, draft);
}

fn switch_back(subject: &Subject<'_>, service: &str, draft: &mut Draft) {
    let Some(stable) = subject.stable_set() else { return };
    if services::selected(subject, service) == Some(stable.hash()) {
        return;
    }
    let needed = subject.least_on_return();
    if stable.available() < needed {
        let replica_set = stable.name().to_owned();
        return draft.wait(Wait::Stable { replica_set, available: stable.available(), needed });
    }
    services::switch(subject, service, stable.hash(), draft);
}

/// Works out the status, and promotes.
fn conclude(subject: &Subject<'_>, strategy: &BlueGreenStrategy, draft: &mut Draft) {
    if subject.template_changed() {
        status::reset(subject, draft);
    }
    if subject.status.promote_full || subject.is_rollback_within_window() {
        draft.pause.clear();
        draft.pause.remove_abort();
    }
    let selected = |name: &str| services::selected(subject, name).map(str::to_owned);
    draft.status.blue_green.preview_selector =
        strategy.preview_service.as_deref().and_then(selected);
    draft.status.blue_green.active_selector = selected(&strategy.active_service);
    match promote::reason(subject, None, draft) {
        Some(reason) => promote::promote(subject, &reason, draft),
        None => {
            draft.status.blue_green.scale_up_preview_check_point =
                check_point(subject, strategy, draft);
        }
    }
    count(subject, draft);
    explain(subject, strategy, draft);
}

/// Whether the preview may grow to full size; once true it stays until promotion or a new template.
fn check_point(subject: &Subject<'_>, strategy: &BlueGreenStrategy, draft: &Draft) -> bool {
    let Some(preview) = strategy.preview_replica_count.filter(|_| !subject.template_changed())
    else {
        return false;
    };
    let available = subject.new_set().is_some_and(|set| set.available() == preview);
    let done = is_pre_promotion_done(subject, strategy) && is_pause_over(subject, strategy, draft);
    subject.status.blue_green.scale_up_preview_check_point || (done && available)
}

/// Counts what users reach, so that an autoscaler sees nothing else.
fn count(subject: &Subject<'_>, draft: &mut Draft) {
    let active = draft.status.blue_green.active_selector.clone().unwrap_or_default();
    if let Some(set) = subject.set_of(&active) {
        draft.status.hpa_replicas = set.actual();
        draft.status.available_replicas = set.available();
        draft.status.ready_replicas = set.ready();
        draft.status.selector = set.spec.as_ref().map(|spec| status::selector_text(&spec.selector));
    } else {
        draft.status.hpa_replicas = total_actual(subject.sets());
        draft.status.available_replicas = total_available(subject.sets());
        draft.status.selector = Some(status::selector_text(subject.selector()));
    }
}

fn explain(subject: &Subject<'_>, strategy: &BlueGreenStrategy, draft: &mut Draft) {
    let Some(new) = subject.new_set() else { return };
    let promoted = draft.status.stable_rs == draft.status.current_pod_hash;
    let target = scaling::blue_green_target(subject, draft);
    scaling::wait_for_pods(subject, new, target, draft);
    if promoted || draft.pause.is_aborted(&subject.status) {
        return;
    }
    let run = |part: Part| current(subject, part).and_then(|run| run.metadata.name.clone());
    let is_active = services::selected(subject, &strategy.active_service) == Some(new.hash());
    if is_active && strategy.post_promotion_analysis.is_some() {
        draft.wait(Wait::PostPromotion { run: run(Part::PostPromotion) });
        analysis::explain(subject, Part::PostPromotion, draft);
    } else if !is_active && !is_pre_promotion_done(subject, strategy) {
        draft.wait(Wait::PrePromotion { run: run(Part::PrePromotion) });
        analysis::explain(subject, Part::PrePromotion, draft);
    }
}
