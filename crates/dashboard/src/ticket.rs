//! Who may look at the page of a cluster: whoever was given its address, which carries a ticket.
//!
//! The page acts with the rights of the person who started it, and everybody on a machine can reach its
//! loopback addresses. The ticket is in the address once; from then on it is in a cookie that no script
//! and no other site can use.

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
};
use serde_json::json;
use std::sync::Arc;

/// What opens a page.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// The secret; hexadecimal digits.
    pub secret: String,
    /// Name of the cookie that keeps it; pages on several ports of one host share their cookies.
    pub cookie: String,
    /// Path under which the page is served; begins and ends with a slash.
    pub home: String,
}

/// Serves `page` under the ticket's path, to those who have the ticket.
pub fn ticketed(page: Router, ticket: Ticket) -> Router {
    let home = ticket.home.clone();
    let router = match home.trim_end_matches('/') {
        "" => page,
        bare => {
            let redirect = Redirect::to(&home);
            Router::new().route(bare, axum::routing::get(redirect)).nest(&home, page)
        }
    };
    router.layer(middleware::from_fn_with_state(Arc::new(ticket), admit))
}

async fn admit(State(ticket): State<Arc<Ticket>>, request: Request, next: Next) -> Response {
    if ticket.is_kept(request.headers()) {
        return next.run(request).await;
    }
    if request.method() == Method::GET && ticket.is_shown(request.uri().query()) {
        return ticket.exchanged().into_response();
    }
    let words =
        "open the address that was printed when the page was started: it carries the ticket";
    (StatusCode::UNAUTHORIZED, Json(json!({ "error": words }))).into_response()
}

impl Ticket {
    /// Whether a cookie of the request is the ticket.
    fn is_kept(&self, headers: &HeaderMap) -> bool {
        let cookies =
            headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        pairs.any(|(name, value)| name == self.cookie && is_same(value, &self.secret))
    }

    /// Whether the address carries the ticket.
    fn is_shown(&self, query: Option<&str>) -> bool {
        let mut pairs =
            query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        pairs.any(|(name, value)| name == "ticket" && is_same(value, &self.secret))
    }

    /// The way to the page without the ticket in its address, which histories keep.
    fn exchanged(&self) -> impl IntoResponse + use<> {
        let Self { secret, cookie, home } = self;
        let bare = home.trim_end_matches('/');
        let path = if bare.is_empty() { home } else { bare };
        let kept = format!("{cookie}={secret}; Path={path}; HttpOnly; SameSite=Strict");
        (
            [(header::SET_COOKIE, kept), (header::REFERRER_POLICY, "no-referrer".to_owned())],
            Redirect::to(home),
        )
    }
}

/// Compares in a time that does not tell how much is right.
fn is_same(given: &str, secret: &str) -> bool {
    let pairs = given.bytes().zip(secret.bytes());
    let difference = pairs.fold(0, |difference, (given, wanted)| difference | (given ^ wanted));
    !secret.is_empty() && given.len() == secret.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket() -> Ticket {
        Ticket {
            secret: "c0ffee".to_owned(),
            cookie: "ringfence-3100".to_owned(),
            home: "/rollouts/".to_owned(),
        }
    }

    #[test]
    fn only_the_whole_ticket_opens_the_page() {
        for (query, opens) in [
            (Some("ticket=c0ffee"), true),
            (Some("a=b&ticket=c0ffee"), true),
            (Some("ticket=c0ffe"), false),
            (Some("ticket=c0ffee0"), false),
            (Some("ticket="), false),
            (Some("token=c0ffee"), false),
            (None, false),
        ] {
            assert_eq!(ticket().is_shown(query), opens, "{query:?}");
        }
        assert!(!Ticket { secret: String::new(), ..ticket() }.is_shown(Some("ticket=")));
    }

    #[test]
    fn the_cookie_of_another_page_opens_nothing() {
        for (cookies, opens) in [
            ("ringfence-3100=c0ffee", true),
            ("theme=dark; ringfence-3100=c0ffee", true),
            ("ringfence-3101=c0ffee", false),
            ("ringfence-3100=tea", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, cookies.parse().unwrap());
            assert_eq!(ticket().is_kept(&headers), opens, "{cookies}");
        }
    }
}
