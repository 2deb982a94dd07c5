//! AWS Signature Version 4.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.

use super::Keys;
use crate::conversation::set;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{Timestamp, tz::TimeZone};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use vocab::Call;

/// The way of signing.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What every scope ends with.
const TERMINATOR: &str = "aws4_request";
/// Headers that are signed beside those of AWS: what changes them changes the meaning.
const SIGNED: [&str; 2] = ["content-type", "host"];

/// Where a signature holds.
pub(crate) struct Scope<'a> {
    /// The region.
    pub(crate) region: &'a str,
    /// The service.
    pub(crate) service: &'a str,
}

/// Signs a call: its address gets the form that is signed, and it gets the headers that prove it.
pub(crate) fn sign(mut call: Call, keys: &Keys, scope: &Scope<'_>, now: Timestamp) -> Call {
    let time = now.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string();
    set(&mut call.headers, "X-Amz-Date", time.clone());
    if let Some(token) = &keys.token {
        set(&mut call.headers, "X-Amz-Security-Token", token.clone());
    }
    let parts = Parts::of(&call.url);
    let headers = canonical_headers(&call.headers, &parts.host);
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let request = canonical_request(&call, &parts, &headers, &names);
    let date = &time[..8];
    let scope = [date, scope.region, scope.service, TERMINATOR];
    let place = scope.join("/");
    let text = format!("{ALGORITHM}\n{time}\n{place}\n{}", hex(&Sha256::digest(request)));
    let key = scope
        .iter()
        .fold(format!("AWS4{}", keys.secret).into_bytes(), |key, part| authenticated(&key, part));
    let signature = hex(&authenticated(&key, &text));
    let id = &keys.id;
    let proof = format!(
        "{ALGORITHM} Credential={id}/{place}, SignedHeaders={names}, Signature={signature}"
    );
    set(&mut call.headers, "Authorization", proof);
    call.url = parts.address();
    call
}

/// An address in the parts that are signed.
struct Parts {
    scheme: String,
    host: String,
    path: String,
    query: String,
}

impl Parts {
    fn of(url: &str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
        let (rest, _) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let at = rest.find('/').unwrap_or(rest.len());
        let (host, path) = rest.split_at(at);
        let usual_port = if scheme == "http" { ":80" } else { ":443" };
        Self {
            scheme: scheme.to_owned(),
            host: host.strip_suffix(usual_port).unwrap_or(host).to_ascii_lowercase(),
            path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
            query: canonical_query(query),
        }
    }

    fn address(&self) -> String {
        let Self { scheme, host, path, query } = self;
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{scheme}://{host}{path}{mark}{query}")
    }
}

fn canonical_query(query: &str) -> String {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let mut pairs: Vec<(String, String)> =
        pairs.map(|(name, value)| (encoded(&name, ""), encoded(&value, ""))).collect();
    pairs.sort();
    let pairs: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

fn canonical_headers(headers: &[(String, String)], host: &str) -> Vec<(String, String)> {
    let lower = headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()));
    let signed = lower
        .filter(|(name, _)| SIGNED.contains(&name.as_str()) || name.starts_with("x-amz-"))
        .filter(|(name, _)| name != "host");
    let mut all: Vec<(String, String)> = signed
        .chain([("host".to_owned(), host)])
        .map(|(name, value)| (name, value.split_whitespace().collect::<Vec<_>>().join(" ")))
        .collect();
    all.sort();
    all
}

fn canonical_request(
    call: &Call,
    parts: &Parts,
    headers: &[(String, String)],
    names: &str,
) -> String {
    // The path is encoded twice for every service but S3.
    let (path, query) = (encoded(&parts.path, "/"), &parts.query);
    let headers = headers.iter().fold(String::new(), |mut out, (name, value)| {
        let _ = writeln!(out, "{name}:{value}");
        out
    });
    let body = hex(&Sha256::digest(call.body.as_deref().unwrap_or_default()));
    format!("{}\n{path}\n{query}\n{headers}\n{names}\n{body}", call.method)
}

fn encoded(text: &str, kept: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        let it = char::from(byte);
        if it.is_ascii_alphanumeric() || "-._~".contains(it) || kept.contains(it) {
            out.push(it);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

fn authenticated(key: &[u8], text: &str) -> Vec<u8> {
    // A key of this kind may have any length.
    let Ok(mut code) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    code.update(text.as_bytes());
    code.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// AWS's published vectors are all signed with these keys at this time.
    fn signed(method: &str, url: &str, content: Option<(&str, &str)>, service: &str) -> Call {
        let keys = Keys {
            id: "AKIDEXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            token: None,
        };
        let kind = content.map(|(kind, _)| ("Content-Type".to_owned(), kind.to_owned()));
        let call = Call {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: kind.into_iter().collect(),
            body: content.map(|(_, body)| body.as_bytes().to_vec()),
            timeout: Duration::from_secs(1),
            insecure: false,
        };
        let now = "2015-08-30T12:36:00Z".parse().unwrap();
        sign(call, &keys, &Scope { region: "us-east-1", service }, now)
    }

    #[track_caller]
    fn check(
        method: &str,
        url: &str,
        content: Option<(&str, &str)>,
        service: &str,
        expected: &str,
    ) {
        let call = signed(method, url, content, service);
        let proof = call.headers.iter().find(|(name, _)| name == "Authorization");
        let (_, proof) = proof.expect("a signature");
        assert!(proof.ends_with(&format!("Signature={expected}")), "{url}: {proof}");
    }

    #[test]
    fn published_vectors_are_met() {
        let service = |method, url, content, expected| {
            check(method, url, content, "service", expected);
        };
        service(
            "GET",
            "https://example.amazonaws.com/",
            None,
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        );
        service(
            "GET",
            "https://example.amazonaws.com/?Param2=value2&Param1=value1",
            None,
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        );
        service(
            "POST",
            "https://example.amazonaws.com/",
            None,
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        );
        service(
            "POST",
            "https://example.amazonaws.com/",
            Some(("application/x-www-form-urlencoded", "Param1=value1")),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        );
        check(
            "GET",
            "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
            Some(("application/x-www-form-urlencoded; charset=utf-8", "")),
            "iam",
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        );
    }

    #[test]
    fn what_is_sent_is_what_was_signed() {
        let call = signed("GET", "https://Example.com:443/a b?q=x+y&a=%7E*", None, "aps");
        assert_eq!(call.url, "https://example.com/a b?a=~%2A&q=x%20y");
        assert!(call.headers.contains(&("X-Amz-Date".to_owned(), "20150830T123600Z".to_owned())));
        assert!(!call.headers.iter().any(|(name, _)| name == "X-Amz-Security-Token"));
    }
}
