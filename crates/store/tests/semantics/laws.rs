//! Laws that hold for any input.

use proptest::prelude::*;
use serde_json::{Value, json};
use store::Patch;

use crate::{Cluster, by, widgets};

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (0..5_i64).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-d]", tree(), 0..4).prop_map(|map| json!(map))
}

fn cluster() -> Cluster {
    let mut cluster = Cluster::new();
    let open = json!({"type": "object", "properties": {
        "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    }});
    cluster.make("customresourcedefinitions", widgets(&open));
    cluster
}

fn widget(spec: &Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec})
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn applying_twice_is_applying_once(one in object(), two in object()) {
        let mut cluster = cluster();
        cluster.apply("widgets", widget(&one), &by("one")).unwrap();
        let first = cluster.apply("widgets", widget(&two), &by("one")).unwrap();
        let second = cluster.apply("widgets", widget(&two), &by("one")).unwrap();
        prop_assert_eq!(first.object.value(), second.object.value());
    }

    #[test]
    fn the_only_applier_gets_exactly_its_leaves(one in object(), two in object()) {
        let mut cluster = cluster();
        cluster.apply("widgets", widget(&one), &by("one")).unwrap();
        let written = cluster.apply("widgets", widget(&two), &by("one")).unwrap();
        let spec = &written.object.value()["spec"];
        prop_assert_eq!(spec.as_object().map(serde_json::Map::len), two.as_object().map(serde_json::Map::len));
    }

    #[test]
    fn a_merge_patch_of_an_object_onto_itself_changes_nothing(one in object()) {
        let mut cluster = cluster();
        let made = cluster.make("widgets", widget(&one));
        let again = cluster.patch("widgets", "w", Patch::Merge(widget(&one))).unwrap();
        prop_assert_eq!(made.resource_version(), again.object.resource_version());
    }

    #[test]
    fn what_was_pruned_and_defaulted_once_stays_as_it_is(one in object()) {
        let mut cluster = Cluster::new();
        let inner = json!({"type": "object", "properties": {"a": {"type": "integer", "default": 3}}});
        let closed = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "b": inner, "c": {"x-kubernetes-preserve-unknown-fields": true},
            "d": {"type": "array", "items": inner, "default": [{}]},
        }}}});
        cluster.make("customresourcedefinitions", widgets(&closed));
        if let Ok(written) = cluster.create("widgets", widget(&one)) {
            let again = cluster.update("widgets", written.object.value().clone()).unwrap();
            prop_assert_eq!(written.object.resource_version(), again.object.resource_version());
        }
    }

    #[test]
    fn a_plain_write_owns_each_field_once(one in object(), two in object()) {
        let mut cluster = cluster();
        let made = cluster.make("widgets", widget(&one));
        let address = Cluster::address("widgets", "w");
        let mut body = widget(&two);
        body["metadata"]["resourceVersion"] = json!(made.resource_version().to_string());
        let written = cluster.store.update(&address, body, &by("other"), cluster.now).unwrap();
        let entries = written.object.value()["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
        prop_assert!(entries.len() <= 2);
    }

    #[test]
    fn no_body_makes_a_verb_panic(body in tree(), patch in tree()) {
        let mut cluster = cluster();
        for kind in ["deployments", "pods", "services", "widgets", "customresourcedefinitions"] {
            let _ = cluster.create(kind, json!({"metadata": {"name": "w"}, "spec": body}));
            let _ = cluster.create(kind, body.clone());
            let _ = cluster.create("widgets", widget(&body));
            for patch in [Patch::Json(patch.clone()), Patch::Merge(patch.clone()), Patch::Strategic(patch.clone())] {
                let _ = cluster.patch(kind, "w", patch);
            }
        }
    }
}
