//! What a verb answers when it refuses: a Kubernetes `Status` with the wording clients expect.
//!
//! Start at [`ApiError`]; each constructor is one refusal. Nothing here looks at objects.

use serde_json::{Value, json};

use crate::resource::GroupResource;

/// Said of a path where nothing is.
const NO_SUCH_RESOURCE: &str = "the server could not find the requested resource";
/// Said of a method that a path does not have.
const NO_SUCH_METHOD: &str = "the server does not allow this method on the requested resource";
/// Said of a patch that cannot be carried out.
pub(crate) const REJECTED: &str = "the server rejected our request due to an error in our request";

/// Where upstream's messages say its kinds are registered.
const SCHEME: &str = "pkg/runtime/scheme.go:111";

/// Says that a kind is not known in a version.
pub fn unregistered(kind: &str, version: &str) -> String {
    format!("no kind {kind:?} is registered for version {version:?} in scheme {SCHEME:?}")
}

/// One entry of `Status.details.causes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Machine-readable reason, such as `FieldValueInvalid`.
    pub reason: String,
    /// What a person reads.
    pub message: String,
    /// Path of the field, such as `spec.replicas`.
    pub field: String,
}

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// HTTP status code.
    pub code: u16,
    /// Kubernetes reason, such as `NotFound`.
    pub reason: &'static str,
    /// Message in upstream's wording.
    pub message: String,
    /// `details.retryAfterSeconds`; zero when there is none.
    pub retry_after_seconds: u32,
    /// Texts for `Warning` headers: what was found before the refusal.
    pub warnings: Vec<String>,
    /// The rest of `details`.
    pub details: Box<Details>,
}

/// What a refusal is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Name of the object, empty when there is none.
    pub name: String,
    /// API group, empty when there is none.
    pub group: String,
    /// The plural for most errors, the kind for `Invalid`.
    pub kind: String,
    /// Every broken rule or conflict.
    pub causes: Vec<Cause>,
}

impl ApiError {
    /// An error of this code, reason and message, without details.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            retry_after_seconds: 0,
            warnings: Vec::new(),
            details: Box::default(),
        }
    }

    /// 400: the request itself is wrong.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 500 without a reason, as upstream answers what it did not foresee.
    pub fn unnamed(message: impl Into<String>) -> Self {
        Self::new(500, "", message)
    }

    /// 404: no object of that name.
    pub fn not_found(resource: &GroupResource, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{resource} \"{name}\" not found")).about(resource, name)
    }

    /// 404: no such path or resource type.
    pub fn no_such_resource() -> Self {
        Self::new(404, "NotFound", NO_SUCH_RESOURCE)
    }

    /// 405: the resource does not have this verb.
    pub fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", NO_SUCH_METHOD)
    }

    /// 409: an object of that name exists.
    pub fn already_exists(resource: &GroupResource, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{resource} \"{name}\" already exists"))
            .about(resource, name)
    }

    /// 409: the write does not fit the object as it is; `why` is the part after the colon.
    pub fn conflict(resource: &GroupResource, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {resource} \"{name}\": {why}");
        Self::new(409, "Conflict", message).about(resource, name)
    }

    /// 409: somebody else wrote in between.
    pub fn modified(resource: &GroupResource, name: &str) -> Self {
        Self::conflict(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// 403: an admission rule says no.
    pub fn forbidden(resource: &GroupResource, name: &str, why: &str) -> Self {
        let message = format!("{resource} \"{name}\" is forbidden: {why}");
        Self::new(403, "Forbidden", message).about(resource, name)
    }

    /// 410: the version asked for is no longer remembered.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 410 for a watch or list that starts before what the log remembers.
    pub fn too_old(asked: u64, oldest: u64) -> Self {
        Self::expired(format!("too old resource version: {asked} ({oldest})"))
    }

    /// 415: this patch type does not work on this resource.
    pub fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// 429: come back later.
    pub fn too_many_requests(message: impl Into<String>, seconds: u32) -> Self {
        let mut error = Self::new(429, "TooManyRequests", message);
        error.retry_after_seconds = seconds;
        error
    }

    /// 422: the object breaks validation rules; all of them are listed.
    pub fn invalid(group: &str, kind: &str, name: &str, problems: &[FieldProblem]) -> Self {
        let full_kind = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let mut texts: Vec<String> = Vec::new();
        for text in problems.iter().map(ToString::to_string) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let list = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let mut error =
            Self::new(422, "Invalid", format!("{full_kind} \"{name}\" is invalid: {list}"));
        name.clone_into(&mut error.details.name);
        group.clone_into(&mut error.details.group);
        kind.clone_into(&mut error.details.kind);
        error.details.causes = problems.iter().map(FieldProblem::cause).collect();
        error
    }

    /// Whether upstream's answer is the one its HTTP layer gives for any resource; it has empty details.
    fn is_generic(&self) -> bool {
        self.message == NO_SUCH_RESOURCE
            || self.message == NO_SUCH_METHOD
            || self.message == REJECTED
            || self.message.starts_with("406: ")
            || self.message.starts_with("415: ")
    }

    /// Says these texts too.
    #[must_use]
    pub(crate) fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        self.warnings.splice(0..0, warnings);
        self
    }

    /// Fills `details` with the resource and name.
    #[must_use]
    pub fn about(mut self, resource: &GroupResource, name: &str) -> Self {
        name.clone_into(&mut self.details.name);
        self.details.group.clone_from(&resource.group);
        self.details.kind.clone_from(&resource.resource);
        self
    }

    /// The `Status` object for the response body.
    pub fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if let Some(map) = status.as_object_mut().filter(|_| self.reason.is_empty()) {
            map.remove("reason");
        }
        let mut details = serde_json::Map::new();
        let about = &self.details;
        let words = [("name", &about.name), ("group", &about.group), ("kind", &about.kind)];
        for (key, word) in words {
            if !word.is_empty() {
                details.insert(key.into(), json!(word));
            }
        }
        if !about.causes.is_empty() {
            details.insert("causes".into(), about.causes.iter().map(cause_json).collect());
        }
        if self.retry_after_seconds > 0 {
            details.insert("retryAfterSeconds".into(), json!(self.retry_after_seconds));
        }
        if !details.is_empty() || self.is_generic() {
            status["details"] = Value::Object(details);
        }
        status
    }
}

fn cause_json(cause: &Cause) -> Value {
    let mut value = json!({ "reason": cause.reason, "message": cause.message });
    if !cause.field.is_empty() {
        value["field"] = json!(cause.field);
    }
    value
}

/// Why a field is refused; the words and cause reasons are Kubernetes'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The value is malformed or out of range.
    Invalid,
    /// A value must be given.
    Required,
    /// The value is not one of a fixed set.
    NotSupported,
    /// The same key occurs twice.
    Duplicate,
    /// The field may not be set or changed.
    Forbidden,
    /// The string is too long.
    TooLong,
    /// The list has too many items.
    TooMany,
    /// The value names something that does not exist.
    NotFound,
    /// The value has the wrong JSON type.
    TypeInvalid,
}

/// One broken rule at one path.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldProblem {
    /// Path such as `spec.template.spec.containers[0].name`; empty for the whole object.
    pub path: String,
    /// Which rule is broken.
    pub kind: ProblemKind,
    /// The offending value, printed where upstream prints it.
    pub value: Value,
    /// The explanation after the value.
    pub detail: String,
}

impl FieldProblem {
    /// The value is malformed or out of range.
    pub fn invalid(path: impl Into<String>, value: Value, detail: impl Into<String>) -> Self {
        Self { path: path.into(), kind: ProblemKind::Invalid, value, detail: detail.into() }
    }

    /// A value must be given; `detail` may be empty.
    pub fn required(path: impl Into<String>, detail: impl Into<String>) -> Self {
        let kind = ProblemKind::Required;
        Self { path: path.into(), kind, value: Value::Null, detail: detail.into() }
    }

    /// The field may not be set or changed.
    pub fn forbidden(path: impl Into<String>, detail: impl Into<String>) -> Self {
        let kind = ProblemKind::Forbidden;
        Self { path: path.into(), kind, value: Value::Null, detail: detail.into() }
    }

    /// The same key occurs twice.
    pub fn duplicate(path: impl Into<String>, value: Value) -> Self {
        let kind = ProblemKind::Duplicate;
        Self { path: path.into(), kind, value, detail: String::new() }
    }

    /// The value is not one of `supported`.
    pub fn not_supported<'a>(
        path: impl Into<String>,
        value: Value,
        supported: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let words: Vec<String> = supported.into_iter().map(|word| format!("{word:?}")).collect();
        let detail = format!("supported values: {}", words.join(", "));
        Self { path: path.into(), kind: ProblemKind::NotSupported, value, detail }
    }

    /// The string is longer than `limit` bytes.
    pub fn too_long(path: impl Into<String>, limit: u64) -> Self {
        let detail = format!("may not be more than {limit} bytes");
        Self { path: path.into(), kind: ProblemKind::TooLong, value: Value::Null, detail }
    }

    /// The list has more than `limit` items.
    pub fn too_many(path: impl Into<String>, actual: usize, limit: u64) -> Self {
        let detail = format!("must have at most {limit} items");
        Self { path: path.into(), kind: ProblemKind::TooMany, value: json!(actual), detail }
    }

    /// A value that messages show as a struct with these fields, in this order.
    pub(crate) fn record(fields: &[&str], values: &Value) -> Value {
        let values = values.as_array().into_iter().flatten();
        let pairs = fields.iter().zip(values).map(|(field, value)| json!([field, value]));
        json!({ RECORD: pairs.collect::<Value>() })
    }

    /// The value of a problem whose value is not shown, though its kind shows one.
    pub(crate) fn omitted() -> Value {
        Value::String(OMITTED.to_owned())
    }

    fn cause(&self) -> Cause {
        let reason = match self.kind {
            ProblemKind::Invalid => "FieldValueInvalid",
            ProblemKind::Required => "FieldValueRequired",
            ProblemKind::NotSupported => "FieldValueNotSupported",
            ProblemKind::Duplicate => "FieldValueDuplicate",
            ProblemKind::Forbidden => "FieldValueForbidden",
            ProblemKind::TooLong => "FieldValueTooLong",
            ProblemKind::TooMany => "FieldValueTooMany",
            ProblemKind::NotFound => "FieldValueNotFound",
            ProblemKind::TypeInvalid => "FieldValueTypeInvalid",
        };
        let field = if self.path.is_empty() { "<nil>".to_owned() } else { self.path.clone() };
        Cause { reason: reason.into(), message: self.body(), field }
    }

    fn body(&self) -> String {
        let word = match self.kind {
            ProblemKind::Invalid | ProblemKind::TypeInvalid => "Invalid value",
            ProblemKind::Required => "Required value",
            ProblemKind::NotSupported => "Unsupported value",
            ProblemKind::Duplicate => "Duplicate value",
            ProblemKind::Forbidden => "Forbidden",
            ProblemKind::TooLong => "Too long",
            ProblemKind::TooMany => "Too many",
            ProblemKind::NotFound => "Not found",
        };
        let shows_value = !matches!(
            self.kind,
            ProblemKind::Required | ProblemKind::Forbidden | ProblemKind::TooLong
        ) && self.value != OMITTED;
        let mut text = word.to_owned();
        if shows_value {
            text.push_str(": ");
            text.push_str(&value_text(&self.value));
        }
        if !self.detail.is_empty() {
            text.push_str(": ");
            text.push_str(&self.detail);
        }
        text
    }
}

impl std::fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = if self.path.is_empty() { "<nil>" } else { &self.path };
        write!(f, "{path}: {}", self.body())
    }
}

/// Marks a value that is shown with its fields in a given order.
const RECORD: &str = "\0record";

/// Stands for a value that is not shown.
const OMITTED: &str = "\0omitted";

/// Fields that upstream's structs have before others, where the order shows in messages.
const FIRST: [&str; 9] =
    ["apiVersion", "kind", "Type", "type", "name", "uid", "matchLabels", "key", "operator"];

/// How upstream prints a value in a validation message: bare scalars, quoted strings, JSON otherwise.
fn value_text(value: &Value) -> String {
    if value.is_array() || value.is_object() { json_text(value) } else { value.to_string() }
}

/// JSON as Go writes it.
fn json_text(value: &Value) -> String {
    if let Some(Value::Array(fields)) = value.get(RECORD) {
        let field = |pair: &Value| format!("{}:{}", pair[0], json_text(&pair[1]));
        let texts: Vec<String> = fields.iter().map(field).collect();
        return format!("{{{}}}", texts.join(","));
    }
    match value {
        Value::Object(map) => {
            let rank = |key: &str| FIRST.iter().position(|first| *first == key);
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_by_key(|(key, _)| (rank(key).unwrap_or(FIRST.len()), (*key).clone()));
            let field =
                |(key, value): (&String, &Value)| format!("{}:{}", json!(key), json_text(value));
            let texts: Vec<String> = fields.into_iter().map(field).collect();
            format!("{{{}}}", texts.join(","))
        }
        Value::Array(list) => {
            let texts: Vec<String> = list.iter().map(json_text).collect();
            format!("[{}]", texts.join(","))
        }
        Value::String(text) => {
            let text = json!(text).to_string();
            text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployments() -> GroupResource {
        GroupResource::new("apps", "deployments")
    }

    #[test]
    fn messages_are_worded_as_clients_expect() {
        let check = |error: ApiError, code: u16, text: &str| {
            assert_eq!((error.code, error.message.as_str()), (code, text));
        };
        check(ApiError::not_found(&deployments(), "x"), 404, "deployments.apps \"x\" not found");
        check(
            ApiError::not_found(&GroupResource::new("", "pods"), "x"),
            404,
            "pods \"x\" not found",
        );
        check(
            ApiError::invalid("apps", "Deployment", "x", &[FieldProblem::required("spec.a", "")]),
            422,
            "Deployment.apps \"x\" is invalid: spec.a: Required value",
        );
        let two = [
            FieldProblem::invalid("a", json!(-1), "must be positive"),
            FieldProblem::not_supported("b", json!("z"), ["x", "y"]),
        ];
        check(
            ApiError::invalid("", "Pod", "p", &two),
            422,
            "Pod \"p\" is invalid: [a: Invalid value: -1: must be positive, b: Unsupported value: \"z\": supported values: \"x\", \"y\"]",
        );
    }

    #[test]
    fn a_status_names_the_object_and_its_causes() {
        let problem = FieldProblem::required("spec.a", "");
        let status = ApiError::invalid("apps", "Deployment", "x", &[problem]).to_status();
        assert_eq!(status["details"]["kind"], "Deployment");
        assert_eq!(status["details"]["causes"][0]["reason"], "FieldValueRequired");
        assert_eq!(status["code"], 422);
    }
}
