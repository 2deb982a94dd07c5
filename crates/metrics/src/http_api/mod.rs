//! Prometheus' HTTP API as functions: parameters in, status code and JSON body out.
//!
//! Start with [`respond`]. Sockets are the business of whoever calls it.

mod parameters;
mod wording;

pub use parameters::Parameters;

use crate::Labels;
use crate::promql::{self, ErrorKind, Options, QueryError, Range};
use crate::series::{Ring, SeriesStore};
use jiff::Timestamp;
use parameters::BadParameter;
use std::collections::BTreeSet;

/// The version of Prometheus whose API this is, as `status/buildinfo` shows it.
pub const VERSION: &str = "3.5.0";

/// An answer: a status code and a JSON body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status code.
    pub status: u16,
    /// The JSON body.
    pub body: String,
}

/// Whose answer is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The path after `/api/v1/`, for example `query_range`.
    pub path: &'a str,
    /// The parameters of the URL and, for a form, of the body.
    pub parameters: &'a Parameters,
    /// The present time, for the queries that name none.
    pub now: Timestamp,
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    BadParameter(#[from] BadParameter),
    #[error("{}", named(.0))]
    Query(QueryError),
    #[error("there is no {0:?} in this query API")]
    UnknownPath(String),
}

/// Answers a request to the query API; it never fails, for errors are answers too.
pub fn respond(store: &SeriesStore, request: Request<'_>, options: &Options) -> Reply {
    let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let answer = match parts.as_slice() {
        ["query"] => instant(store, request, options),
        ["query_range"] => range(store, request, options),
        ["series"] => series(store, request),
        ["labels"] => labels(store, request),
        ["label", name, "values"] => label_values(store, request, name),
        ["status", "buildinfo"] => Ok(wording::build_info(VERSION)),
        ["metadata"] => Ok("{}".to_owned()),
        _ => Err(Refusal::UnknownPath(request.path.to_owned())),
    };
    match answer {
        Ok(data) => Reply { status: 200, body: wording::success(&data) },
        Err(refusal) => refused(&refusal),
    }
}

fn instant(
    store: &SeriesStore,
    request: Request<'_>,
    options: &Options,
) -> Result<String, Refusal> {
    let at = request.parameters.time("time")?.unwrap_or(request.now);
    let query = request.parameters.query();
    let value = promql::query_instant(store, query, at, options).map_err(Refusal::Query)?;
    Ok(wording::value(&value))
}

fn range(store: &SeriesStore, request: Request<'_>, options: &Options) -> Result<String, Refusal> {
    let parameters = request.parameters;
    let range = Range {
        start: parameters.required_time("start")?,
        end: parameters.required_time("end")?,
        step: parameters.required_duration("step")?,
    };
    let query = parameters.query();
    let value = promql::query_range(store, query, range, options).map_err(Refusal::Query)?;
    Ok(wording::value(&value))
}

fn series(store: &SeriesStore, request: Request<'_>) -> Result<String, Refusal> {
    if request.parameters.all("match[]").next().is_none() {
        return Err(BadParameter::NoMatch.into());
    }
    Ok(wording::label_sets(&selected(store, request)?))
}

fn labels(store: &SeriesStore, request: Request<'_>) -> Result<String, Refusal> {
    let selected = selected(store, request)?;
    let names: BTreeSet<&str> = selected.iter().flat_map(|l| l.iter().map(|(n, _)| n)).collect();
    Ok(wording::words(&names))
}

fn label_values(store: &SeriesStore, request: Request<'_>, name: &str) -> Result<String, Refusal> {
    if !crate::labels::is_label_name(name) {
        return Err(BadParameter::LabelName(name.to_owned()).into());
    }
    let selected = selected(store, request)?;
    let values: BTreeSet<&str> =
        selected.iter().map(|l| l.get(name)).filter(|v| !v.is_empty()).collect();
    Ok(wording::words(&values))
}

/// The label sets that any `match[]` selects, or all, with samples between `start` and `end`.
fn selected<'a>(
    store: &'a SeriesStore,
    request: Request<'_>,
) -> Result<BTreeSet<&'a Labels>, Refusal> {
    let start = request.parameters.time("start")?.map_or(i64::MIN, Timestamp::as_millisecond);
    let end = request.parameters.time("end")?.map_or(i64::MAX, Timestamp::as_millisecond);
    let alive = |ring: &Ring| ring.iter().any(|p| (start..=end).contains(&p.at));
    let mut found = BTreeSet::new();
    let mut any = false;
    for selector in request.parameters.all("match[]") {
        any = true;
        let matchers = promql::parse_selector(selector)
            .map_err(|error| BadParameter::Match(error.to_string()))?;
        let series = promql::matching_series(store, &matchers);
        found.extend(series.into_iter().filter(|(_, ring)| alive(ring)).map(|(l, _)| l));
    }
    if !any {
        let all = store.series(None);
        found.extend(all.into_iter().filter(|(_, ring)| alive(ring)).map(|(l, _)| l));
    }
    Ok(found)
}

/// Prometheus names the parameter when the text of the query is at fault.
fn named(error: &QueryError) -> String {
    match error {
        QueryError::Unparsed(_)
        | QueryError::Unsupported { .. }
        | QueryError::TooLong { .. }
        | QueryError::TooDeep { .. } => format!("invalid parameter \"query\": {error}"),
        QueryError::NotForRange(_) => format!("invalid parameter \"query\": {error}"),
        QueryError::InvalidStep => format!("invalid parameter \"step\": {error}"),
        QueryError::EndBeforeStart => format!("invalid parameter \"end\": {error}"),
        _ => error.to_string(),
    }
}

fn refused(refusal: &Refusal) -> Reply {
    let (status, kind) = match refusal {
        Refusal::BadParameter(_) => (400, "bad_data"),
        Refusal::UnknownPath(_) => (404, "not_found"),
        Refusal::Query(error) => match error.kind() {
            ErrorKind::BadData => (400, "bad_data"),
            ErrorKind::Execution => (422, "execution"),
        },
    };
    Reply { status, body: wording::error(kind, &refusal.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::METRIC_NAME;

    fn store() -> SeriesStore {
        let mut store = SeriesStore::default();
        for (job, value) in [("a", 1.0), ("b", f64::INFINITY)] {
            let labels = Labels::new([(METRIC_NAME, "up"), ("job", job)]);
            store.append(&labels, Timestamp::from_millisecond(1_500).unwrap(), value).unwrap();
        }
        store
    }

    fn check(url: &str, status: u16, body: &str) {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let parameters = Parameters::from_url(query);
        let now = Timestamp::from_millisecond(2_250).unwrap();
        let request = Request { path, parameters: &parameters, now };
        let reply = respond(&store(), request, &Options::default());
        assert_eq!((reply.status, reply.body.as_str()), (status, body), "{url}");
    }

    #[test]
    fn values_read_as_prometheus_words_them() {
        check(
            "query?query=up%7Bjob%3D%22b%22%7D",
            200,
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"b"},"value":[2.250,"+Inf"]}]}}"#,
        );
        check(
            "query?query=1%2B1&time=1970-01-01T00:00:07Z",
            200,
            r#"{"status":"success","data":{"resultType":"scalar","result":[7,"2"]}}"#,
        );
        check(
            "query_range?query=sum(up)&start=2&end=3&step=1s",
            200,
            r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[2,"+Inf"],[3,"+Inf"]]}]}}"#,
        );
        check(
            "query?query=%22a%22&time=1",
            200,
            r#"{"status":"success","data":{"resultType":"string","result":[1,"a"]}}"#,
        );
    }

    #[test]
    fn what_is_known_can_be_listed() {
        check("labels", 200, r#"{"status":"success","data":["__name__","job"]}"#);
        check("label/job/values", 200, r#"{"status":"success","data":["a","b"]}"#);
        check(
            "series?match[]=up{job=\"a\"}",
            200,
            r#"{"status":"success","data":[{"__name__":"up","job":"a"}]}"#,
        );
        check("labels?start=5", 200, r#"{"status":"success","data":[]}"#);
    }

    #[test]
    fn errors_name_the_parameter_and_the_kind() {
        let bad = |message: &str| {
            format!(r#"{{"status":"error","errorType":"bad_data","error":"{message}"}}"#)
        };
        check(
            "query?query=nope(up)",
            400,
            &bad(
                r#"invalid parameter \"query\": parse error: 1:1: unknown function with name \"nope\""#,
            ),
        );
        check(
            "query?query=up&time=x",
            400,
            &bad(r#"invalid parameter \"time\": cannot parse \"x\" to a valid timestamp"#),
        );
        check(
            "query_range?query=up&start=1&end=2&step=0",
            400,
            &bad(
                r#"invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer"#,
            ),
        );
        check("series", 400, &bad("no match[] parameter provided"));
        check(
            "rules",
            404,
            r#"{"status":"error","errorType":"not_found","error":"there is no \"rules\" in this query API"}"#,
        );
        check(
            "query?query=sum(up)%2Bon(x)group_left()up%2Bon()up",
            422,
            r#"{"status":"error","errorType":"execution","error":"found duplicate series for the match group {} on the right hand-side of the operation: [up{job=\"b\"}, up{job=\"a\"}];many-to-many matching not allowed: matching labels must be unique on one side"}"#,
        );
    }
}
