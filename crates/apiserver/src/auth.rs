//! Who may talk to the server: anybody, or whoever knows the token.

use http::HeaderMap;
use http::header::AUTHORIZATION;
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
    /// Lets the request pass or answers 401.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let Self::Token(token) = self else { return Ok(()) };
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
    fn only_the_right_token_is_let_in() {
        check(Some("Bearer secret"), None);
        check(Some("bearer secret"), None);
        check(Some("Bearer secrets"), Some(401));
        check(Some("Basic secret"), Some(401));
        check(None, Some(401));
    }
}
