//! The Gateway API's kinds: a structural schema of our own with the fields of their `v1`.
//!
//! Strict enough that a mistyped field is caught, and with the defaults that routers rely on.

mod routes;
mod schema;

use crate::StartError;
use kube::Client;
use schema::{Field, any, array, integer, object, string};
use serde_json::{Value, json};

const GROUP: &str = "gateway.networking.k8s.io";

/// A kind of the Gateway API.
struct Kind {
    name: &'static str,
    plural: &'static str,
    short: &'static [&'static str],
    scope: &'static str,
    spec: Value,
    status: Value,
    columns: Value,
}

/// The CustomResourceDefinitions of GatewayClass, Gateway and HTTPRoute.
pub fn all() -> Vec<Value> {
    [gateway_class(), gateway(), route()].iter().map(definition).collect()
}

/// Installs the definitions; those that are there already stay as they are.
///
/// # Errors
/// When the API server refuses.
pub async fn install(client: &Client) -> Result<(), StartError> {
    if are_served(client).await {
        return Ok(());
    }
    for definition in all() {
        create(client, &definition).await?;
    }
    Ok(())
}

/// Whether the server knows all three kinds, whoever brought them.
async fn are_served(client: &Client) -> bool {
    let served = client.list_api_group_resources(&format!("{GROUP}/v1")).await;
    let kinds = ["gatewayclasses", "gateways", "httproutes"];
    served.is_ok_and(|served| {
        kinds.iter().all(|kind| served.resources.iter().any(|resource| resource.name == *kind))
    })
}

/// Creates an object unless it is there already.
pub(crate) async fn create(client: &Client, object: &Value) -> Result<(), StartError> {
    let target = vocab::ObjectRef::of(object);
    let path = effects::path(&target);
    let collection = path.rsplit_once('/').map_or(path.as_str(), |(collection, _)| collection);
    let request = http::Request::post(collection)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(object.to_string().into_bytes());
    let request = request.map_err(kube::Error::HttpError);
    let answer = match request {
        Ok(request) => client.request::<Value>(request).await.map(drop),
        Err(error) => Err(error),
    };
    match answer {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        Err(source) => Err(StartError::NotInstalled { what: target.to_string(), source }),
        Ok(()) => Ok(()),
    }
}

fn definition(kind: &Kind) -> Value {
    let singular = kind.name.to_lowercase();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{}.{GROUP}", kind.plural),
            "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api"},
        },
        "spec": {
            "group": GROUP,
            "scope": kind.scope,
            "names": {
                "kind": kind.name, "listKind": format!("{}List", kind.name), "plural": kind.plural,
                "singular": singular, "shortNames": kind.short, "categories": ["gateway-api"],
            },
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "additionalPrinterColumns": kind.columns,
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "required": ["spec"],
                    "properties": {
                        "apiVersion": {"type": "string"},
                        "kind": {"type": "string"},
                        "metadata": {"type": "object"},
                        "spec": kind.spec,
                        "status": kind.status,
                    },
                }},
            }],
        },
    })
}

fn column(name: &str, path: &str, kind: &str) -> Value {
    json!({"name": name, "jsonPath": path, "type": kind})
}

fn age() -> Value {
    column("Age", ".metadata.creationTimestamp", "date")
}

fn gateway_class() -> Kind {
    let parameters = object([
        string("group").required(),
        string("kind").required(),
        string("name").required(),
        string("namespace"),
    ]);
    Kind {
        name: "GatewayClass",
        plural: "gatewayclasses",
        short: &["gc"],
        scope: "Cluster",
        spec: object([
            string("controllerName").required(),
            string("description"),
            Field::of("parametersRef", parameters),
        ]),
        status: object([conditions(), any("supportedFeatures")]),
        columns: json!([
            column("Controller", ".spec.controllerName", "string"),
            column("Accepted", ".status.conditions[?(@.type==\"Accepted\")].status", "string"),
            age(),
        ]),
    }
}

fn gateway() -> Kind {
    let address = || object([string("type").default(&json!("IPAddress")), string("value")]);
    let listener_status = object([
        string("name").required(),
        integer("attachedRoutes").required(),
        array("supportedKinds", object([string("group"), string("kind").required()])),
        conditions(),
    ]);
    Kind {
        name: "Gateway",
        plural: "gateways",
        short: &["gtw"],
        scope: "Namespaced",
        spec: object([
            string("gatewayClassName").required(),
            array("listeners", listener()).required(),
            array("addresses", address()),
            any("infrastructure"),
            any("allowedListeners"),
            any("tls"),
        ]),
        status: object([
            array("addresses", address()),
            conditions(),
            array("listeners", listener_status),
            integer("attachedListenerSets"),
        ]),
        columns: json!([
            column("Class", ".spec.gatewayClassName", "string"),
            column("Address", ".status.addresses[*].value", "string"),
            column("Programmed", ".status.conditions[?(@.type==\"Programmed\")].status", "string"),
            age(),
        ]),
    }
}

fn listener() -> Value {
    let namespaces = object([
        string("from").one_of(&["All", "Selector", "Same", "None"]).default(&json!("Same")),
        any("selector"),
    ]);
    let allowed = object([
        Field::of("namespaces", namespaces).default(&json!({"from": "Same"})),
        array("kinds", object([string("group"), string("kind").required()])),
    ]);
    object([
        string("name").required(),
        string("hostname"),
        integer("port").between(1, 65_535).required(),
        string("protocol").required(),
        any("tls"),
        Field::of("allowedRoutes", allowed).default(&json!({"namespaces": {"from": "Same"}})),
    ])
}

fn route() -> Kind {
    let parent_status = object([
        Field::of("parentRef", parent()).required(),
        string("controllerName").required(),
        conditions(),
    ]);
    Kind {
        name: "HTTPRoute",
        plural: "httproutes",
        short: &[],
        scope: "Namespaced",
        spec: object([
            array("parentRefs", parent()),
            array("hostnames", json!({"type": "string"})).at_most(16),
            array("rules", routes::rule())
                .at_most(16)
                .default(&json!([{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}])),
            string("useDefaultGateways"),
        ]),
        status: object([array("parents", parent_status).required()]),
        columns: json!([column("Hostnames", ".spec.hostnames", "string"), age()]),
    }
}

fn parent() -> Value {
    object([
        string("group").default(&json!(GROUP)),
        string("kind").default(&json!("Gateway")),
        string("namespace"),
        string("name").required(),
        string("sectionName"),
        integer("port").between(1, 65_535),
    ])
}

fn conditions() -> Field {
    let condition = object([
        string("type").required(),
        string("status").one_of(&["True", "False", "Unknown"]).required(),
        string("reason").required(),
        string("message").required(),
        string("lastTransitionTime").required(),
        integer("observedGeneration"),
    ]);
    array("conditions", condition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_weigh_one_unless_told_otherwise() {
        let route = &all()[2];
        let spec = &route["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let backend = &spec["properties"]["rules"]["items"]["properties"]["backendRefs"]["items"];
        assert_eq!(backend["properties"]["weight"]["default"], 1);
        assert_eq!(backend["properties"]["kind"]["default"], "Service");
        assert_eq!(backend["required"], json!(["name"]));
    }
}
