//! What a rollout that does not get on says of it.

use crate::model::{routed, routed_world};
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
