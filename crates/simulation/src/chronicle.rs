//! A run as a text: every request of a controller and every change of an object, in order.

use crate::{history::Step, picture::Picture, run::Ran};
use faults::{Passed, Verb};
use jiff::Timestamp;
use serde_json::Value;
use std::fmt::Write;

/// The longest change of an object that is shown, in characters.
const SHOWN: usize = 2000;

/// What the controllers asked for and what changed, one line each.
pub fn chronicle(ran: &Ran) -> String {
    let mut lines: Vec<(Timestamp, String)> = Vec::new();
    let mut picture = Picture::default();
    for step in &ran.history.steps {
        lines.push((step.at, told(step, &picture)));
        picture.apply(step);
    }
    let requests = ran.trace.passed.iter().filter(|passed| passed.verb != Verb::Watch);
    lines.extend(requests.map(|passed| (passed.at, asked(passed))));
    lines.sort_by_key(|(at, _)| *at);
    let mut text = String::new();
    for (at, line) in lines {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{at} {line}");
    }
    text
}

fn asked(passed: &Passed) -> String {
    let Passed { sender, verb, path, fate, .. } = passed;
    format!("  {}/{} {verb:?} {path}: {fate:?}", sender.name, sender.life)
}

fn told(step: &Step, before: &Picture) -> String {
    let (_, namespace, name) = step.key();
    let by = step.by.as_ref().map_or("others".to_owned(), |by| format!("{}/{}", by.name, by.life));
    let change = match (before.before(step), step.after()) {
        (_, None) => "gone".to_owned(),
        (None, Some(after)) => format!("new {}", plain(after)),
        (Some(before), Some(after)) => vocab::merge_patch_between(&plain(before), &plain(after))
            .map_or("nothing".to_owned(), |patch| patch.to_string()),
    };
    let change: String = change.chars().take(SHOWN).collect();
    format!("{} {namespace}/{name} by {by}: {change}", step.resource)
}

/// An object without what every write changes.
fn plain(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for noise in ["managedFields", "resourceVersion"] {
            metadata.remove(noise);
        }
    }
    object
}
