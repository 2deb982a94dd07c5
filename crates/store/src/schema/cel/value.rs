//! JSON values as CEL sees them, typed by their schema: texts with a format become times, spans and bytes.

use std::collections::BTreeMap;

use cel::common::types::{
    CelBool, CelBytes, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString,
};
use cel::common::value::{CowVal, Val};
use serde_json::{Number, Value};

use super::library::ENVIRONMENT;
use crate::schema::{Schema, Shape};

/// The value with its types: whole numbers become `int`, others `double`, as the schema says.
pub(super) fn typed<'v>(schema: Option<&Schema>, value: &'v Value) -> Box<dyn Val + 'v> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(truth) => Box::new(CelBool::from(*truth)),
        Value::Number(number) => typed_number(schema, number),
        Value::String(text) => typed_text(schema, text),
        Value::Array(list) => {
            let inner = schema.and_then(|schema| schema.items.as_deref());
            let items: Vec<_> = list.iter().map(|item| typed(inner, item)).collect();
            Box::new(CelList::from(items))
        }
        Value::Object(map) => {
            let fields = map.iter().map(|(key, value)| {
                let field = schema.and_then(|schema| schema.field(key)).map(AsRef::as_ref);
                (CelMapKey::from(spelled(schema, key)), typed(field, value))
            });
            Box::new(map_of(fields))
        }
    }
}

/// A map of CEL, which keeps its fields by their hashes.
#[expect(clippy::disallowed_types, reason = "the crate's own map; nothing here goes by its order")]
pub(super) fn map_of<'v>(
    fields: impl Iterator<Item = (CelMapKey<'v>, Box<dyn Val + 'v>)>,
) -> CelMap<'v> {
    CelMap::from(fields.collect::<std::collections::HashMap<_, _>>())
}

fn typed_number<'v>(schema: Option<&Schema>, number: &Number) -> Box<dyn Val + 'v> {
    let decimal = schema.is_some_and(|schema| schema.shape == Shape::Number);
    match number.as_i64().filter(|_| !decimal) {
        Some(whole) => Box::new(CelInt::from(whole)),
        None => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
    }
}

fn typed_text<'v>(schema: Option<&Schema>, text: &'v str) -> Box<dyn Val + 'v> {
    use base64::Engine as _;
    let format = schema.filter(|schema| schema.shape == Shape::String);
    let read = match format.map_or("", |schema| schema.format.as_str()) {
        "duration" => converted("duration", text),
        "date-time" => converted("timestamp", text),
        "date" => converted("timestamp", &format!("{text}T00:00:00Z")),
        "byte" => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok();
            bytes.map(|bytes| Box::new(CelBytes::from(bytes)) as Box<dyn Val>)
        }
        _ => None,
    };
    read.unwrap_or_else(|| Box::new(CelString::from(text)))
}

/// What a conversion of the standard library makes of a text.
fn converted<'v>(function: &str, text: &str) -> Option<Box<dyn Val + 'v>> {
    let argument = CowVal::owned(CelString::from(text.to_owned()));
    let convert = ENVIRONMENT.find_overload(function, std::slice::from_ref(&argument))?;
    convert(vec![argument]).ok().map(CowVal::into_owned)
}

/// Words that CEL keeps for itself; a field of such a name is written with underscores around it.
const RESERVED: [&str; 20] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
];

/// How rules spell a field of a structure; the keys of maps stay as they are.
pub(super) fn spelled(schema: Option<&Schema>, key: &str) -> String {
    if !schema.is_some_and(|schema| schema.properties.contains_key(key)) {
        return key.to_owned();
    }
    if RESERVED.contains(&key) || key == "while" {
        return format!("__{key}__");
    }
    let escapes = BTreeMap::from([('.', "__dot__"), ('-', "__dash__"), ('/', "__slash__")]);
    let whole = key.replace("__", "__underscores__");
    let letters = whole.chars().map(|letter| {
        escapes.get(&letter).map_or_else(|| letter.to_string(), |word| (*word).to_owned())
    });
    letters.collect()
}
