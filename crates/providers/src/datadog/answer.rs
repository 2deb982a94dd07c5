//! What Datadog's answers mean.

use crate::conversation::{failed, text};
use crate::{MeasureError, Measured, MeasuredValue, go};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vocab::Reply;

/// How many groups are named in a measurement's metadata; conditions see all of them.
const GROUPS_SHOWN_MAX: usize = 100;
/// The type of a column of numbers.
const NUMBERS: &str = "number";
/// The type of a column of groups.
const GROUPS: &str = "group";

/// Reads an answer of version 1: the last point of the first series.
pub(super) fn first(reply: &Reply) -> Result<Measured, MeasureError> {
    let answer: First = json_of(reply)?;
    if let Some(error) = answer.error.filter(|error| !error.is_empty()) {
        return Err(in_query(&error));
    }
    let Some(point) = answer.series.iter().flatten().next().and_then(|series| series.last()) else {
        return Ok(Measured::new(
            MeasuredValue::Json(Value::Null),
            shown(answer.series.as_deref()),
        ));
    };
    match point.as_slice() {
        [_, Some(number)] => Ok(Measured::new(MeasuredValue::Number(*number), go::fixed(*number))),
        [_, None] => Ok(Measured::new(MeasuredValue::Json(Value::Null), "null".to_owned())),
        _ => Err(failed("Datapoint does not have 2 values")),
    }
}

/// Reads an answer of version 2: the first column of numbers, with their groups.
pub(super) fn second(reply: &Reply) -> Result<Measured, MeasureError> {
    let answer: Second = json_of(reply)?;
    let data = answer.data.unwrap_or_default();
    if let Some(error) = data.errors.filter(|error| !error.is_empty()) {
        return Err(in_query(&error));
    }
    let columns = data.attributes.unwrap_or_default().columns.unwrap_or_default();
    let numbers = columns.iter().find(|column| matches!(column.kind.as_str(), "" | NUMBERS));
    let groups: Vec<&Column> = columns.iter().filter(|column| column.kind == GROUPS).collect();
    let rows = numbers.map(|numbers| rows(numbers, &groups)).transpose()?.unwrap_or_default();
    let Some((_, only)) = rows.first() else {
        return Ok(Measured::new(MeasuredValue::Json(Value::Null), "[]".to_owned()));
    };
    if groups.is_empty() {
        return Ok(Measured::new(MeasuredValue::Number(*only), go::fixed(*only)));
    }
    let numbers: Vec<f64> = rows.iter().map(|(_, number)| *number).collect();
    let value = go::list(numbers.iter().map(|number| go::fixed(*number)), ",");
    let metadata = named(rows);
    Ok(Measured { metadata, ..Measured::new(MeasuredValue::Numbers(numbers), value) })
}

#[derive(Deserialize)]
struct First {
    #[serde(default)]
    series: Option<Vec<Series>>,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Deserialize)]
struct Series {
    #[serde(default)]
    pointlist: Option<Vec<Vec<Option<f64>>>>,
}

impl Series {
    fn last(&self) -> Option<&Vec<Option<f64>>> {
        self.pointlist.as_ref()?.last()
    }
}

#[derive(Deserialize)]
struct Second {
    #[serde(default)]
    data: Option<Data>,
}

#[derive(Default, Deserialize)]
struct Data {
    #[serde(default)]
    attributes: Option<Attributes>,
    #[serde(default)]
    errors: Option<String>,
}

#[derive(Default, Deserialize)]
struct Attributes {
    #[serde(default)]
    columns: Option<Vec<Column>>,
}

#[derive(Deserialize)]
struct Column {
    #[serde(default)]
    name: String,
    /// Older answers leave it out of columns of numbers.
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    values: Vec<Value>,
}

fn json_of<T: for<'a> Deserialize<'a>>(reply: &Reply) -> Result<T, MeasureError> {
    let (status, body) = (reply.status, || text(reply));
    match status {
        200 => {}
        401 | 403 => {
            let what = "received authentication error response code";
            return Err(failed(format!("{what}: {status} {}", body())));
        }
        _ => return Err(failed(format!("received non 2xx response code: {status} {}", body()))),
    }
    serde_json::from_slice(&reply.body)
        .map_err(|error| failed(format!("Could not parse JSON body: {error}")))
}

fn in_query(error: &str) -> MeasureError {
    failed(format!("There were errors in your query: {error}"))
}

/// A list without a point, as upstream keeps it in place of a value.
fn shown(series: Option<&[Series]>) -> String {
    let Some(series) = series else { return "null".to_owned() };
    let points = series.iter().map(|series| json!({"Pointlist": series.pointlist}));
    points.collect::<Value>().to_string()
}

/// The numbers of a column with the names of their groups, without those that are null.
fn rows(numbers: &Column, groups: &[&Column]) -> Result<Vec<(String, f64)>, MeasureError> {
    let present = numbers.values.iter().enumerate().filter(|(_, value)| !value.is_null());
    let row = |(index, value): (usize, &Value)| {
        let number = value.as_f64().ok_or_else(|| not_a_number(value, &numbers.name))?;
        let name = group(groups, index)
            .ok_or_else(|| failed(format!("could not parse group label at index {index}")))?;
        Ok((name, number))
    };
    present.map(row).collect()
}

/// The name of a row's group: its tags in every column of groups.
fn group(groups: &[&Column], index: usize) -> Option<String> {
    let mut tags = Vec::new();
    for column in groups {
        let of_row = column.values.get(index)?.as_array().filter(|tags| !tags.is_empty())?;
        for tag in of_row {
            tags.push(tag.as_str()?);
        }
    }
    Some(tags.join(","))
}

fn not_a_number(value: &Value, column: &str) -> MeasureError {
    let kind = match value {
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Array(_) => "array",
        _ => "object",
    };
    let why = format!("json: cannot unmarshal {kind} into Go value of type float64");
    let value = value.to_string();
    failed(format!("could not parse numeric value {value:?} in column {column:?}: {why}"))
}

/// Which group has which number. Of many only the lowest and the highest are named: whether low or high
/// is bad is the condition's to know.
fn named(mut rows: Vec<(String, f64)>) -> BTreeMap<String, String> {
    let mut metadata = BTreeMap::new();
    if rows.len() > GROUPS_SHOWN_MAX {
        rows.sort_by(|(_, left), (_, right)| left.total_cmp(right));
        let half = GROUPS_SHOWN_MAX / 2;
        rows.drain(half..rows.len() - half);
        metadata.insert("groups_truncated".to_owned(), "true".to_owned());
    }
    let groups = rows.iter().map(|(name, number)| json!({"name": name, "value": number}));
    metadata.insert("groups".to_owned(), go::json(&groups.collect()));
    metadata
}
