//! What is hunted: one reader, one file.

mod answers;
mod conditions;
mod durations;
mod json_paths;
mod promql;
mod templates;

use crate::Target;

/// Every target, in alphabetical order.
pub const TARGETS: &[Target] = &[
    answers::TARGET,
    conditions::TARGET,
    durations::TARGET,
    json_paths::TARGET,
    promql::TARGET,
    templates::TARGET,
];

/// The target of a name.
pub fn named(name: &str) -> Option<Target> {
    TARGETS.iter().find(|target| target.name == name).copied()
}

/// An input as two texts: its first line, and all the rest.
fn in_two(input: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(input);
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    (first.to_owned(), rest.to_owned())
}

/// The lines of a text as inputs.
fn lines(text: &str) -> Vec<Vec<u8>> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.as_bytes().to_vec())
        .collect()
}
