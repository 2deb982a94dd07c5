//! What differs on purpose: the entries of `conformance/differences.yaml`.

use crate::compare::Difference;
use crate::pattern::fits;
use serde::Deserialize;
use std::collections::BTreeSet;

/// One difference we stand by.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deliberate {
    /// What differs, as one sentence for the documentation.
    pub what: String,
    /// Why it stays.
    pub reason: String,
    /// Where it shows.
    pub at: Vec<Spot>,
}

/// Exchanges and places, with `*` for any text.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spot {
    /// Sequence and exchange: `20-pods/*`.
    pub exchange: String,
    /// Place in the answer: `body.spec.tolerations*`.
    pub place: String,
}

/// Tells deliberate differences from others and remembers which entries were needed.
#[derive(Debug)]
pub struct Tally<'a> {
    entries: &'a [Deliberate],
    used: BTreeSet<(usize, usize)>,
}

impl<'a> Tally<'a> {
    /// Starts with no entry used.
    pub fn new(entries: &'a [Deliberate]) -> Self {
        Self { entries, used: BTreeSet::new() }
    }

    /// The differences that no entry covers.
    pub fn others(&mut self, sequence: &str, found: Vec<Difference>) -> Vec<Difference> {
        found.into_iter().filter(|difference| !self.covers(sequence, difference)).collect()
    }

    fn covers(&mut self, sequence: &str, difference: &Difference) -> bool {
        let exchange = format!("{sequence}/{}", difference.exchange);
        let mut covered = false;
        for (at, entry) in self.entries.iter().enumerate() {
            for (spot_at, spot) in entry.at.iter().enumerate() {
                if fits(&spot.exchange, &exchange) && fits(&spot.place, &difference.place) {
                    self.used.insert((at, spot_at));
                    covered = true;
                }
            }
        }
        covered
    }

    /// The spots where nothing differs any more, in words; they must go.
    pub fn stale(&self) -> Vec<String> {
        let mut stale = Vec::new();
        for (at, entry) in self.entries.iter().enumerate() {
            for (spot_at, spot) in entry.at.iter().enumerate() {
                if !self.used.contains(&(at, spot_at)) {
                    let Spot { exchange, place } = spot;
                    stale.push(format!("{}: {exchange} at {place}", entry.what));
                }
            }
        }
        stale
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(exchange: &str, place: &str) -> Deliberate {
        let at = vec![Spot { exchange: exchange.to_owned(), place: place.to_owned() }];
        Deliberate { what: "x".to_owned(), reason: "y".to_owned(), at }
    }

    fn difference(place: &str) -> Difference {
        let (exchange, place) = ("e".to_owned(), place.to_owned());
        Difference { exchange, place, real: Some(json!(1)), ours: None }
    }

    #[test]
    fn an_entry_covers_only_its_place() {
        let entries = [entry("s/*", "body.a*")];
        let mut tally = Tally::new(&entries);
        let left = tally.others("s", vec![difference("body.a.b"), difference("body.c")]);
        assert_eq!(left, [difference("body.c")]);
        assert!(tally.stale().is_empty());
    }

    #[test]
    fn an_entry_that_covers_nothing_is_stale() {
        let entries = [entry("t/*", "body")];
        let mut tally = Tally::new(&entries);
        assert_eq!(tally.others("s", vec![difference("body")]).len(), 1);
        assert_eq!(tally.stale(), ["x: t/* at body"]);
    }
}
