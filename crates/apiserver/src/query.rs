//! Query parameters and delete bodies, parsed at the edge into the store's options.

use crate::options::{Kind, manager, one_of};
use crate::table::Include;
use serde_json::{Value, json};
use std::time::Duration;
use store::{
    ApiError, DeleteOptions, DryRun, FieldProblem, FieldValidation, Force, ListOptions,
    Preconditions, Propagation, Selectors, WriteOptions,
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

    /// A boolean parameter; like upstream's, it is on unless it says no.
    pub(crate) fn switch(&self, name: &str) -> Switch {
        match self.0.iter().find(|(key, _)| key == name) {
            Some((_, no)) if no == "0" || no.eq_ignore_ascii_case("false") => Switch::Off,
            Some(_) => Switch::On,
            None => Switch::Off,
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

    /// What is wrong with the words for that.
    pub(crate) fn unknown_include(&self) -> Option<FieldProblem> {
        let known = ["", "None", "Metadata", "Object"];
        let word = self.get("includeObject").filter(|word| !known.contains(word))?;
        let why = "must be 'Metadata', 'Object', 'None', or empty";
        Some(FieldProblem::invalid("includeObject", serde_json::json!(word), why))
    }

    pub(crate) fn list(&self) -> Result<ListOptions, ApiError> {
        let options = ListOptions {
            selectors: Selectors::parse(self.get("labelSelector"), self.get("fieldSelector"))?,
            limit: self.number::<i64>("limit")?.and_then(|limit| usize::try_from(limit).ok()),
            continue_token: self.get("continue").map(str::to_owned),
            resource_version: self.get("resourceVersion").map(str::to_owned),
            resource_version_match: self.get("resourceVersionMatch").map(str::to_owned),
        };
        Kind::List.check(&self.list_problems())?;
        Ok(options)
    }

    fn list_problems(&self) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        let mut forbid = |why: &str| {
            problems.push(FieldProblem::forbidden("resourceVersionMatch", why));
        };
        let matching = self.get("resourceVersionMatch");
        if matching.is_some() && self.get("resourceVersion").is_none() {
            forbid("resourceVersionMatch is forbidden unless resourceVersion is provided");
        }
        if matching.is_some() && self.get("continue").is_some() {
            forbid("resourceVersionMatch is forbidden when continue is provided");
        }
        if matching == Some("Exact") && self.get("resourceVersion") == Some("0") {
            forbid("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
        }
        if let Some(other) = matching.filter(|word| !["Exact", "NotOlderThan"].contains(word)) {
            let known = ["Exact", "NotOlderThan", ""];
            problems.push(one_of("resourceVersionMatch", json!(other), &known));
        }
        if self.get("sendInitialEvents").is_some() {
            let why = "sendInitialEvents is forbidden for list";
            problems.push(FieldProblem::forbidden("sendInitialEvents", why));
        }
        problems
    }

    fn watch_problems(&self) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        let mut forbid = |why: &str| {
            problems.push(FieldProblem::forbidden("resourceVersionMatch", why));
        };
        let matching = self.get("resourceVersionMatch");
        let initial = self.get("sendInitialEvents").is_some();
        if initial && matching != Some("NotOlderThan") {
            forbid("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
        }
        if !initial && matching.is_some() {
            forbid(
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            );
        }
        if let Some(other) = matching.filter(|word| *word != "NotOlderThan") {
            problems.push(one_of("resourceVersionMatch", json!(other), &["NotOlderThan"]));
        }
        problems
    }

    /// Options of a watch, of one object when a name is given.
    pub(crate) fn watch(&self, name: Option<&str>) -> Result<WatchOptions, ApiError> {
        let timeout = self.number::<u64>("timeoutSeconds")?.filter(|seconds| *seconds > 0);
        let initial_events =
            self.get("sendInitialEvents").map(|_| self.switch("sendInitialEvents"));
        let fields = self.get("fieldSelector").map(str::to_owned);
        let name = name.map(|name| format!("metadata.name={name}"));
        let fields: Vec<String> = fields.into_iter().chain(name).collect();
        Kind::List.check(&self.watch_problems())?;
        Ok(WatchOptions {
            selectors: Selectors::parse(self.get("labelSelector"), Some(&fields.join(",")))?,
            resource_version: self.get("resourceVersion").map(str::to_owned),
            initial_events,
            bookmarks: self.switch("allowWatchBookmarks"),
            timeout: timeout.map(|seconds| Duration::from_secs(seconds).min(WATCH_MAX)),
        })
    }

    /// Options of a create, replace or patch; `agent` names the manager when the query does not.
    pub(crate) fn write(&self, agent: &str, kind: Kind) -> Result<WriteOptions, ApiError> {
        let mut problems = Vec::new();
        if kind == Kind::Patch && self.0.iter().any(|(key, _)| key == "force") {
            let why = "may not be specified for non-apply patch";
            problems.push(FieldProblem::forbidden("force", why));
        }
        let named = self.get("fieldManager");
        if kind == Kind::Apply && named.is_none() {
            problems.push(FieldProblem::required("fieldManager", "is required for apply patch"));
        }
        problems.extend(manager(named.unwrap_or_default()));
        let given = self.get("dryRun");
        problems.extend(dry_run_problem(given));
        problems.extend(self.field_validation().err().map(|problem| *problem));
        kind.check(&problems)?;
        Ok(WriteOptions {
            dry_run: given.map_or(DryRun::No, |_| DryRun::All),
            field_manager: named.map_or_else(|| manager_of(agent), str::to_owned),
            field_validation: self.field_validation().unwrap_or(FieldValidation::Warn),
            force: match self.switch("force") {
                Switch::On => Force::Yes,
                Switch::Off => Force::No,
            },
            duplicates: Vec::new(),
        })
    }

    /// Options of a delete, from the query and the body; the body wins.
    pub(crate) fn delete(&self, body: &Value) -> Result<DeleteOptions, ApiError> {
        check_delete_kind(body)?;
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let policy = text("/propagationPolicy");
        let policy = policy.as_deref().or(self.get("propagationPolicy"));
        let orphans = body.get("orphanDependents").and_then(Value::as_bool);
        let dry = text("/dryRun/0");
        let dry = dry.as_deref().or(self.get("dryRun"));
        let mut problems: Vec<FieldProblem> = policy.and_then(policy_problem).into_iter().collect();
        if let Some(policy) = policy.filter(|_| orphans.is_some()) {
            let why = "orphanDependents and deletionPropagation cannot be both set";
            problems.push(FieldProblem::invalid("propagationPolicy", json!(policy), why));
        }
        problems.extend(dry_run_problem(dry));
        Kind::Delete.check(&problems)?;
        let orphan = orphans.filter(|orphans| *orphans).map(|_| Propagation::Orphan);
        let grace = body.get("gracePeriodSeconds").and_then(Value::as_i64);
        Ok(DeleteOptions {
            propagation: policy.map(propagation).or(orphan),
            preconditions: Preconditions {
                uid: text("/preconditions/uid"),
                resource_version: text("/preconditions/resourceVersion"),
            },
            grace_period_seconds: match grace {
                Some(grace) => Some(grace),
                None => self.number("gracePeriodSeconds")?,
            },
            dry_run: dry.map_or(DryRun::No, |_| DryRun::All),
        })
    }

    /// A numeric parameter; one that is no number is a 400.
    pub(crate) fn number<N: std::str::FromStr>(&self, name: &str) -> Result<Option<N>, ApiError> {
        let parse = |text: &str| {
            text.parse().map_err(|_| {
                ApiError::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
            })
        };
        self.get(name).map(parse).transpose()
    }

    fn field_validation(&self) -> Result<FieldValidation, Box<FieldProblem>> {
        match self.get("fieldValidation") {
            Some("Ignore") => Ok(FieldValidation::Ignore),
            Some("Strict") => Ok(FieldValidation::Strict),
            None | Some("Warn") => Ok(FieldValidation::Warn),
            Some(other) => {
                let known = ["", "Ignore", "Strict", "Warn"];
                Err(Box::new(one_of("fieldValidation", json!(other), &known)))
            }
        }
    }
}

fn dry_run_problem(given: Option<&str>) -> Option<FieldProblem> {
    let other = given.filter(|given| *given != "All")?;
    Some(one_of("dryRun", json!([other]), &["All"]))
}

fn policy_problem(policy: &str) -> Option<FieldProblem> {
    let known = ["Foreground", "Background", "Orphan", "nil"];
    (!known[..3].contains(&policy)).then(|| one_of("propagationPolicy", json!(policy), &known))
}

fn propagation(policy: &str) -> Propagation {
    match policy {
        "Foreground" => Propagation::Foreground,
        "Orphan" => Propagation::Orphan,
        _ => Propagation::Background,
    }
}

/// A delete's body must be delete options, whatever group they say they are of.
fn check_delete_kind(body: &Value) -> Result<(), ApiError> {
    let Some(kind) = body["kind"].as_str().filter(|kind| *kind != "DeleteOptions") else {
        return Ok(());
    };
    let version = body["apiVersion"].as_str().unwrap_or_default();
    Err(ApiError::bad_request(store::unregistered(kind, version)))
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
        let manager = |query| {
            Query::parse(query).write("kubectl/v1.32 (linux)", Kind::Create).unwrap().field_manager
        };
        assert_eq!(manager(None), "kubectl");
        assert_eq!(manager(Some("fieldManager=me")), "me");
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        for query in ["dryRun=Some", "fieldValidation=Maybe"] {
            let refused = Query::parse(Some(query)).write("", Kind::Create).unwrap_err();
            assert_eq!(refused.code, 422, "{query}");
        }
        assert_eq!(Query::parse(Some("limit=many")).list().unwrap_err().code, 400);
        assert_eq!(Query::parse(Some("sendInitialEvents=true")).watch(None).unwrap_err().code, 422);
    }

    #[test]
    fn selectors_are_decoded() {
        let query = Query::parse(Some("labelSelector=a%3Db%2Cc"));
        assert_eq!(query.get("labelSelector"), Some("a=b,c"));
    }
}
