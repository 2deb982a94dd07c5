//! Schemas of the built-in kinds, generated from the compiled-in types on first use and then shared.
//!
//! [`of`] gives the compiled tree, [`definitions`] the OpenAPI documents that clients read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

pub(crate) use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::list_keys;
use crate::schema::structural::{self, reference};
use crate::schema::{ListKind, MergeRule, Schema, Shape};

/// Where references between published definitions point.
pub(crate) const REFERENCES: &str = "#/components/schemas/";
/// The definition of `metadata`.
pub(crate) const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
/// The definition of a schema node in a definition: cut off here, or it would go on forever.
const ENDLESS: &str = "JSONSchemaProps";

type Raw = BTreeMap<String, Value>;

/// Everything generated so far: the same definitions serve many kinds.
static COMPILED: Mutex<BTreeMap<String, Arc<Schema>>> = Mutex::new(BTreeMap::new());

/// Where a kind's schemas come from.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    pub(crate) schema: fn() -> Arc<Schema>,
    pub(crate) definitions: fn() -> BTreeMap<String, Value>,
    pub(crate) name: fn() -> Cow<'static, str>,
}

/// The schemas of a type.
pub(crate) const fn source<T: JsonSchema>() -> Source {
    Source { schema: of::<T>, definitions: definitions::<T>, name: T::schema_name }
}

/// The compiled schema of a type.
pub(crate) fn of<T: JsonSchema>() -> Arc<Schema> {
    let raw = raw::<T>();
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    compile(&T::schema_name(), &raw, &mut compiled)
}

/// The OpenAPI definitions of a type and all it refers to, by full name.
pub(crate) fn definitions<T: JsonSchema>() -> BTreeMap<String, Value> {
    raw::<T>().into_iter().map(|(name, json)| (name.clone(), publish(&name, json))).collect()
}

fn raw<T: JsonSchema>() -> Raw {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.meta_schema = None;
        settings.transforms.clear();
    });
    let mut generator = settings.into_generator();
    generator.subschema_for::<T>();
    generator.take_definitions(false).into_iter().collect()
}

fn compile(name: &str, raw: &Raw, done: &mut BTreeMap<String, Arc<Schema>>) -> Arc<Schema> {
    if let Some(schema) = done.get(name) {
        return Arc::clone(schema);
    }
    let short = name.rsplit('.').next().unwrap_or_default();
    let open = Schema { name: name.into(), preserve_unknown: true, ..Schema::default() };
    let Some(json) = raw.get(name).filter(|_| short != ENDLESS) else {
        return Arc::new(open);
    };
    let mut schema = structural::compile(json, &mut |inner| compile(inner, raw, done));
    name.clone_into(&mut schema.name);
    // The same name stands for a whole in one version, and for its fields in the next.
    let whole = name.ends_with("autoscaling.v1.CrossVersionObjectReference");
    schema.atomic_map = whole || list_keys::is_atomic_type(short);
    let typeless = schema.properties.is_empty() && schema.additional.is_none();
    if schema.shape == Shape::Object && typeless {
        schema.preserve_unknown = true;
    }
    for (field, place) in &mut schema.properties {
        if let Some(better) = with_facts(short, field, place) {
            *place = Arc::new(better);
        }
    }
    structural::note_what_is_below(&mut schema);
    let schema = Arc::new(schema);
    done.insert(name.to_owned(), Arc::clone(&schema));
    schema
}

fn with_facts(definition: &str, field: &str, schema: &Schema) -> Option<Schema> {
    let list = list_keys::list(definition, field);
    let atomic = list_keys::is_atomic_map(definition, field);
    let default = list_keys::key_default(definition, field);
    if list.is_none() && !atomic && default.is_none() {
        return None;
    }
    let mut schema = schema.clone();
    schema.atomic_map |= atomic;
    schema.default = default.map(|text| json!(text));
    if let Some(fact) = list {
        schema.list = match fact.kind {
            "set" => ListKind::Set,
            "map" => ListKind::Map(fact.keys.iter().map(|&key| key.to_owned()).collect()),
            _ => ListKind::Atomic,
        };
        schema.merge = match fact.merge_key {
            Some("-") => MergeRule::Union,
            Some(key) => MergeRule::By(key.to_owned()),
            None => MergeRule::Plain,
        };
    }
    Some(schema)
}

fn publish(name: &str, mut json: Value) -> Value {
    let short = name.rsplit('.').next().unwrap_or_default();
    rewrite_references(&mut json);
    if list_keys::is_atomic_type(short) {
        json["x-kubernetes-map-type"] = json!("atomic");
    }
    let fields = json.get_mut("properties").and_then(Value::as_object_mut);
    for (field, schema) in fields.into_iter().flatten() {
        annotate(short, field, schema);
    }
    json
}

fn annotate(definition: &str, field: &str, schema: &mut Value) {
    if list_keys::is_atomic_map(definition, field) {
        schema["x-kubernetes-map-type"] = json!("atomic");
    }
    if let Some(default) = list_keys::key_default(definition, field) {
        schema["default"] = json!(default);
    }
    let fact = list_keys::list(definition, field);
    let Some(fact) = fact else {
        if schema["type"] == "array" {
            schema["x-kubernetes-list-type"] = json!("atomic");
        }
        return;
    };
    schema["x-kubernetes-list-type"] = json!(fact.kind);
    if !fact.keys.is_empty() {
        schema["x-kubernetes-list-map-keys"] = json!(fact.keys);
    }
    if let Some(key) = fact.merge_key {
        schema["x-kubernetes-patch-strategy"] = json!("merge");
        if key != "-" {
            schema["x-kubernetes-patch-merge-key"] = json!(key);
        }
    }
}

/// References get upstream's form: the only member of `allOf`, so that descriptions can stand beside them.
fn rewrite_references(json: &mut Value) {
    match json {
        Value::Object(map) => {
            if let Some(name) = reference(&Value::Object(map.clone())).map(str::to_owned) {
                map.remove("$ref");
                let target = json!({ "$ref": format!("{REFERENCES}{name}") });
                if map.is_empty() {
                    *map = target.as_object().cloned().unwrap_or_else(Map::new);
                } else {
                    map.insert("allOf".into(), json!([target]));
                }
                return;
            }
            map.values_mut().for_each(rewrite_references);
        }
        Value::Array(list) => list.iter_mut().for_each(rewrite_references),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::apps::v1::Deployment;

    #[test]
    fn a_compiled_schema_knows_types_and_list_keys() {
        let schema = of::<Deployment>();
        let spec = &schema.properties["spec"];
        assert_eq!(spec.short_name(), "DeploymentSpec");
        assert_eq!(spec.properties["replicas"].format, "int32");
        let pod = &spec.properties["template"].properties["spec"];
        assert_eq!(pod.properties["containers"].list, ListKind::Map(vec!["name".into()]));
        assert_eq!(pod.properties["containers"].merge, MergeRule::By("name".into()));
        assert!(spec.properties["selector"].atomic_map);
    }

    #[test]
    fn published_definitions_refer_to_each_other() {
        let all = definitions::<Deployment>();
        let spec = &all["io.k8s.api.apps.v1.DeploymentSpec"]["properties"]["template"];
        let target = "#/components/schemas/io.k8s.api.core.v1.PodTemplateSpec";
        assert_eq!(spec["allOf"][0]["$ref"], target);
        let pod = &all["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
        assert_eq!(pod["x-kubernetes-patch-merge-key"], "name");
    }
}
