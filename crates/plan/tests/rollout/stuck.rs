//! What a rollout that does not get on says of it.

use crate::model::{routed, routed_world};
use serde_json::json;

#[test]
fn an_abort_by_the_deadline_is_told_with_and_without_the_revision() {
    let mut world = routed_world(2, &routed(&json!([{"setWeight": 50}])));
    world.edit(&json!({"spec": {"progressDeadlineAbort": true}}));
    world.able.insert("bad".to_owned(), 0);
    world.set_image("bad");
    world.settle();
    let why = format!("ReplicaSet \"shop-{}\" has timed out progressing.", world.hash_of("bad"));
    let told: Vec<&str> = world
        .events
        .iter()
        .filter(|(reason, _)| reason == "RolloutAborted")
        .map(|(_, message)| message.as_str())
        .collect();
    assert_eq!(told, [why.as_str(), &format!("Rollout aborted update to revision 2: {why}")]);
}
