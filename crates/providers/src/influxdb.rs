//! `influxdb`: a query in Flux.
//!
//! The result is the list of the column `_value` of every row of every table; no row is an error.
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `query` | – | the query |
//! | `profile` | `influxdb` | the Secret with the access, in the controller's namespace |
//!
//! The Secret holds `address`, `authToken` and `org`.

use crate::conversation::{
    OneQuestion, Problems, failed, form, is_http_url, problem, status_line, text,
};
use crate::{Asked, CredentialRef, MeasureError, Measured, MeasuredValue, Source, go};
use api::argo::InfluxdbMetric;
use csv::{ReaderBuilder, StringRecord};
use jiff::Timestamp;
use serde_json::{Number, Value, json};
use std::time::Duration;
use vocab::{Call, Reply};

/// The provider.
pub(crate) static INFLUXDB: Influxdb = Influxdb;
/// The Secret that is read unless another is named.
const USUAL_PROFILE: &str = "influxdb";
/// How long an exchange may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The column that holds the numbers.
const VALUE_COLUMN: &str = "_value";

/// Asks an `InfluxDB` server.
pub(crate) struct Influxdb;

impl OneQuestion for Influxdb {
    type Settings = InfluxdbMetric;
    const NAME: &'static str = "influxdb";

    fn problems(metric: &InfluxdbMetric) -> Problems {
        let empty = metric.query.is_none().then(|| problem("query", "influxdb query is empty"));
        empty.into_iter().collect()
    }

    fn credentials(metric: &InfluxdbMetric) -> Vec<CredentialRef> {
        let open = ["address", "org"].map(|key| CredentialRef::open(source(metric, key)));
        let token = CredentialRef::hidden(source(metric, "authToken"));
        open.into_iter().chain([token]).collect()
    }

    fn ask(metric: &InfluxdbMetric, asked: &Asked<'_>, _: Timestamp) -> Result<Call, MeasureError> {
        let secret = |key: &str| asked.credentials.secret(&source(metric, key));
        let all = (secret("authToken")?, secret("address")?, secret("org")?);
        let (Some(token), Some(address), Some(org)) = all else {
            return Err(failed("authToken, org, or address not found"));
        };
        if [token, address, org].contains(&"") {
            return Err(failed("authToken, org, or address not found"));
        }
        if !is_http_url(address) {
            return Err(failed("influxdb address is not in url format"));
        }
        let dialect = json!({
            "annotations": ["datatype", "group", "default"], "delimiter": ",", "header": true,
        });
        let body = json!({"dialect": dialect, "query": metric.query, "type": "flux"}).to_string();
        let header = |name: &str, value: String| (name.to_owned(), value);
        Ok(Call {
            method: "POST".to_owned(),
            url: format!(
                "{}/api/v2/query?{}",
                address.trim_end_matches('/'),
                form(&[("org", org)])
            ),
            headers: vec![
                header("Authorization", format!("Token {token}")),
                header("Content-Type", "application/json".to_owned()),
            ],
            body: Some(body.into_bytes()),
            timeout: TIMEOUT,
            insecure: false,
        })
    }

    fn answer(_: &InfluxdbMetric, reply: &Reply, _: Timestamp) -> Result<Measured, MeasureError> {
        if !(200..300).contains(&reply.status) {
            return Err(refused(reply));
        }
        let values = Tables::default().read(&reply.body)?;
        if values.is_empty() {
            return Err(failed("no results returned from flux query"));
        }
        let value = go::list(values.iter().map(Cell::printed), " ");
        let numbers: Option<Vec<f64>> = values.iter().map(Cell::number).collect();
        let result = match numbers {
            Some(numbers) => MeasuredValue::Numbers(numbers),
            None => MeasuredValue::Json(values.iter().map(Cell::json).collect()),
        };
        Ok(Measured::new(result, value))
    }
}

fn source(metric: &InfluxdbMetric, key: &str) -> Source {
    Source::of_controller(metric.profile.as_deref().unwrap_or(USUAL_PROFILE), key)
}

/// Errors are JSON where `InfluxDB` itself refuses, and anything where something before it does.
fn refused(reply: &Reply) -> MeasureError {
    let json: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let field = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    let (code, message) = (field("code"), field("message"));
    failed(match (code.is_empty(), message.is_empty(), reply.status) {
        (false, false, _) => format!("{code}: {message}"),
        (true, false, _) => message,
        (_, true, 429) => "too many requests: exceeded rate limit".to_owned(),
        (_, true, 503) => "unavailable: service temporarily unavailable".to_owned(),
        (_, true, status) => format!("{}: {}", status_line(status), text(reply)),
    })
}

/// One cell of a table.
#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Nothing,
    Number(f64),
    /// A whole number, which is shown with all its digits.
    Whole(f64, String),
    Bool(bool),
    Text(String),
}

impl Cell {
    fn read(text: &str, kind: &str) -> Result<Self, MeasureError> {
        if text.is_empty() {
            return Ok(Self::Nothing);
        }
        match kind {
            "double" => Ok(Self::Number(text.parse().map_err(|_| wrong(text, kind))?)),
            "long" | "unsignedLong" => {
                let number = text.parse().map_err(|_| wrong(text, kind))?;
                Ok(Self::Whole(number, text.to_owned()))
            }
            "boolean" => Ok(Self::Bool(!text.eq_ignore_ascii_case("false"))),
            "string" | "duration" | "base64Binary" => Ok(Self::Text(text.to_owned())),
            _ if kind.starts_with("dateTime") => Ok(Self::Text(text.to_owned())),
            _ => Err(failed(format!("{VALUE_COLUMN} has unknown data type {kind}"))),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) | Self::Whole(number, _) => Some(*number),
            Self::Nothing | Self::Bool(_) | Self::Text(_) => None,
        }
    }

    fn printed(&self) -> String {
        match self {
            Self::Nothing => "<nil>".to_owned(),
            Self::Number(number) => go::printed(*number),
            Self::Whole(_, digits) => digits.clone(),
            Self::Bool(truth) => truth.to_string(),
            Self::Text(text) => text.clone(),
        }
    }

    /// A number that JSON does not know is null: missing.
    fn json(&self) -> Value {
        match self {
            Self::Nothing => Value::Null,
            Self::Number(number) | Self::Whole(number, _) => {
                Number::from_f64(*number).map_or(Value::Null, Value::Number)
            }
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Text(text) => Value::String(text.clone()),
        }
    }
}

fn wrong(text: &str, kind: &str) -> MeasureError {
    failed(format!("parsing error, {text:?} is no {kind}"))
}

/// Tables in CSV, each with rows of annotations and a row of names before its data.
#[derive(Default)]
struct Tables {
    types: Vec<String>,
    defaults: Vec<String>,
    names: Vec<String>,
    awaits: Awaits,
}

/// What the next row without an annotation is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Awaits {
    #[default]
    Annotations,
    Names,
    Data,
    Fault,
}

impl Tables {
    fn read(mut self, body: &[u8]) -> Result<Vec<Cell>, MeasureError> {
        let mut values = Vec::new();
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(body);
        for row in reader.records() {
            let row = row.map_err(|error| failed(format!("parsing error, {error}")))?;
            if row.len() > 1 {
                values.extend(self.row(&row)?);
            }
        }
        Ok(values)
    }

    fn row(&mut self, row: &StringRecord) -> Result<Option<Cell>, MeasureError> {
        let cells = || row.iter().skip(1).map(str::to_owned).collect::<Vec<_>>();
        if row[0].starts_with('#') {
            if self.awaits != Awaits::Names {
                *self = Self { awaits: Awaits::Names, ..Self::default() };
            }
            match &row[0] {
                "#datatype" => self.types = cells(),
                "#default" => self.defaults = cells(),
                _ => {}
            }
            return Ok(None);
        }
        match self.awaits {
            Awaits::Annotations => Err(failed("parsing error, annotations not found")),
            Awaits::Names if self.types.is_empty() => {
                Err(failed("parsing error, datatype annotation not found"))
            }
            Awaits::Names => {
                self.awaits = if &row[1] == "error" { Awaits::Fault } else { Awaits::Data };
                self.names = cells();
                Ok(None)
            }
            Awaits::Fault => Err(fault(row)),
            Awaits::Data => self.value(row).map(Some),
        }
    }

    /// A table without the column has no value in any row, as upstream has it.
    fn value(&self, row: &StringRecord) -> Result<Cell, MeasureError> {
        let (cells, columns) = (row.len() - 1, self.types.len());
        if cells != columns {
            return Err(failed(format!(
                "parsing error, row has different number of columns than the table: {cells} vs {columns}"
            )));
        }
        let Some(at) = self.names.iter().position(|name| name == VALUE_COLUMN) else {
            return Ok(Cell::Nothing);
        };
        let own = row.get(at + 1).filter(|text| !text.is_empty());
        let text = own.or_else(|| self.defaults.get(at).map(String::as_str)).unwrap_or_default();
        Cell::read(text, self.types.get(at).map(String::as_str).unwrap_or_default())
    }
}

/// The server found out too late that it cannot answer, after it had said 200.
fn fault(row: &StringRecord) -> MeasureError {
    let cell = |at: usize| row.get(at).filter(|text| !text.is_empty());
    let message = cell(1).unwrap_or("unknown query error");
    let reference = cell(2).map(|reference| format!(",{reference}")).unwrap_or_default();
    failed(format!("{message}{reference}"))
}
