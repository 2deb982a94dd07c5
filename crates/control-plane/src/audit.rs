//! The API server's own account of who asked for what.
//!
//! Start at [`requests`]. A line that is still being written is left for the next reading.

use serde::Deserialize;

/// One request as the API server noted it when it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditedRequest {
    /// What the client calls itself.
    pub user_agent: String,
    /// Whom the client was taken for.
    pub user: String,
    /// What it wanted to do, in Kubernetes' words: `get`, `watch`, `patch` and so on.
    pub verb: String,
    /// Path and query.
    pub uri: String,
}

/// The fields that are read of an event of `audit.k8s.io/v1`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    #[serde(default)]
    user_agent: String,
    user: User,
    verb: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

/// The requests of an audit log: each is noted once when it comes, and again when it is answered.
pub(crate) fn requests(log: &str) -> Vec<AuditedRequest> {
    let events = log.lines().filter_map(|line| serde_json::from_str::<Event>(line).ok());
    let came = events.filter(|event| event.stage == "RequestReceived");
    came.map(|event| AuditedRequest {
        user_agent: event.user_agent,
        user: event.user.username,
        verb: event.verb,
        uri: event.request_uri,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_once_and_half_a_line_not_yet() {
        let log = r#"{"stage":"RequestReceived","requestURI":"/api/v1/pods","verb":"list","user":{"username":"admin"},"userAgent":"curl"}
{"stage":"ResponseComplete","requestURI":"/api/v1/pods","verb":"list","user":{"username":"admin"},"userAgent":"curl"}
{"stage":"RequestRec"#;
        let [user_agent, user, verb, uri] =
            ["curl", "admin", "list", "/api/v1/pods"].map(str::to_owned);
        assert_eq!(requests(log), [AuditedRequest { user_agent, user, verb, uri }]);
    }
}
