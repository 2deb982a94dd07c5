//! What kinds of objects there are and how requests name them.
//!
//! Start at [`Resource`]. Nothing here holds objects.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};

use crate::builtin::schemas::{self, Source};
use crate::schema::Schema;

/// A resource type regardless of version: what storage and error messages go by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupResource {
    /// API group; empty for core.
    pub group: String,
    /// Plural name.
    pub resource: String,
}

impl GroupResource {
    /// A resource type by group and plural name.
    pub fn new(group: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { group: group.into(), resource: resource.into() }
    }
}

impl fmt::Display for GroupResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() {
            f.write_str(&self.resource)
        } else {
            write!(f, "{}.{}", self.resource, self.group)
        }
    }
}

/// A resource type in one version, as in a URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gvr {
    /// API group; empty for core.
    pub group: String,
    /// Version, such as `v1`.
    pub version: String,
    /// Plural name.
    pub resource: String,
}

impl Gvr {
    /// A resource type by group, version and plural name.
    pub fn new(
        group: impl Into<String>,
        version: impl Into<String>,
        resource: impl Into<String>,
    ) -> Self {
        Self { group: group.into(), version: version.into(), resource: resource.into() }
    }

    /// The type without its version.
    pub fn group_resource(&self) -> GroupResource {
        GroupResource::new(self.group.clone(), self.resource.clone())
    }

    /// `apps/v1`, or `v1` for core.
    pub fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }
}

/// `group/version`, or the bare version for core.
pub(crate) fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// Whether objects live in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// One object per name in the whole cluster.
    Cluster,
    /// One object per name in each namespace.
    Namespaced,
}

/// Which part of an object a request is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subresource {
    /// The object itself.
    #[default]
    Main,
    /// `/status`.
    Status,
    /// `/scale`.
    Scale,
    /// `/finalize` of a namespace.
    Finalize,
}

impl Subresource {
    /// The word in the URL and in `managedFields[].subresource`; empty for the object itself.
    pub fn word(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Status => "status",
            Self::Scale => "scale",
            Self::Finalize => "finalize",
        }
    }
}

/// Where `/scale` finds its numbers; dotted paths such as `.spec.replicas`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalePaths {
    /// Path of the desired count.
    pub spec_replicas: String,
    /// Path of the observed count.
    pub status_replicas: String,
    /// Path of the label selector: a string, or a `LabelSelector` object for built-in kinds.
    pub selector: Option<String>,
}

/// The subresources a resource has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subresources {
    /// Whether `/status` exists; the object itself then never changes status.
    pub status: bool,
    /// How `/scale` works, if it exists.
    pub scale: Option<ScalePaths>,
}

/// One printer column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Heading.
    pub name: String,
    /// OpenAPI type: `string`, `integer`, `number`, `boolean` or `date`.
    pub kind: String,
    /// OpenAPI format; often empty.
    pub format: String,
    /// What the column shows.
    pub description: String,
    /// Zero for always, above zero for `-o wide` only.
    pub priority: i32,
    /// Where the value is, as a Kubernetes `JSONPath` such as `.spec.replicas`.
    pub json_path: String,
}

/// Where a resource's definition comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Compiled in.
    BuiltIn,
    /// A `CustomResourceDefinition` object.
    Custom,
}

/// OpenAPI v3 definitions, by full name.
#[derive(Clone, Debug)]
pub struct OpenApi {
    /// The name of the kind's own definition.
    pub root: String,
    /// What goes into `components.schemas`.
    pub definitions: BTreeMap<String, Value>,
}

/// One resource type in one version: everything discovery and the verbs need to know.
#[derive(Clone, Debug)]
pub struct Resource {
    /// API group; empty for core.
    pub group: String,
    /// Version, such as `v1`.
    pub version: String,
    /// Plural name, as in URLs.
    pub plural: String,
    /// Singular name.
    pub singular: String,
    /// Kind, such as `Deployment`.
    pub kind: String,
    /// Kind of a list, such as `DeploymentList`.
    pub list_kind: String,
    /// Short names, such as `deploy`.
    pub short_names: Vec<String>,
    /// Categories, such as `all`.
    pub categories: Vec<String>,
    /// Whether objects live in namespaces.
    pub reach: Reach,
    /// The subresources it has.
    pub subresources: Subresources,
    /// The verbs it has, as discovery lists them.
    pub verbs: Vec<&'static str>,
    /// Printer columns of a custom resource; empty for built-in kinds, which the server prints itself.
    pub columns: Vec<Column>,
    /// Compiled in or defined by an object.
    pub origin: Origin,
    /// Fields beyond name and namespace that a custom resource lets field selectors use, such as `.spec.color`.
    pub selectable_fields: Vec<String>,
    /// Said to whoever uses a version of a custom resource that goes away.
    pub deprecation: Option<String>,
    /// The group objects are kept in; differs from `group` only for events.
    pub storage_group: String,
    /// The version objects are kept in.
    pub storage_version: String,
    pub(crate) schema: SchemaSource,
}

/// A schema, or where to get it when first needed.
#[derive(Clone)]
pub(crate) enum SchemaSource {
    /// Generated from the compiled-in types on first use.
    BuiltIn(Arc<LazyLock<Arc<Schema>>>, Source),
    /// Compiled from a definition object, with the definition's own words.
    Custom(Arc<Schema>, Arc<Value>),
}

impl fmt::Debug for SchemaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BuiltIn(..) => "BuiltIn",
            Self::Custom(..) => "Custom",
        })
    }
}

impl Resource {
    /// Group, version and plural.
    pub fn gvr(&self) -> Gvr {
        Gvr::new(self.group.clone(), self.version.clone(), self.plural.clone())
    }

    /// Group and plural.
    pub fn group_resource(&self) -> GroupResource {
        GroupResource::new(self.group.clone(), self.plural.clone())
    }

    /// Group and plural under which objects are kept.
    pub fn storage(&self) -> GroupResource {
        GroupResource::new(self.storage_group.clone(), self.plural.clone())
    }

    /// Whether objects are kept exactly as this version shows them.
    pub(crate) fn is_stored(&self) -> bool {
        self.group == self.storage_group && self.version == self.storage_version
    }

    /// `apps/v1`, or `v1` for core.
    pub fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }

    /// The compiled schema; generated on first use for built-in kinds.
    pub fn schema(&self) -> Arc<Schema> {
        match &self.schema {
            SchemaSource::BuiltIn(made, _) => Arc::clone(made),
            SchemaSource::Custom(schema, _) => Arc::clone(schema),
        }
    }

    /// The OpenAPI v3 definitions of the kind and of all it refers to; made anew on every call.
    pub fn openapi(&self) -> OpenApi {
        let mut api = match &self.schema {
            SchemaSource::BuiltIn(_, source) => {
                OpenApi { root: (source.name)().into_owned(), definitions: (source.definitions)() }
            }
            SchemaSource::Custom(_, raw) => self.custom_openapi(raw),
        };
        if let Some(root) = api.definitions.get_mut(&api.root) {
            let (group, version, kind) = (&self.group, &self.version, &self.kind);
            root["x-kubernetes-group-version-kind"] =
                json!([{ "group": group, "version": version, "kind": kind }]);
        }
        api
    }

    fn custom_openapi(&self, raw: &Value) -> OpenApi {
        let labels: Vec<&str> = self.group.split('.').rev().collect();
        let root = format!("{}.{}.{}", labels.join("."), self.version, self.kind);
        let mut definitions = schemas::definitions::<schemas::ObjectMeta>();
        let mut schema = raw.clone();
        schema["properties"]["metadata"] = json!({
            "description": "Standard object's metadata.",
            "allOf": [{ "$ref": format!("{}{}", schemas::REFERENCES, schemas::OBJECT_META) }],
        });
        for key in ["apiVersion", "kind"] {
            schema["properties"][key]["type"] = json!("string");
        }
        definitions.insert(root.clone(), schema);
        OpenApi { root, definitions }
    }

    /// Whether objects live in namespaces.
    pub fn is_namespaced(&self) -> bool {
        self.reach == Reach::Namespaced
    }
}

/// All objects of a type, in one namespace or in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The type.
    pub resource: Gvr,
    /// The namespace; `None` for all of them and for cluster-wide types.
    pub namespace: Option<String>,
}

impl Scope {
    /// Every object of the type.
    pub fn all(resource: Gvr) -> Self {
        Self { resource, namespace: None }
    }

    /// The objects of the type in one namespace.
    pub fn namespaced(resource: Gvr, namespace: impl Into<String>) -> Self {
        Self { resource, namespace: Some(namespace.into()) }
    }
}

/// One object, or one subresource of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The type.
    pub resource: Gvr,
    /// The namespace; `None` for cluster-wide types.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
    /// Which part of the object.
    pub subresource: Subresource,
}

impl Address {
    /// The object itself.
    pub fn new(resource: Gvr, namespace: Option<&str>, name: impl Into<String>) -> Self {
        let namespace = namespace.map(str::to_owned);
        Self { resource, namespace, name: name.into(), subresource: Subresource::Main }
    }

    /// The same object's subresource.
    #[must_use]
    pub fn at(mut self, subresource: Subresource) -> Self {
        self.subresource = subresource;
        self
    }

    pub(crate) fn namespace_key(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }
}
