//! What happens to headers on their way through.

use crate::objects::{HeaderEditSpec, HeaderSpec};
use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue};
use std::net::IpAddr;

/// Headers that belong to one connection and not to the message (RFC 9110 §7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    http::header::TE,
    http::header::TRANSFER_ENCODING,
    http::header::UPGRADE,
    http::header::PROXY_AUTHENTICATE,
];
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Changes to headers that a filter asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderEdit {
    set: Vec<(HeaderName, HeaderValue)>,
    add: Vec<(HeaderName, HeaderValue)>,
    remove: Vec<HeaderName>,
}

impl HeaderEdit {
    pub(crate) fn parse(spec: &HeaderEditSpec) -> Result<Self, String> {
        let name = |name: &str| {
            name.parse::<HeaderName>().map_err(|_| format!("header name {name:?} is not valid"))
        };
        let pair = |header: &HeaderSpec| {
            let value = HeaderValue::from_str(&header.value);
            let value = value.map_err(|_| format!("value of {:?} is not valid", header.name))?;
            Ok::<_, String>((name(&header.name)?, value))
        };
        Ok(Self {
            set: spec.set.iter().map(pair).collect::<Result<_, _>>()?,
            add: spec.add.iter().map(pair).collect::<Result<_, _>>()?,
            remove: spec.remove.iter().map(|n| name(n)).collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.set.extend(other.set);
        self.add.extend(other.add);
        self.remove.extend(other.remove);
    }

    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
        for (name, value) in &self.add {
            headers.append(name, value.clone());
        }
        for name in &self.remove {
            headers.remove(name);
        }
    }
}

/// Takes out what belongs to one connection only.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if let Some(listed) = headers.get(CONNECTION) {
        let names = listed.to_str().unwrap_or_default().split(',');
        let names: Vec<HeaderName> = names.filter_map(|name| name.trim().parse().ok()).collect();
        for name in names {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Says for whom the request is passed on.
pub(crate) fn add_forwarded(headers: &mut HeaderMap, client: IpAddr) {
    let before = headers.get(&FORWARDED_FOR).and_then(|value| value.to_str().ok());
    let chain = match before {
        Some(before) => format!("{before}, {client}"),
        None => client.to_string(),
    };
    if let Ok(value) = HeaderValue::try_from(chain) {
        headers.insert(FORWARDED_FOR, value);
    }
    headers.entry(FORWARDED_PROTO).or_insert(HeaderValue::from_static("http"));
    if let Some(host) = headers.get(http::header::HOST).cloned() {
        headers.entry(FORWARDED_HOST).or_insert(host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn headers_of_one_connection_stay_behind() {
        let mut headers = map(&[
            ("connection", "close, x-private"),
            ("x-private", "1"),
            ("transfer-encoding", "chunked"),
            ("x-kept", "1"),
        ]);
        remove_hop_by_hop(&mut headers);
        assert_eq!(headers, map(&[("x-kept", "1")]));
    }

    #[test]
    fn the_client_joins_those_before_it() {
        let mut headers = map(&[("x-forwarded-for", "10.0.0.1"), ("host", "a")]);
        add_forwarded(&mut headers, IpAddr::from([127, 0, 0, 1]));
        assert_eq!(headers["x-forwarded-for"], "10.0.0.1, 127.0.0.1");
        assert_eq!(headers["x-forwarded-host"], "a");
    }
}
