//! Query parameters and delete bodies, parsed at the edge into the store's options.

use crate::table::Include;
use serde_json::Value;
use std::time::Duration;
use store::{
    ApiError, DeleteOptions, DryRun, FieldValidation, Force, ListOptions, Preconditions,
    Propagation, Selectors, WriteOptions,
};

/// The longest `timeoutSeconds` a watch may ask for.
const WATCH_MAX: Duration = Duration::from_hours(24);

/// The decoded query of a request.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

/// A yes or no of the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    Off,
    On,
}

/// What a watch asks for besides what it selects.
#[derive(Debug)]
pub(crate) struct WatchOptions {
    pub(crate) selectors: Selectors,
    pub(crate) resource_version: Option<String>,
    pub(crate) initial_events: Option<Switch>,
    pub(crate) bookmarks: Switch,
    pub(crate) timeout: Option<Duration>,
}

impl Query {
    /// Decodes the part of a URI after the question mark.
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// The value of a parameter; an empty value counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A boolean parameter; anything but `true` and `1` is off.
    pub(crate) fn switch(&self, name: &str) -> Switch {
        match self.get(name) {
            Some("true" | "1") => Switch::On,
            _ => Switch::Off,
        }
    }

    /// Whether the request is a watch.
    pub(crate) fn is_watch(&self) -> bool {
        self.switch("watch") == Switch::On
    }

    /// How much of each object a table row carries.
    pub(crate) fn include(&self) -> Include {
        match self.get("includeObject") {
            Some("None") => Include::Nothing,
            Some("Object") => Include::Object,
            _ => Include::Metadata,
        }
    }

    pub(crate) fn list(&self) -> Result<ListOptions, ApiError> {
        Ok(ListOptions {
            selectors: Selectors::parse(self.get("labelSelector"), self.get("fieldSelector"))?,
            limit: self.number("limit")?,
            continue_token: self.get("continue").map(str::to_owned),
            resource_version: self.get("resourceVersion").map(str::to_owned),
            resource_version_match: self.get("resourceVersionMatch").map(str::to_owned),
        })
    }

    /// Options of a watch, of one object when a name is given.
    pub(crate) fn watch(&self, name: Option<&str>) -> Result<WatchOptions, ApiError> {
        let timeout = self.number::<u64>("timeoutSeconds")?.filter(|seconds| *seconds > 0);
        let initial_events =
            self.get("sendInitialEvents").map(|_| self.switch("sendInitialEvents"));
        let matching = self.get("resourceVersionMatch");
        if initial_events.is_some() && matching != Some("NotOlderThan") {
            return Err(ApiError::bad_request(
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ));
        }
        let fields = self.get("fieldSelector").map(str::to_owned);
        let name = name.map(|name| format!("metadata.name={name}"));
        let fields: Vec<String> = fields.into_iter().chain(name).collect();
        Ok(WatchOptions {
            selectors: Selectors::parse(self.get("labelSelector"), Some(&fields.join(",")))?,
            resource_version: self.get("resourceVersion").map(str::to_owned),
            initial_events,
            bookmarks: self.switch("allowWatchBookmarks"),
            timeout: timeout.map(|seconds| Duration::from_secs(seconds).min(WATCH_MAX)),
        })
    }

    /// Options of a create, replace or patch; `agent` names the manager when the query does not.
    pub(crate) fn write(&self, agent: &str) -> Result<WriteOptions, ApiError> {
        let manager = self.get("fieldManager").map(str::to_owned);
        Ok(WriteOptions {
            dry_run: dry_run(self.get("dryRun"))?,
            field_manager: manager.unwrap_or_else(|| manager_of(agent)),
            field_validation: self.field_validation()?,
            force: match self.switch("force") {
                Switch::On => Force::Yes,
                Switch::Off => Force::No,
            },
            duplicates: Vec::new(),
        })
    }

    /// Options of a delete, from the query and the body; the body wins.
    pub(crate) fn delete(&self, body: &Value) -> Result<DeleteOptions, ApiError> {
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let policy = text("/propagationPolicy");
        let orphan = match body.get("orphanDependents").and_then(Value::as_bool) {
            Some(true) => Some(Propagation::Orphan),
            _ => None,
        };
        let grace = body.get("gracePeriodSeconds").and_then(Value::as_i64);
        Ok(DeleteOptions {
            propagation: match policy.as_deref().or(self.get("propagationPolicy")) {
                Some(policy) => Some(propagation(policy)?),
                None => orphan,
            },
            preconditions: Preconditions {
                uid: text("/preconditions/uid"),
                resource_version: text("/preconditions/resourceVersion"),
            },
            grace_period_seconds: match grace {
                Some(grace) => Some(grace),
                None => self.number("gracePeriodSeconds")?,
            },
            dry_run: dry_run(text("/dryRun/0").as_deref().or(self.get("dryRun")))?,
        })
    }

    /// A numeric parameter; one that is no number is a 400.
    pub(crate) fn number<N: std::str::FromStr>(&self, name: &str) -> Result<Option<N>, ApiError> {
        let parse = |text: &str| {
            text.parse().map_err(|_| {
                ApiError::bad_request(format!("query parameter {name}: {text:?} is not a number"))
            })
        };
        self.get(name).map(parse).transpose()
    }

    fn field_validation(&self) -> Result<FieldValidation, ApiError> {
        match self.get("fieldValidation") {
            Some("Ignore") => Ok(FieldValidation::Ignore),
            Some("Strict") => Ok(FieldValidation::Strict),
            None | Some("Warn") => Ok(FieldValidation::Warn),
            Some(other) => Err(ApiError::bad_request(format!(
                "fieldValidation: Unsupported value: {other:?}: supported values: \"Ignore\", \"Strict\", \"Warn\""
            ))),
        }
    }
}

fn dry_run(value: Option<&str>) -> Result<DryRun, ApiError> {
    match value {
        None => Ok(DryRun::No),
        Some("All") => Ok(DryRun::All),
        Some(other) => Err(ApiError::bad_request(format!(
            "dryRun: Unsupported value: {other:?}: supported values: \"All\""
        ))),
    }
}

fn propagation(policy: &str) -> Result<Propagation, ApiError> {
    match policy {
        "Background" => Ok(Propagation::Background),
        "Foreground" => Ok(Propagation::Foreground),
        "Orphan" => Ok(Propagation::Orphan),
        other => Err(ApiError::bad_request(format!(
            "propagationPolicy: Unsupported value: {other:?}: supported values: \"Background\", \"Foreground\", \"Orphan\""
        ))),
    }
}

/// The manager a user agent stands for: its program, as in `kubectl/v1.32.4 (linux/amd64)`.
fn manager_of(agent: &str) -> String {
    agent.split('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_delete_body_wins_over_the_query() {
        let query = Query::parse(Some("propagationPolicy=Orphan&gracePeriodSeconds=5"));
        let options = query.delete(&json!({"propagationPolicy": "Foreground"})).unwrap();
        assert_eq!(options.propagation, Some(Propagation::Foreground));
        assert_eq!(options.grace_period_seconds, Some(5));
    }

    #[test]
    fn the_user_agent_names_the_manager_unless_the_query_does() {
        let manager =
            |query| Query::parse(query).write("kubectl/v1.32 (linux)").unwrap().field_manager;
        assert_eq!(manager(None), "kubectl");
        assert_eq!(manager(Some("fieldManager=me")), "me");
    }

    #[test]
    fn values_that_make_no_sense_are_bad_requests() {
        for query in ["dryRun=Some", "fieldValidation=Maybe"] {
            assert_eq!(Query::parse(Some(query)).write("").unwrap_err().code, 400, "{query}");
        }
        assert_eq!(Query::parse(Some("limit=many")).list().unwrap_err().code, 400);
        assert_eq!(Query::parse(Some("sendInitialEvents=true")).watch(None).unwrap_err().code, 400);
    }

    #[test]
    fn selectors_are_decoded() {
        let query = Query::parse(Some("labelSelector=a%3Db%2Cc"));
        assert_eq!(query.get("labelSelector"), Some("a=b,c"));
    }
}
