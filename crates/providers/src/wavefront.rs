//! `wavefront`: a query of Wavefront's chart API, at this moment.
//!
//! The result is a number for one series and a list of numbers for several; a series without points is
//! passed over.
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `address` | – | host name of the server |
//! | `query` | – | the query |
//!
//! The token is in the Secret `wavefront-api-tokens` of the controller's namespace, under the address.

use crate::conversation::{
    OneQuestion, Problems, failed, form, is_http_url, problem, status_line, text,
};
use crate::{Asked, CredentialRef, MeasureError, Measured, MeasuredValue, Source, go};
use api::argo::WavefrontMetric;
use jiff::Timestamp;
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};
use vocab::{Call, Reply};

/// The provider.
pub(crate) static WAVEFRONT: Wavefront = Wavefront;
/// The Secret with a token for each address.
const SECRET: &str = "wavefront-api-tokens";
/// How long an exchange may take; upstream sets no limit.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Digits after the point in a measurement's value.
const DIGITS: usize = 2;

/// Asks Wavefront.
pub(crate) struct Wavefront;

impl OneQuestion for Wavefront {
    type Settings = WavefrontMetric;
    const NAME: &'static str = "wavefront";

    fn problems(metric: &WavefrontMetric) -> Problems {
        let address = metric.address.as_deref().unwrap_or_default();
        let mut problems = Vec::new();
        if !is_http_url(&format!("https://{address}")) {
            problems.push(problem("address", "wavefront address is no host name"));
        }
        if metric.query.is_none() {
            problems.push(problem("query", "wavefront query is empty"));
        }
        problems
    }

    fn credentials(metric: &WavefrontMetric) -> Vec<CredentialRef> {
        let address = metric.address.as_deref();
        address.map(|address| CredentialRef::hidden(token(address))).into_iter().collect()
    }

    fn ask(
        metric: &WavefrontMetric,
        asked: &Asked<'_>,
        now: Timestamp,
    ) -> Result<Call, MeasureError> {
        let address = metric.address.as_deref().unwrap_or_default();
        let token = asked.credentials.secret(&token(address))?;
        let token = token.ok_or_else(|| failed("API token not found"))?;
        let milliseconds = now.as_second().saturating_mul(1_000).to_string();
        let question = form(&[
            ("autoEvents", "false"),
            ("e", &milliseconds),
            ("g", "s"),
            // A window of no length holds no point: those around it are asked for too.
            ("i", "true"),
            ("includeObsoleteMetrics", "false"),
            ("listmode", "false"),
            ("p", "1"),
            ("q", metric.query.as_deref().unwrap_or_default()),
            ("s", &milliseconds),
            ("strict", "false"),
        ]);
        let header = |name: &str, value: String| (name.to_owned(), value);
        Ok(Call {
            method: "GET".to_owned(),
            url: format!("https://{}/api/v2/chart/api?{question}", address.trim_end_matches('/')),
            headers: vec![
                header("Authorization", format!("Bearer {token}")),
                header("Accept", "application/json".to_owned()),
            ],
            body: None,
            timeout: TIMEOUT,
            insecure: false,
        })
    }

    fn answer(
        _: &WavefrontMetric,
        reply: &Reply,
        asked_at: Timestamp,
    ) -> Result<Measured, MeasureError> {
        let moment = asked_at.as_second();
        if reply.status != 200 {
            let status = status_line(reply.status);
            return Err(failed(format!("server returned {status}\n{}\n", text(reply))));
        }
        let answer: Answer = serde_json::from_slice(&reply.body)
            .map_err(|error| failed(format!("not an answer of Wavefront: {error}")))?;
        if let Some(message) = answer.error_message.filter(|message| !message.is_empty()) {
            let kind = answer.error_type.unwrap_or_else(|| "error".to_owned());
            return Err(failed(format!("{kind}: {message}")));
        }
        let series = answer.series.unwrap_or_default();
        let nearest: Vec<Point> =
            series.iter().filter_map(|series| series.nearest(moment)).collect();
        let missing = if series.is_empty() { "TimeSeries" } else { "data points" };
        let mut measured = match nearest.as_slice() {
            [] => return Err(failed(format!("No {missing} found in response from Wavefront"))),
            [only] if series.len() == 1 => of_one(only, moment),
            several => of_several(several, moment),
        };
        let warnings = answer.warnings.filter(|warnings| !warnings.is_empty());
        measured.metadata.extend(warnings.map(|warnings| ("warnings".to_owned(), warnings)));
        Ok(measured)
    }
}

fn token(address: &str) -> Source {
    Source::of_controller(SECRET, address)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default, rename = "timeseries")]
    series: Option<Vec<Series>>,
    #[serde(default)]
    warnings: Option<String>,
    #[serde(default)]
    error_type: Option<String>,
    #[serde(default)]
    error_message: Option<String>,
}

#[derive(Deserialize)]
struct Series {
    /// Pairs of seconds since 1970 and a number.
    #[serde(default, rename = "data")]
    points: Option<Vec<(f64, Option<f64>)>>,
}

/// A point in time.
struct Point {
    seconds: f64,
    number: f64,
}

impl Series {
    fn nearest(&self, moment: i64) -> Option<Point> {
        let points = self.points.iter().flatten();
        let points = points
            .filter_map(|(seconds, number)| Some(Point { seconds: *seconds, number: (*number)? }));
        points.min_by(|left, right| left.distance(moment).total_cmp(&right.distance(moment)))
    }
}

impl Point {
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit into 53 bits")]
    fn drift(&self, moment: i64) -> f64 {
        self.seconds - moment as f64
    }

    fn distance(&self, moment: i64) -> f64 {
        self.drift(moment).abs()
    }

    fn value(&self) -> String {
        go::rounded(self.number, DIGITS)
    }
}

fn of_one(point: &Point, moment: i64) -> Measured {
    let (timestamps, drift) = (whole(point.seconds), whole(point.drift(moment)));
    let measured = Measured::new(MeasuredValue::Number(point.number), point.value());
    Measured { metadata: facts(timestamps, drift), ..measured }
}

fn of_several(points: &[Point], moment: i64) -> Measured {
    let listed = |text: &dyn Fn(&Point) -> String| go::list(points.iter().map(text), ",");
    let (timestamps, drift) =
        (listed(&|point| whole(point.seconds)), listed(&|point| whole(point.drift(moment))));
    let numbers = points.iter().map(|point| point.number).collect();
    let measured = Measured::new(MeasuredValue::Numbers(numbers), listed(&Point::value));
    Measured { metadata: facts(timestamps, drift), ..measured }
}

#[expect(clippy::cast_possible_truncation, reason = "a cast of a float is cut off at the ends")]
fn whole(seconds: f64) -> String {
    (seconds as i64).to_string()
}

fn facts(timestamps: String, drift: String) -> BTreeMap<String, String> {
    [("timestamps".to_owned(), timestamps), ("drift".to_owned(), drift)].into()
}
