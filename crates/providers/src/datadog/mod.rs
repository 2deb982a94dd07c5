//! `datadog`: a query of Datadog, over the last minutes.
//!
//! With version 1 of the API the result is the last point of the first series; with version 2 it is the
//! first column of numbers: one number, or a list of them for a query by group. No data is null.
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `apiVersion` | `v1` | `v1` or `v2` |
//! | `query` | – | the query |
//! | `queries`, `formula` | none | several queries by name, and a formula over them; only `v2` |
//! | `aggregator` | `last` | how the points of a query become one number; only `v2` |
//! | `interval` | `5m` | the span of time before now that is asked for |
//! | `requestTimeout` | `10s` | how long the exchange may take |
//! | `secretRef` | see below | the Secret with the access; with `namespaced` in the run's namespace |
//!
//! The access is `api-key`, `app-key` and perhaps `address` of that Secret. Without `secretRef` it is
//! the environment, if all of `DD_API_KEY`, `DD_APP_KEY` and `DD_ADDRESS` are set there, or else the
//! Secret `datadog`. Secrets are in the controller's namespace unless they are `namespaced`.

mod answer;

use crate::conversation::{OneQuestion, Problems, failed, form, is_http_url, problem};
use crate::{Asked, CredentialRef, Credentials, MeasureError, Measured, Place, Source};
use api::{argo::DatadogMetric, go_duration};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::time::Duration;
use vocab::{Call, Reply};

/// The provider.
pub(crate) static DATADOG: Datadog = Datadog;
/// Where Datadog is asked unless an address is configured.
const USUAL_ADDRESS: &str = "https://api.datadoghq.com";
/// The Secret that is read unless another is named.
const USUAL_SECRET: &str = "datadog";
/// The span of time that is asked for.
const USUAL_INTERVAL: SignedDuration = SignedDuration::from_mins(5);
/// How long an exchange may take.
const USUAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How points become a number; Datadog takes no empty one.
const USUAL_AGGREGATOR: &str = "last";

/// Asks Datadog.
pub(crate) struct Datadog;

impl OneQuestion for Datadog {
    type Settings = DatadogMetric;
    const NAME: &'static str = "datadog";

    fn problems(metric: &DatadogMetric) -> Problems {
        let mut problems = Vec::new();
        let mut refuse = |wrong: bool, path: &str, message: &str| {
            if wrong {
                problems.push(problem(path, message));
            }
        };
        let (query, queries) = (metric.query.is_some(), metric.queries.len());
        let (first, formula) = (is_first_version(metric), metric.formula.is_some());
        let nameless = metric.secret_ref.namespaced && metric.secret_ref.name.is_none();
        refuse(nameless, "secretRef.name", "secret name is required for namespaced credentials");
        let please = "Please review the Analysis Template.";
        refuse(
            !query && queries == 0,
            "query",
            &format!("Must have either a query or queries. {please}"),
        );
        refuse(
            query && queries > 0,
            "queries",
            &format!("Cannot have both a query and queries. {please}"),
        );
        let only = "Query is empty. API Version v1 only supports using the query parameter in your Analysis Template.";
        refuse(first && !query && queries > 0, "query", only);
        refuse(
            formula && queries == 0,
            "formula",
            &format!("Formula are only valid when queries are set. {please}"),
        );
        let ambiguous = "When multiple queries are provided you must include a formula.";
        refuse(!formula && queries > 1, "formula", ambiguous);
        refuse(
            first && metric.aggregator.is_some(),
            "aggregator",
            &format!("Aggregator is not supported in v1. {please}"),
        );
        problems.extend(time_problems(metric));
        problems
    }

    fn credentials(metric: &DatadogMetric) -> Vec<CredentialRef> {
        keys_of(metric).into_iter().flat_map(Keys::refs).collect()
    }

    fn ask(
        metric: &DatadogMetric,
        asked: &Asked<'_>,
        now: Timestamp,
    ) -> Result<Call, MeasureError> {
        let access = keys_of(metric).iter().find_map(|keys| keys.access(asked.credentials));
        let access = access
            .ok_or_else(|| failed("failed to find the credentials for datadog metrics provider"))?;
        if !is_http_url(access.address) {
            return Err(failed("datadog address is not in url format"));
        }
        let interval = metric.interval.as_deref().map(go_duration::parse);
        let interval = interval.and_then(Result::ok).unwrap_or(USUAL_INTERVAL).as_secs();
        let (from, to) = (now.as_second().saturating_sub(interval), now.as_second());
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let timeout = metric.request_timeout.as_deref().map(go_duration::parse);
        let timeout =
            timeout.and_then(Result::ok).and_then(|timeout| Duration::try_from(timeout).ok());
        let (method, url, body) = if is_first_version(metric) {
            ("GET", first_question(metric, access.address, (from, to)), None)
        } else {
            let url = route(access.address, "/api/v2/query/scalar");
            ("POST", url, Some(second_question(metric, (from, to)).into_bytes()))
        };
        Ok(Call {
            method: method.to_owned(),
            url,
            headers: vec![
                header("Content-Type", "application/json"),
                header("DD-API-KEY", access.api),
                header("DD-APPLICATION-KEY", access.app),
            ],
            body,
            timeout: timeout.unwrap_or(USUAL_TIMEOUT),
            insecure: false,
        })
    }

    fn answer(
        metric: &DatadogMetric,
        reply: &Reply,
        _: Timestamp,
    ) -> Result<Measured, MeasureError> {
        if is_first_version(metric) { answer::first(reply) } else { answer::second(reply) }
    }
}

fn time_problems(metric: &DatadogMetric) -> Problems {
    let mut problems = Vec::new();
    match metric.request_timeout.as_deref().map(go_duration::parse) {
        Some(Err(error)) => problems.push(problem(
            "requestTimeout",
            format!(
                "Could not parse the request timeout: {error}. Please review the Analysis Template."
            ),
        )),
        Some(Ok(timeout)) if !timeout.is_positive() => problems.push(problem(
            "requestTimeout",
            "Request timeout must be a positive duration (e.g. 30s). Please review the Analysis Template.",
        )),
        _ => {}
    }
    if let Some(Err(error)) = metric.interval.as_deref().map(go_duration::parse) {
        problems.push(problem("interval", error.to_string()));
    }
    problems
}

fn is_first_version(metric: &DatadogMetric) -> bool {
    metric.api_version.as_deref().unwrap_or("v1") == "v1"
}

/// Where the two keys and the address are.
struct Keys {
    address: Source,
    api: Source,
    app: Source,
    /// Whether these keys count only together with an address.
    needs_address: bool,
}

impl Keys {
    fn of_secret(place: Place, name: &str) -> Self {
        let key = |key: &str| Source::Secret { place, name: name.to_owned(), key: key.to_owned() };
        let (address, api, app) = (key("address"), key("api-key"), key("app-key"));
        Self { address, api, app, needs_address: false }
    }

    fn of_environment() -> Self {
        Self {
            address: Source::Variable("DD_ADDRESS"),
            api: Source::Variable("DD_API_KEY"),
            app: Source::Variable("DD_APP_KEY"),
            needs_address: true,
        }
    }

    fn refs(self) -> [CredentialRef; 3] {
        let Self { address, api, app, .. } = self;
        [CredentialRef::open(address), CredentialRef::hidden(api), CredentialRef::hidden(app)]
    }

    fn access<'a>(&self, credentials: &'a Credentials) -> Option<Access<'a>> {
        if self.needs_address && !matches!(credentials.secret(&self.address), Ok(Some(_))) {
            return None;
        }
        let (api, app) = (credentials.get(&self.api)?, credentials.get(&self.app)?);
        Some(Access { address: credentials.get(&self.address).unwrap_or(USUAL_ADDRESS), api, app })
    }
}

struct Access<'a> {
    address: &'a str,
    api: &'a str,
    app: &'a str,
}

/// Where the access may be, what is looked at first before the rest.
fn keys_of(metric: &DatadogMetric) -> Vec<Keys> {
    let place = if metric.secret_ref.namespaced { Place::Run } else { Place::Controller };
    match (&metric.secret_ref.name, place) {
        (Some(name), place) => vec![Keys::of_secret(place, name)],
        (None, Place::Run) => Vec::new(),
        (None, Place::Controller) => {
            vec![Keys::of_environment(), Keys::of_secret(place, USUAL_SECRET)]
        }
    }
}

fn route(address: &str, path: &str) -> String {
    format!("{}{path}", address.trim_end_matches('/'))
}

fn first_question(metric: &DatadogMetric, address: &str, (from, to): (i64, i64)) -> String {
    let (from, to) = (from.to_string(), to.to_string());
    let query = metric.query.as_deref().unwrap_or_default();
    let question = form(&[("from", &from), ("query", query), ("to", &to)]);
    format!("{}?{question}", route(address, "/api/v1/query"))
}

/// Version 2 counts in milliseconds.
fn second_question(metric: &DatadogMetric, (from, to): (i64, i64)) -> String {
    let aggregator = metric.aggregator.as_deref().unwrap_or(USUAL_AGGREGATOR);
    let only = metric.query.as_deref().map(|query| ("query", query));
    let named = metric.queries.iter().map(|(name, query)| (name.as_str(), query.as_str()));
    let queries = only.into_iter().chain(named).map(|(name, query)| {
        json!({"aggregator": aggregator, "data_source": "metrics", "name": name, "query": query})
    });
    let formulas = metric.formula.iter().map(|formula| json!({"formula": formula}));
    let attributes = json!({
        "from": from.saturating_mul(1_000),
        "to": to.saturating_mul(1_000),
        "queries": queries.collect::<Vec<_>>(),
        "formulas": formulas.collect::<Vec<_>>(),
    });
    json!({"data": {"attributes": attributes, "type": "scalar_request"}}).to_string()
}
