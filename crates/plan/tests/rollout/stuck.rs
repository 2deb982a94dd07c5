//! What a rollout that does not get on says of it.

use crate::model::{routed, routed_world};
use jiff::SignedDuration;
use serde_json::json;

#[test]
fn an_aborted_rollout_says_what_keeps_its_users() {
    let mut strategy = routed(&json!([{"setWeight": 80}, {"pause": {}}]));
    strategy["canary"]["dynamicStableScale"] = json!(true);
    let mut world = routed_world(5, &strategy);
    world.set_image("v2");
    world.settle();
    assert_eq!(world.pods("v1"), 1);
    world.able.insert("v1".to_owned(), 1);
    world.edit(&json!({"status": {"abort": true}}));
    world.run_for(20);
    let aborted = "RolloutAborted: Rollout aborted update to revision 2";
    assert_eq!(world.outcome().message, aborted, "patience comes first");
    world.run_for(20);
    let message = world.outcome().message;
    assert!(message.starts_with(&format!("{aborted}: ")), "{message}");
    assert!(message.contains(" pods available"), "{message}");
    world.able.clear();
    world.settle();
    assert_eq!(world.outcome().message, aborted, "{:#?}", world.status());
}

/// Whether a release whose pods do not come is aborted an hour after its last progress, by a controller that came
/// back so many seconds before.
fn is_aborted_after(attended_for: i64) -> bool {
    let mut world = routed_world(2, &routed(&json!([{"setWeight": 50}])));
    world.edit(&json!({"spec": {"progressDeadlineAbort": true, "progressDeadlineSeconds": 60}}));
    world.able.insert("slow".to_owned(), 0);
    world.set_image("slow");
    world.run_for(10);
    let now = world.now + SignedDuration::from_hours(1);
    let mut observed = world.observed();
    observed.attended_since = Some(now - SignedDuration::from_secs(attended_for));
    let status = plan::rollout::plan(&observed, now).status;
    status.is_some_and(|status| format!("{status:?}").contains("RolloutAborted"))
}

#[test]
fn time_without_a_controller_is_not_held_against_a_release() {
    assert!(!is_aborted_after(1));
    assert!(!is_aborted_after(60));
    assert!(is_aborted_after(62));
    assert!(is_aborted_after(7200));
}
