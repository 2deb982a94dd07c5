//! The rules of an HTTPRoute.

use super::schema::{Field, any, array, integer, object, string};
use serde_json::{Value, json};

/// One rule: matches, filters, backends.
pub(super) fn rule() -> Value {
    let timeouts = object([string("request"), string("backendRequest")]);
    let default = json!([{"path": {"type": "PathPrefix", "value": "/"}}]);
    object([
        string("name"),
        array("matches", matches()).default(&default).at_most(64),
        array("filters", filter()).at_most(16),
        array("backendRefs", backend()).at_most(16),
        Field::of("timeouts", timeouts),
        any("retry"),
        any("sessionPersistence"),
    ])
}

fn matches() -> Value {
    let path = object([
        string("type")
            .one_of(&["Exact", "PathPrefix", "RegularExpression"])
            .default(&json!("PathPrefix")),
        string("value").default(&json!("/")),
    ]);
    let named = || {
        object([
            string("type").one_of(&["Exact", "RegularExpression"]).default(&json!("Exact")),
            string("name").required(),
            string("value").required(),
        ])
    };
    let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    object([
        Field::of("path", path).default(&json!({"type": "PathPrefix", "value": "/"})),
        array("headers", named()).at_most(16),
        array("queryParams", named()).at_most(16),
        string("method").one_of(&methods),
    ])
}

fn backend() -> Value {
    object([
        string("group").default(&json!("")),
        string("kind").default(&json!("Service")),
        string("name").required(),
        string("namespace"),
        integer("port").between(1, 65_535),
        integer("weight").between(0, 1_000_000).default(&json!(1)),
        array("filters", filter()).at_most(16),
    ])
}

fn filter() -> Value {
    let kinds = [
        "RequestHeaderModifier",
        "ResponseHeaderModifier",
        "RequestMirror",
        "RequestRedirect",
        "URLRewrite",
        "ExtensionRef",
        "CORS",
    ];
    let extension =
        object([string("group").required(), string("kind").required(), string("name").required()]);
    object([
        string("type").one_of(&kinds).required(),
        Field::of("requestHeaderModifier", header_change()),
        Field::of("responseHeaderModifier", header_change()),
        Field::of("requestMirror", mirror()),
        Field::of("requestRedirect", redirect()),
        Field::of("urlRewrite", object([string("hostname"), Field::of("path", path_change())])),
        Field::of("extensionRef", extension),
        any("cors"),
    ])
}

fn header_change() -> Value {
    let header = || object([string("name").required(), string("value").required()]);
    object([
        array("set", header()).at_most(16),
        array("add", header()).at_most(16),
        array("remove", json!({"type": "string"})).at_most(16),
    ])
}

fn mirror() -> Value {
    let target = object([
        string("group").default(&json!("")),
        string("kind").default(&json!("Service")),
        string("name").required(),
        string("namespace"),
        integer("port").between(1, 65_535),
    ]);
    let fraction = object([
        integer("numerator").between(0, i64::from(i32::MAX)).required(),
        integer("denominator").between(1, i64::from(i32::MAX)).default(&json!(100)),
    ]);
    object([
        Field::of("backendRef", target).required(),
        integer("percent").between(0, 100),
        Field::of("fraction", fraction),
    ])
}

fn redirect() -> Value {
    object([
        string("scheme").one_of(&["http", "https"]),
        string("hostname"),
        Field::of("path", path_change()),
        integer("port").between(1, 65_535),
        integer("statusCode").default(&json!(302)),
    ])
}

fn path_change() -> Value {
    object([
        string("type").one_of(&["ReplaceFullPath", "ReplacePrefixMatch"]).required(),
        string("replaceFullPath"),
        string("replacePrefixMatch"),
    ])
}
