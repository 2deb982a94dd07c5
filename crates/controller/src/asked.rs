//! What one request to the API server asks for, in the words of roles: group, resource and verb.
//!
//! **Invariant.** Nothing here talks to the API server; a request is understood by its method and address.

use http::{Method, Uri};
use std::fmt;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// The API group; empty for the core.
    pub group: String,
    /// The resource, with its subresource if it is about one: `pods/eviction`.
    pub resource: String,
    /// The namespace; empty for all of them, and for what lives in none.
    pub namespace: String,
    /// What is done with it.
    pub verb: Verb,
}

/// What is done with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Reads one object.
    Get,
    /// Reads many.
    List,
    /// Watches.
    Watch,
    /// Creates.
    Create,
    /// Replaces.
    Update,
    /// Patches.
    Patch,
    /// Deletes one object.
    Delete,
    /// Deletes many.
    DeleteCollection,
}

impl Verb {
    /// The verb as roles spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }

    fn of(method: &Method, uri: &Uri, of_one: Span) -> Option<Self> {
        let query = uri.query().unwrap_or_default();
        let watches = || query.split('&').any(|part| matches!(part, "watch=true" | "watch=1"));
        match (method.as_str(), of_one) {
            ("GET", Span::One) => Some(Self::Get),
            ("GET", Span::Many) if watches() => Some(Self::Watch),
            ("GET", Span::Many) => Some(Self::List),
            ("POST", _) => Some(Self::Create),
            ("PUT", _) => Some(Self::Update),
            ("PATCH", _) => Some(Self::Patch),
            ("DELETE", Span::One) => Some(Self::Delete),
            ("DELETE", Span::Many) => Some(Self::DeleteCollection),
            _ => None,
        }
    }
}

/// How many objects an address is about.
#[derive(Clone, Copy)]
enum Span {
    One,
    Many,
}

impl Asked {
    /// Understands a request; `None` when it is not about objects.
    pub fn of(method: &Method, uri: &Uri) -> Option<Self> {
        let parts: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
        let (group, rest) = match parts.as_slice() {
            ["api", _version, rest @ ..] => ("", rest),
            ["apis", group, _version, rest @ ..] => (*group, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let (resource, span) = match rest {
            [resource] => ((*resource).to_owned(), Span::Many),
            [resource, _name] => ((*resource).to_owned(), Span::One),
            [resource, _name, part] => (format!("{resource}/{part}"), Span::One),
            _ => return None,
        };
        let (group, namespace) = (group.to_owned(), namespace.to_owned());
        Some(Self { group, resource, namespace, verb: Verb::of(method, uri, span)? })
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, resource, verb, .. } = self;
        let dot = if group.is_empty() { "" } else { "." };
        write!(f, "{} {resource}{dot}{group}", verb.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &Method, uri: &str, expected: &str) {
        let asked = Asked::of(method, &uri.parse().unwrap());
        let words = asked.map_or_else(|| "nothing".to_owned(), |asked| asked.to_string());
        assert_eq!(words, expected, "{method} {uri}");
    }

    #[test]
    fn a_request_is_understood_in_the_words_of_roles() {
        let rollouts = "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts";
        check(&Method::GET, &format!("{rollouts}/web"), "get rollouts.argoproj.io");
        check(
            &Method::PATCH,
            &format!("{rollouts}/web/status"),
            "patch rollouts/status.argoproj.io",
        );
        check(&Method::GET, "/api/v1/pods?limit=500", "list pods");
        check(&Method::GET, "/api/v1/pods?watch=true&timeoutSeconds=290", "watch pods");
        check(&Method::POST, "/api/v1/namespaces/shop/pods/a/eviction", "create pods/eviction");
        check(&Method::POST, "/api/v1/namespaces/shop/events", "create events");
        check(&Method::DELETE, "/api/v1/namespaces/shop/pods", "deletecollection pods");
        check(&Method::GET, "/api/v1/namespaces/shop", "get namespaces");
    }

    #[test]
    fn what_is_about_no_object_is_nothing() {
        check(&Method::GET, "/healthz", "nothing");
        check(&Method::OPTIONS, "/api/v1/pods", "nothing");
    }
}
