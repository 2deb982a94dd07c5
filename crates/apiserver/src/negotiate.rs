//! Which shape the client wants back, and in which shape its body came.
//!
//! **Invariant.** Only JSON leaves the server (a watch is JSON lines); a client that insists on another
//! format gets 406, a body in a format that is not read gets 415.

use crate::table::Include;
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};

/// The shape of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The objects themselves.
    Object,
    /// Columns and rows, as `kubectl get` asks for.
    Table(Include),
    /// Only the metadata of each object.
    Partial,
}

/// The format of a request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFormat {
    Json,
    Yaml,
    Protobuf,
}

/// The kind of a PATCH body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchFormat {
    Json,
    Merge,
    Strategic,
    Apply,
}

/// A media type that nothing here reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsupported;

/// One entry of an Accept header.
pub(crate) struct MediaRange<'a> {
    pub(crate) media: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> MediaRange<'a> {
    /// The entries in the client's order of preference.
    pub(crate) fn of_accept(headers: &'a HeaderMap) -> Vec<Self> {
        let accept = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
        let mut ranges: Vec<_> =
            accept.flat_map(|value| value.split(',')).map(Self::parse).collect();
        ranges.retain(|range| !range.media.is_empty());
        if ranges.is_empty() {
            ranges.push(Self { media: "*/*", parameters: Vec::new() });
        }
        ranges.sort_by_key(|range| std::cmp::Reverse(range.quality()));
        ranges
    }

    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        Self { media, parameters: parts.filter_map(|part| part.split_once('=')).collect() }
    }

    /// A parameter such as `as` in `application/json;as=Table`.
    pub(crate) fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    /// Whether the shape asked for is one of `meta.k8s.io/v1`, as far as it says.
    fn is_meta(&self) -> bool {
        self.parameter("v").is_none_or(|version| version == "v1")
            && self.parameter("g").is_none_or(|group| group == "meta.k8s.io")
    }

    /// The `q` parameter in thousandths.
    fn quality(&self) -> u16 {
        let quality = self.parameter("q").and_then(|quality| quality.parse::<f32>().ok());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        let thousandths = (quality.unwrap_or(1.0).clamp(0.0, 1.0) * 1000.0) as u16;
        thousandths
    }

    /// Whether JSON satisfies this entry.
    pub(crate) fn takes_json(&self) -> bool {
        matches!(self.media, "application/json" | "*/*")
    }
}

/// The first shape in the client's order that the server has.
pub(crate) fn shape(headers: &HeaderMap, include: Include) -> Result<Shape, Unsupported> {
    let ranges = MediaRange::of_accept(headers);
    let known = ranges.iter().filter(|range| range.takes_json());
    let mut shapes = known.filter_map(|range| match range.parameter("as") {
        None => Some(Shape::Object),
        Some(_) if !range.is_meta() => None,
        Some("Table") => Some(Shape::Table(include)),
        Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Some(Shape::Partial),
        Some(_) => None,
    });
    shapes.next().ok_or(Unsupported)
}

/// Whether the client takes any format that a Kubernetes server writes.
pub(crate) fn takes_known_format(headers: &HeaderMap) -> bool {
    let known =
        ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "*/*"];
    MediaRange::of_accept(headers).iter().any(|range| known.contains(&range.media))
}

/// The format of a create, replace or delete body; no header means JSON.
pub(crate) fn body_format(headers: &HeaderMap) -> Result<BodyFormat, Unsupported> {
    match media_type(headers) {
        "" | "application/json" | "*/*" => Ok(BodyFormat::Json),
        "application/yaml" => Ok(BodyFormat::Yaml),
        "application/vnd.kubernetes.protobuf" => Ok(BodyFormat::Protobuf),
        _ => Err(Unsupported),
    }
}

/// The format of a PATCH body.
pub(crate) fn patch_format(headers: &HeaderMap) -> Result<PatchFormat, Unsupported> {
    match media_type(headers) {
        "application/json-patch+json" => Ok(PatchFormat::Json),
        "application/merge-patch+json" => Ok(PatchFormat::Merge),
        "application/strategic-merge-patch+json" => Ok(PatchFormat::Strategic),
        "application/apply-patch+yaml" => Ok(PatchFormat::Apply),
        _ => Err(Unsupported),
    }
}

fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[track_caller]
    fn check(accept: &'static str, expected: Result<Shape, Unsupported>) {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
        assert_eq!(shape(&headers, Include::Metadata), expected, "{accept}");
    }

    #[test]
    fn the_first_shape_that_the_server_has_wins() {
        let table = Ok(Shape::Table(Include::Metadata));
        check("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", table);
        check("application/vnd.kubernetes.protobuf,application/json", Ok(Shape::Object));
        check(
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            Ok(Shape::Partial),
        );
        check("*/*", Ok(Shape::Object));
        check("application/json;q=0.1,application/json;as=Table;q=0.9", table);
    }

    #[test]
    fn protobuf_alone_is_not_acceptable() {
        check("application/vnd.kubernetes.protobuf", Err(Unsupported));
    }

    #[test]
    fn a_cbor_body_is_not_read() {
        let media = HeaderValue::from_static("application/cbor");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, media)]);
        assert_eq!(body_format(&headers), Err(Unsupported));
    }
}
