//! Who may ask: browsers under a loopback name, and pages of our own origin.
//!
//! A page on another site can make a browser send requests to a port of this machine, and a name that
//! it controls can be made to point here. Both are stopped by looking at `Host` and `Origin`.

use axum::{
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Lets a request through, or says why not.
pub(crate) async fn guard(request: Request, next: Next) -> Response {
    match objection(request.method(), request.headers()) {
        None => next.run(request).await,
        Some(objection) => {
            (StatusCode::FORBIDDEN, axum::Json(serde_json::json!({ "error": objection })))
                .into_response()
        }
    }
}

fn objection(method: &Method, headers: &HeaderMap) -> Option<&'static str> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    if !is_loopback(host) {
        return Some("this page is served under 127.0.0.1 or localhost only");
    }
    if method.is_safe() {
        return None;
    }
    let is_own = |origin: &str| origin.strip_prefix("http://") == Some(host);
    if !text(header::ORIGIN).is_none_or(is_own) {
        return Some("only the page itself may do this");
    }
    let is_json =
        text(header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"));
    (!is_json).then_some("the body must be sent as application/json")
}

fn is_loopback(host: &str) -> bool {
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    name == "localhost"
        || name == "[::1]"
        || name.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &Method, pairs: &[(header::HeaderName, &str)], passes: bool) {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(name, value.parse().unwrap());
        }
        assert_eq!(objection(method, &headers).is_none(), passes, "{method} {pairs:?}");
    }

    #[test]
    fn only_loopback_names_are_served() {
        for (host, passes) in [
            ("127.0.0.1:8080", true),
            ("localhost:8080", true),
            ("localhost", true),
            ("[::1]:80", true),
            ("evil.example:8080", false),
            ("127.0.0.1.evil.example", false),
            ("", false),
        ] {
            check(&Method::GET, &[(header::HOST, host)], passes);
        }
    }

    #[test]
    fn other_sites_cannot_press_buttons() {
        let host = (header::HOST, "127.0.0.1:80");
        let json = (header::CONTENT_TYPE, "application/json");
        check(&Method::POST, &[host.clone(), json.clone()], true);
        check(
            &Method::POST,
            &[host.clone(), json.clone(), (header::ORIGIN, "http://127.0.0.1:80")],
            true,
        );
        check(&Method::POST, &[host.clone(), json, (header::ORIGIN, "http://evil.example")], false);
        check(&Method::POST, &[host, (header::CONTENT_TYPE, "text/plain")], false);
    }
}
