//! Request bodies: bounded in size and time, and parsed.

use crate::negotiate::{self, BodyFormat, PatchFormat};
use crate::protobuf::{self, Unreadable};
use crate::respond;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT};
use http_body_util::BodyExt;
use serde_json::Value;
use std::time::Duration;
use store::ApiError;
use store::json::Parsed;

/// The largest request body.
pub const BODY_MAX: usize = 3 << 20;

/// How much of a body that is too large is read and thrown away, so that the client sees the answer
/// instead of a reset connection.
const DISCARD_MAX: usize = 256 << 20;

/// How long a client may take to send its body.
const BODY_TIME: Duration = Duration::from_secs(30);

/// A parsed body and the fields that occurred twice in it.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) value: Value,
    pub(crate) duplicates: Vec<String>,
}

/// Reads a whole body.
pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let length = length.and_then(|text| text.parse::<usize>().ok());
    if length == Some(0) {
        return Ok(Bytes::new());
    }
    let waits = headers.contains_key(EXPECT);
    if waits && length.is_some_and(|length| length > BODY_MAX) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIME, collect(body)).await {
        Ok(read) => read,
        Err(_) => Err(ApiError::new(408, "Timeout", "request body was not received in time")),
    }
}

async fn collect(mut body: Body) -> Result<Bytes, ApiError> {
    let mut whole = BytesMut::new();
    let mut total = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ApiError::bad_request("request body ended too early"))?;
        let Ok(data) = frame.into_data() else { continue };
        total += data.len();
        if total <= BODY_MAX {
            whole.extend_from_slice(&data);
        } else if total > DISCARD_MAX {
            break;
        } else {
            whole = BytesMut::new();
        }
    }
    if total > BODY_MAX { Err(too_large()) } else { Ok(whole.freeze()) }
}

fn too_large() -> ApiError {
    ApiError::new(
        413,
        "RequestEntityTooLarge",
        format!("Request entity too large: limit is {BODY_MAX}"),
    )
}

/// Parses the body of a create or replace.
pub(crate) fn document(headers: &HeaderMap, bytes: &[u8]) -> Result<Document, ApiError> {
    match negotiate::body_format(headers) {
        Ok(BodyFormat::Json) => json(bytes),
        Ok(BodyFormat::Yaml) => yaml(bytes),
        Ok(BodyFormat::Protobuf) => protobuf(bytes),
        Err(_) => Err(respond::unsupported_media_type(BODIES)),
    }
}

/// The media types of a create or replace.
const BODIES: &[&str] =
    &["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];

fn protobuf(bytes: &[u8]) -> Result<Document, ApiError> {
    match protobuf::decode(bytes) {
        Ok(value) => Ok(Document { value, duplicates: Vec::new() }),
        Err(Unreadable::Unknown) => Err(respond::unsupported_media_type(&BODIES[..2])),
        Err(Unreadable::Malformed) => {
            Err(ApiError::bad_request("couldn't parse the body as Kubernetes protobuf"))
        }
    }
}

/// Parses the object of a create or replace; what cannot be read is said with what should have come.
pub(crate) fn object(headers: &HeaderMap, bytes: &[u8], kind: &str) -> Result<Document, ApiError> {
    let unrecognized = |why: &str| {
        ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {why} ({})",
            summary(bytes)
        ))
    };
    let read = document(headers, bytes);
    let mut document = read.map_err(|error| match error.code {
        400 => unrecognized(&error.message),
        _ => error,
    })?;
    match &document.value {
        Value::Object(_) => {}
        Value::Null => document.value = Value::Object(serde_json::Map::new()),
        other => {
            let found = store::go_kind(other);
            let wanted = r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
            return Err(unrecognized(&format!(
                "json: cannot unmarshal {found} into Go value of type {wanted}"
            )));
        }
    }
    Ok(document)
}

/// The beginning of a body, as text if it looks like an object.
fn summary(bytes: &[u8]) -> String {
    const SHOWN: usize = 30;
    let (head, more) = match bytes.len() {
        0 => return "<empty>".to_owned(),
        length if length > SHOWN => (&bytes[..SHOWN], " ..."),
        _ => (bytes, ""),
    };
    if head.starts_with(b"{") {
        return format!("{}{more}", String::from_utf8_lossy(head));
    }
    let hex: Vec<String> = head.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}{more}", hex.concat())
}

/// Parses the body of a PATCH.
pub(crate) fn patch(format: PatchFormat, bytes: &[u8]) -> Result<Document, ApiError> {
    let (prefix, wanted) = match format {
        PatchFormat::Apply => {
            let document = yaml(bytes)?;
            if !document.value.is_object() {
                let found = store::go_kind(&document.value);
                return Err(ApiError::bad_request(format!(
                    "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
                )));
            }
            return Ok(document);
        }
        PatchFormat::Strategic => ("", "map[string]interface {}"),
        PatchFormat::Merge => ("error decoding patch: ", "map[string]interface {}"),
        PatchFormat::Json => ("error decoding patch: ", "[]handlers.jsonPatchOp"),
    };
    let bad = |why: &str| ApiError::bad_request(format!("{prefix}{why}"));
    let document = json(bytes).map_err(|error| bad(&error.message))?;
    let fits = match format {
        PatchFormat::Json => document.value.is_array(),
        _ => document.value.is_object(),
    };
    if !fits {
        let found = store::go_kind(&document.value);
        return Err(bad(&format!("json: cannot unmarshal {found} into Go value of type {wanted}")));
    }
    Ok(document)
}

/// Parses a JSON body.
pub(crate) fn json(bytes: &[u8]) -> Result<Document, ApiError> {
    let Parsed { value, duplicates } = store::json::parse(bytes)?;
    Ok(Document { value, duplicates })
}

/// The first of several documents; upstream does not look at the others.
fn first_document(text: &str) -> &str {
    let start = text.strip_prefix("---\n").map_or(0, |rest| text.len() - rest.len());
    let end = text[start..].find("\n---\n").map_or(text.len(), |end| start + end + 1);
    &text[..end]
}

/// Parses a YAML body, of which JSON is a part.
pub(crate) fn yaml(bytes: &[u8]) -> Result<Document, ApiError> {
    if let Ok(document) = json(bytes) {
        return Ok(document);
    }
    let unreadable = |error: String| ApiError::bad_request(format!("error decoding YAML: {error}"));
    let text = std::str::from_utf8(bytes).map_err(|error| unreadable(error.to_string()))?;
    let value = serde_saphyr::from_str(first_document(text))
        .map_err(|error| unreadable(error.to_string()))?;
    Ok(Document { value, duplicates: Vec::new() })
}
