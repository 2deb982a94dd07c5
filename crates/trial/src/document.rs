//! YAML with the place of every value.
//!
//! Start with [`read`]. Places are found by paths as Kubernetes writes them: `spec.metrics[0].name`.

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};
use serde_saphyr::{Location, Spanned};
use std::{collections::BTreeMap, fmt};

/// A text and what it is called.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its file, as people name it.
    pub file: String,
    /// What is in it.
    pub text: String,
}

/// Where something stands, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: u64,
    /// The column, counted from 1.
    pub column: u64,
    /// The field; empty for the whole.
    pub path: String,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, path, message } = self;
        let separator = if path.is_empty() { "" } else { ": " };
        write!(f, "{file}:{line}:{column}: {path}{separator}{message}")
    }
}

/// One object of a file.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file.
    pub file: String,
    /// The object.
    pub value: Value,
    /// Where it begins.
    start: Place,
    /// Where its fields and items are.
    places: BTreeMap<String, Place>,
}

impl Document {
    /// A text field at a JSON pointer, or the empty text.
    pub fn text(&self, pointer: &str) -> &str {
        self.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// A problem with the field at `path`, or with the nearest field above it that is there.
    pub fn problem(&self, path: &str, message: impl Into<String>) -> Problem {
        let Place { line, column } = self.place(path);
        let (file, path) = (self.file.clone(), path.to_owned());
        Problem { file, line, column, path, message: message.into() }
    }

    /// Whether there is a field or an item at `path`.
    pub fn has(&self, path: &str) -> bool {
        self.places.contains_key(path)
    }

    /// The place of a field, or of the nearest field above it that is there.
    pub fn place(&self, path: &str) -> Place {
        let mut path = path;
        loop {
            if let Some(place) = self.places.get(path) {
                return *place;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return self.start,
            }
        }
    }
}

/// Reads every object of a text; lists are taken apart.
///
/// # Errors
/// Where the text is not YAML.
pub fn read(source: &Source) -> Result<Vec<Document>, Problem> {
    let nodes: Vec<Spanned<Node>> = serde_saphyr::from_multiple(&source.text)
        .map_err(|error| unreadable(&source.file, &error))?;
    Ok(nodes
        .into_iter()
        .flat_map(objects)
        .filter_map(|node| document(&source.file, node))
        .collect())
}

fn unreadable(file: &str, error: &serde_saphyr::Error) -> Problem {
    let place = error.location();
    let words = error.without_snippet().to_string();
    Problem {
        file: file.to_owned(),
        line: place.map_or(1, |place| place.line()),
        column: place.map_or(1, |place| place.column()),
        path: String::new(),
        message: words.lines().next().unwrap_or_default().to_owned(),
    }
}

/// The items of a `List`, or the object itself.
fn objects(node: Spanned<Node>) -> Vec<Spanned<Node>> {
    let is_list = matches!(&node.value, Node::Map(fields)
        if fields.iter().any(|(key, value)| key.value == "kind" && value.value.is_text("List")));
    match node.value {
        Node::Map(fields) if is_list => {
            let items = fields.into_iter().find(|(key, _)| key.value == "items");
            match items.map(|(_, items)| items.value) {
                Some(Node::List(items)) => items,
                _ => Vec::new(),
            }
        }
        value => vec![Spanned { value, ..node }],
    }
}

fn document(file: &str, node: Spanned<Node>) -> Option<Document> {
    let start = place(node.referenced);
    let mut places = BTreeMap::new();
    let value = node.value.into_value("", &mut places);
    let file = file.to_owned();
    (!value.is_null()).then_some(Document { file, value, start, places })
}

fn place(location: Location) -> Place {
    Place { line: location.line(), column: location.column() }
}

/// YAML as it stands.
enum Node {
    Plain(Value),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

impl Node {
    fn is_text(&self, text: &str) -> bool {
        matches!(self, Self::Plain(Value::String(found)) if found == text)
    }

    /// The value, while the places below `path` are noted.
    fn into_value(self, path: &str, places: &mut BTreeMap<String, Place>) -> Value {
        match self {
            Self::Plain(value) => value,
            Self::List(items) => {
                let item = |(index, item): (usize, Spanned<Self>)| {
                    let path = format!("{path}[{index}]");
                    places.insert(path.clone(), place(item.referenced));
                    item.value.into_value(&path, places)
                };
                Value::Array(items.into_iter().enumerate().map(item).collect())
            }
            Self::Map(fields) => {
                let separator = if path.is_empty() { "" } else { "." };
                let field = |(key, field): (Spanned<String>, Spanned<Self>)| {
                    let path = format!("{path}{separator}{}", key.value);
                    places.insert(path.clone(), place(key.referenced));
                    (key.value, field.value.into_value(&path, places))
                };
                Value::Object(fields.into_iter().map(field).collect::<Map<_, _>>())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Plain(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Plain(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Plain(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Plain(value.into()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Plain(value.into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Plain(Value::Null))
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Plain(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Node::Map(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(text: &str) -> Vec<Document> {
        read(&Source { file: "a.yaml".to_owned(), text: text.to_owned() }).unwrap()
    }

    #[track_caller]
    fn check(document: &Document, path: &str, line: u64, column: u64) {
        assert_eq!(document.place(path), Place { line, column }, "{path}");
    }

    #[test]
    fn every_field_and_item_has_its_place() {
        let text = "kind: A\nspec:\n  metrics:\n  - name: m\n    count: 3\n  - &x name: n\n---\n\nkind: B\n";
        let found = documents(text);
        assert_eq!(found.len(), 2);
        check(&found[0], "spec", 2, 1);
        check(&found[0], "spec.metrics", 3, 3);
        check(&found[0], "spec.metrics[0]", 4, 5);
        check(&found[0], "spec.metrics[0].count", 5, 5);
        check(&found[0], "spec.metrics[0].provider.web", 4, 5);
        check(&found[0], "status.phase", 1, 1);
        check(&found[1], "kind", 9, 1);
        assert_eq!(found[0].value["spec"]["metrics"][0]["count"], 3);
    }

    #[test]
    fn a_list_is_taken_apart_and_empty_documents_are_none() {
        let found =
            documents("---\n---\nkind: List\nitems:\n- kind: A\n- kind: B\n  spec: {a: 1}\n");
        assert_eq!(found.iter().map(|it| it.text("/kind")).collect::<Vec<_>>(), ["A", "B"]);
        check(&found[1], "spec.a", 7, 10);
    }

    #[test]
    fn what_is_not_yaml_is_told_with_its_place() {
        let source = Source { file: "a.yaml".to_owned(), text: "a: 1\nb: [\n".to_owned() };
        let problem = read(&source).unwrap_err();
        assert!(problem.to_string().starts_with("a.yaml:"), "{problem}");
        assert!(problem.line > 1, "{problem}");
    }
}
