//! Who may talk to the server: anybody, or whoever knows the token.

use http::header::{AUTHORIZATION, ORIGIN};
use http::{HeaderMap, Uri};
use std::net::IpAddr;
use store::ApiError;

/// The user that every accepted request acts as.
pub(crate) const USER: &str = "kubernetes-admin";

/// The groups of that user.
pub(crate) const GROUPS: &[&str] = &["system:masters", "system:authenticated"];

/// The rule a request's Authorization header must meet.
pub(crate) enum Auth {
    /// Everybody is let in.
    Open,
    /// Only `Bearer` with this token is let in.
    Token(String),
}

impl Auth {
    /// Lets the request pass, or answers 401, or 403 where a web page of somebody else asks.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let Self::Token(token) = self else { return no_foreign_page(headers) };
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.split_once(' '));
        match given {
            Some((scheme, given))
                if scheme.eq_ignore_ascii_case("bearer") && same(given, token) =>
            {
                Ok(())
            }
            _ => Err(ApiError::new(401, "Unauthorized", "Unauthorized")),
        }
    }

    /// Whether a token given in a review is known.
    pub(crate) fn knows(&self, given: &str) -> bool {
        match self {
            Self::Open => true,
            Self::Token(token) => same(given.trim(), token),
        }
    }
}

/// Without a token, any page in a browser on this machine could write here: browsers say in `Origin`
/// for whom they ask, and clients of Kubernetes send none.
fn no_foreign_page(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    if origin.as_ref().and_then(Uri::host).is_some_and(is_loopback) {
        return Ok(());
    }
    let why =
        "a web page of another origin may not use this server; start it with a token to let one in";
    Err(ApiError::new(403, "Forbidden", why))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Compares without telling by its time how much of the token was right.
fn same(given: &str, token: &str) -> bool {
    let differences = given.bytes().zip(token.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == token.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[track_caller]
    fn check(header: Option<&'static str>, expected: Option<u16>) {
        let header = header.map(|header| (AUTHORIZATION, HeaderValue::from_static(header)));
        let headers = HeaderMap::from_iter(header);
        let answer = Auth::Token("secret".to_owned()).check(&headers);
        assert_eq!(answer.err().map(|error| error.code), expected, "{headers:?}");
    }

    #[test]
    fn without_a_token_only_pages_of_this_machine_may_ask() {
        for (origin, expected) in [
            (None, None),
            (Some("http://127.0.0.1:8080"), None),
            (Some("http://localhost:8080"), None),
            (Some("http://[::1]:8080"), None),
            (Some("http://evil.example"), Some(403)),
            (Some("http://127.0.0.1.evil.example"), Some(403)),
            (Some("null"), Some(403)),
        ] {
            let header = origin.map(|origin| (ORIGIN, HeaderValue::from_static(origin)));
            let answer = Auth::Open.check(&HeaderMap::from_iter(header));
            assert_eq!(answer.err().map(|error| error.code), expected, "{origin:?}");
        }
    }

    #[test]
    fn only_the_right_token_is_let_in() {
        check(Some("Bearer secret"), None);
        check(Some("bearer secret"), None);
        check(Some("Bearer secrets"), Some(401));
        check(Some("Basic secret"), Some(401));
        check(None, Some(401));
    }
}
