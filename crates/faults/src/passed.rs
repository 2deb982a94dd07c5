//! What went through a gate, and in whose name.

use http::{Method, Uri};
use jiff::Timestamp;
use serde::Serialize;

tokio::task_local! {
    static SERVED: (Sender, usize);
}

/// In whose name the request that is being served was sent, and its place in its gate's log; `None` beyond any gate.
pub fn served() -> Option<(Sender, usize)> {
    SERVED.try_with(Clone::clone).ok()
}

/// Serves a request, the one of this number, in somebody's name.
pub(crate) async fn in_the_name_of<T>(
    (sender, number): (Sender, usize),
    serving: impl Future<Output = T>,
) -> T {
    SERVED.scope((sender, number), serving).await
}

/// One life of one client.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Sender {
    /// The name it was given.
    pub name: String,
    /// How many clients of its gate came before it.
    pub life: usize,
}

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Reads one object or a list.
    Read,
    /// Watches.
    Watch,
    /// Creates.
    Create,
    /// Replaces.
    Update,
    /// Patches.
    Patch,
    /// Deletes.
    Delete,
}

impl Verb {
    pub(crate) fn of(method: &Method, uri: &Uri) -> Self {
        let watches =
            || uri.query().is_some_and(|query| query.split('&').any(|part| part == "watch=true"));
        match *method {
            Method::GET if watches() => Self::Watch,
            Method::POST => Self::Create,
            Method::PUT => Self::Update,
            Method::PATCH => Self::Patch,
            Method::DELETE => Self::Delete,
            _ => Self::Read,
        }
    }

    /// Whether it changes anything.
    pub fn is_write(self) -> bool {
        !matches!(self, Self::Read | Self::Watch)
    }
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Fate {
    /// It is on its way.
    UnderWay,
    /// The server answered with this code.
    Answered(u16),
    /// The gate answered in its stead with this code.
    Refused(u16),
    /// It never arrived.
    Lost,
    /// The server carried it out with this code, and nobody heard of it.
    Unheard(u16),
}

/// One request that came to a gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Passed {
    /// When it came.
    pub at: Timestamp,
    /// Whose it is.
    pub sender: Sender,
    /// What it does.
    pub verb: Verb,
    /// The path without its query.
    pub path: String,
    /// The plural of its kind, such as `replicasets`.
    pub resource: String,
    /// What became of it.
    pub fate: Fate,
}

/// The plural of the kind that a path of the API is about; empty for other paths.
pub(crate) fn resource(path: &str) -> &str {
    let mut parts = path.trim_matches('/').split('/').peekable();
    let skipped = match parts.next() {
        Some("api") => 1,
        Some("apis") => 2,
        _ => return "",
    };
    let mut rest = parts.skip(skipped).peekable();
    let first = rest.next().unwrap_or_default();
    if first != "namespaces" {
        return first;
    }
    let _namespace = rest.next();
    rest.next().unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: &str) {
        assert_eq!(resource(path), expected, "{path}");
    }

    #[test]
    fn a_path_says_what_it_is_about() {
        check("/api/v1/namespaces/default/pods/web-1/eviction", "pods");
        check("/api/v1/pods", "pods");
        check("/api/v1/namespaces/default", "namespaces");
        check("/apis/apps/v1/namespaces/default/replicasets/web", "replicasets");
        check("/apis/argoproj.io/v1alpha1/rollouts", "rollouts");
        check("/healthz", "");
    }

    #[test]
    fn a_watch_is_no_read() {
        let verb = |method, uri: &str| Verb::of(&method, &uri.parse().unwrap());
        assert_eq!(verb(Method::GET, "/api/v1/pods?watch=true&limit=1"), Verb::Watch);
        assert_eq!(verb(Method::GET, "/api/v1/pods?limit=1"), Verb::Read);
        assert!(verb(Method::PATCH, "/api/v1/pods/a").is_write());
    }
}
