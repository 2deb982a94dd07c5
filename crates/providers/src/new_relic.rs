//! `newRelic`: a query in NRQL, asked of `NerdGraph`.
//!
//! The result is a map for an answer of one row and a list of maps for several; no row is an error.
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `query` | – | the query |
//! | `profile` | `newrelic` | the Secret with the access, in the controller's namespace |
//! | `timeout` | 5 | seconds that New Relic may spend on the query |
//!
//! The Secret holds `personal-api-key` and `account-id`, and perhaps `region` (`us`, `eu`, `staging`)
//! and `base-url-nerdgraph`.

use crate::conversation::{OneQuestion, Problems, failed, is_http_url, problem};
use crate::{Asked, CredentialRef, Credentials, MeasureError, Measured, MeasuredValue, Source, go};
use api::argo::NewRelicMetric;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use vocab::{Call, Reply};

/// The provider.
pub(crate) static NEW_RELIC: NewRelic = NewRelic;
/// The Secret that is read unless another is named.
const USUAL_PROFILE: &str = "newrelic";
/// Seconds that New Relic may spend on a query.
const USUAL_QUERY_SECONDS: i64 = 5;
/// How long an exchange may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Key under which the query as it was sent is kept.
const RESOLVED_QUERY: &str = "ResolvedNewRelicQuery";
/// What is asked of `NerdGraph`.
const QUESTION: &str = "query ($query: Nrql!, $accountId: Int!, $timeout: Seconds!) { actor { \
    account(id: $accountId) { nrql(query: $query, timeout: $timeout) { results } } } }";
/// What New Relic's client says about a key that is not taken.
const BAD_KEY: &str =
    "Invalid credentials provided. Missing API key or an invalid API key was provided.";

/// Asks New Relic.
pub(crate) struct NewRelic;

impl OneQuestion for NewRelic {
    type Settings = NewRelicMetric;
    const NAME: &'static str = "newRelic";

    fn problems(metric: &NewRelicMetric) -> Problems {
        let mut problems = Vec::new();
        if metric.query.is_empty() {
            problems.push(problem("query", "newRelic query is empty"));
        }
        if metric.timeout.is_some_and(|seconds| seconds < 0) {
            problems.push(problem("timeout", "timeout value needs to be a positive value"));
        }
        problems
    }

    fn credentials(metric: &NewRelicMetric) -> Vec<CredentialRef> {
        let open = ["account-id", "base-url-nerdgraph", "region"];
        let open = open.map(|key| CredentialRef::open(source(metric, key)));
        let key = CredentialRef::hidden(source(metric, "personal-api-key"));
        open.into_iter().chain([key]).collect()
    }

    fn ask(metric: &NewRelicMetric, asked: &Asked<'_>, _: Timestamp) -> Result<Call, MeasureError> {
        let secret = |key: &str| asked.credentials.secret(&source(metric, key));
        let (key, account) = (secret("personal-api-key")?, secret("account-id")?);
        let (Some(key), Some(account)) = (present(key), present(account)) else {
            return Err(failed("account ID or personal API key not found"));
        };
        let url = address(metric, asked.credentials)?;
        let account: i64 = account.parse().map_err(|_| {
            failed(format!(
                "could not parse account ID: strconv.Atoi: parsing {account:?}: invalid syntax"
            ))
        })?;
        let timeout = metric.timeout.unwrap_or(USUAL_QUERY_SECONDS);
        let variables = json!({"accountId": account, "query": metric.query, "timeout": timeout});
        let body = json!({"query": QUESTION, "variables": variables}).to_string();
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Ok(Call {
            method: "POST".to_owned(),
            url,
            headers: vec![header("Content-Type", "application/json"), header("Api-Key", key)],
            body: Some(body.into_bytes()),
            timeout: TIMEOUT,
            insecure: false,
        })
    }

    fn answer(_: &NewRelicMetric, reply: &Reply, _: Timestamp) -> Result<Measured, MeasureError> {
        let answer = serde_json::from_slice::<Answer>(&reply.body);
        let faults = answer.as_ref().map(|answer| told(&answer.errors)).unwrap_or_default();
        match reply.status {
            200..=299 => {}
            404 => return Err(failed("resource not found")),
            402 => return Err(failed("Payment Required")),
            401 if !faults.is_empty() => {
                return Err(failed(format!("401 response returned: {BAD_KEY}")));
            }
            status if faults.is_empty() => {
                return Err(failed(format!("{status} response returned")));
            }
            status => return Err(failed(format!("{status} response returned: {faults}"))),
        }
        let answer =
            answer.map_err(|error| failed(format!("not an answer of New Relic: {error}")))?;
        let is_warning = |fault: &Fault| fault.message.starts_with("This field is deprecated!");
        if !faults.is_empty() && !answer.errors.iter().any(is_warning) {
            return Err(failed(faults));
        }
        measured(&answer.data["actor"]["account"]["nrql"]["results"])
    }

    fn metadata(metric: &NewRelicMetric) -> BTreeMap<String, String> {
        let query = Some(&metric.query).filter(|query| !query.is_empty());
        query.map(|query| (RESOLVED_QUERY.to_owned(), query.clone())).into_iter().collect()
    }
}

fn source(metric: &NewRelicMetric, key: &str) -> Source {
    Source::of_controller(metric.profile.as_deref().unwrap_or(USUAL_PROFILE), key)
}

fn present(value: Option<&str>) -> Option<&str> {
    value.filter(|value| !value.is_empty())
}

fn address(metric: &NewRelicMetric, credentials: &Credentials) -> Result<String, MeasureError> {
    if let Some(own) = credentials.get(&source(metric, "base-url-nerdgraph")) {
        let own = is_http_url(own).then(|| own.to_owned());
        return own.ok_or_else(|| failed("base-url-nerdgraph is not in url format"));
    }
    let region = credentials.get(&source(metric, "region")).unwrap_or("us");
    let host = match region.to_ascii_lowercase().as_str() {
        "us" => "api.newrelic.com",
        "eu" => "api.eu.newrelic.com",
        "jp" => "api.jp.newrelic.com",
        "gov" | "fedramp" => "gov-api.newrelic.com",
        "staging" => "staging-api.newrelic.com",
        _ => return Err(failed(format!("unknown region: {region}"))),
    };
    Ok(format!("https://{host}/graphql"))
}

#[derive(Default, Deserialize)]
struct Answer {
    #[serde(default)]
    data: Value,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    message: String,
}

fn told(faults: &[Fault]) -> String {
    let told = faults.iter().map(|fault| fault.message.as_str());
    told.filter(|message| !message.is_empty()).collect::<Vec<_>>().join(", ")
}

fn measured(results: &Value) -> Result<Measured, MeasureError> {
    let rows = results.as_array().map(Vec::as_slice).unwrap_or_default();
    let result = match rows {
        [] => None,
        [row] => row.as_object().is_some_and(|row| !row.is_empty()).then_some(row),
        _ => Some(results),
    };
    let result = result.ok_or_else(|| failed("no results returned from NRQL query"))?;
    Ok(Measured::new(MeasuredValue::Json(result.clone()), go::json(result)))
}
