//! Addresses of the web, read as Go reads the target of a request.

use std::collections::BTreeMap;

use cel::common::types::{CelBool, CelList, CelMap, CelMapKey, CelString, Type};
use cel::common::value::Val;
use cel::{DeclarationError, Env, ExecutionError, add_member_overload, add_overload};

use super::super::value::map_of;
use super::failed;

static URL: Type = Type::new_unspecified_type("kubernetes.URL");

/// The parts of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Url {
    scheme: String,
    host: String,
    path: String,
    query: String,
}

opaque_value!(Url, URL);

pub(super) fn extension(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_type(URL.to_owned())?;
    add_overload!(env, fn is_url: (CelString<'_>) -> CelBool, name = "isURL")?;
    add_overload!(env, fn url: (CelString<'_>) -> Result<Url>)?;
    add_member_overload!(env, fn get_scheme: (Url) -> CelString<'static>)?;
    add_member_overload!(env, fn get_host: (Url) -> CelString<'static>)?;
    add_member_overload!(env, fn get_hostname: (Url) -> CelString<'static>)?;
    add_member_overload!(env, fn get_port: (Url) -> CelString<'static>)?;
    add_member_overload!(env, fn get_escaped_path: (Url) -> CelString<'static>)?;
    add_member_overload!(env, fn get_query: (Url) -> CelMap<'static>)
}

impl Url {
    /// An absolute path, or an address with a scheme; `None` for anything else.
    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return None;
        }
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_lowercase(), rest),
            _ => (String::new(), text),
        };
        if scheme.is_empty() && !rest.starts_with('/') {
            return None;
        }
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = match rest.strip_prefix("//") {
            Some(after) => after.split_at(after.find('/').unwrap_or(after.len())),
            None => ("", rest),
        };
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let bad = |letter: char| letter.is_whitespace() || "<>\"\\^`{|}".contains(letter);
        let port_is_fine = match split_port(host) {
            (_, Some(port)) => port.chars().all(|digit| digit.is_ascii_digit()),
            (_, None) => true,
        };
        (!host.contains(bad) && port_is_fine).then(|| Self {
            scheme,
            host: host.to_owned(),
            path: path.replace(' ', "%20"),
            query: query.to_owned(),
        })
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
}

/// The name and the port of a host.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    }
}

fn is_url(text: &CelString<'_>) -> CelBool {
    CelBool::from(Url::parse(text.inner()).is_some())
}

fn url(text: &CelString<'_>) -> Result<Url, ExecutionError> {
    let wrong = || format!("URL parse error during conversion from string: {:?}", text.inner());
    Url::parse(text.inner()).ok_or_else(|| failed("url", &wrong()))
}

fn get_scheme(url: &Url) -> CelString<'static> {
    CelString::from(url.scheme.clone())
}

fn get_host(url: &Url) -> CelString<'static> {
    CelString::from(url.host.clone())
}

fn get_hostname(url: &Url) -> CelString<'static> {
    let (name, _) = split_port(&url.host);
    CelString::from(name.trim_start_matches('[').trim_end_matches(']').to_owned())
}

fn get_port(url: &Url) -> CelString<'static> {
    CelString::from(split_port(&url.host).1.unwrap_or_default().to_owned())
}

fn get_escaped_path(url: &Url) -> CelString<'static> {
    CelString::from(url.path.clone())
}

fn get_query(url: &Url) -> CelMap<'static> {
    let mut keys: BTreeMap<String, Vec<Box<dyn Val>>> = BTreeMap::new();
    for pair in url.query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        keys.entry(unescaped(key)).or_default().push(Box::new(CelString::from(unescaped(value))));
    }
    let lists = keys.into_iter().map(|(key, values)| {
        (CelMapKey::from(key), Box::new(CelList::from(values)) as Box<dyn Val>)
    });
    map_of(lists)
}

/// A part of a query without its escapes.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let escaped = escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, escaped) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
