//! Histograms as a CSV table: one interval a line, cumulative counts by edge.
//!
//! The first line names the columns, in any order: `canary_total`, `stable_total` and for each edge, in
//! any unit, such as 0.25, `canary_le_0.25` and `stable_le_0.25`: how many requests took at most that
//! long, as in Prometheus' buckets.

use super::{Cell, MAX_MISTAKES, Mistake, What, cells, content, read_counts};
use crate::{
    counts::IntervalId,
    latency::{LatencyInterval, Slow},
};

/// The columns that there can be.
const COLUMNS: &str = "canary_total, stable_total, canary_le_EDGE, stable_le_EDGE";

/// A table that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Histograms {
    /// The edges, rising.
    pub edges: Vec<f64>,
    /// The intervals, numbered by their place.
    pub intervals: Vec<LatencyInterval>,
}

/// Reads a table.
pub fn read(text: &str) -> Result<Histograms, Vec<Mistake>> {
    let mut lines = content(text);
    let (number, line) = lines.next().unwrap_or((1, ""));
    let layout = Layout::read(number, line)?;
    let (mut intervals, mut mistakes) = (Vec::new(), Vec::new());
    for ((number, line), id) in lines.zip(0..) {
        match layout.row(number, &cells(line)) {
            Ok((canary, stable)) => {
                intervals.push(LatencyInterval { id: IntervalId(id), canary, stable });
            }
            Err(found) => mistakes.extend(found),
        }
        if mistakes.len() >= MAX_MISTAKES {
            break;
        }
    }
    let edges = layout.canary.up_to.iter().map(|(edge, _)| *edge).collect();
    if mistakes.is_empty() { Ok(Histograms { edges, intervals }) } else { Err(mistakes) }
}

/// Where what stands in a line.
struct Layout {
    names: Vec<String>,
    canary: Side,
    stable: Side,
}

/// The places of one version's values.
#[derive(Default)]
struct Side {
    total: Option<usize>,
    /// Rising edges, and the place of each.
    up_to: Vec<(f64, usize)>,
}

impl Layout {
    fn read(line: usize, text: &str) -> Result<Self, Vec<Mistake>> {
        let cells = cells(text);
        let names = cells.iter().map(|cell| cell.text.to_owned()).collect();
        let mut layout = Self { names, canary: Side::default(), stable: Side::default() };
        let mut mistakes = Vec::new();
        for (place, cell) in cells.iter().enumerate() {
            let taken = layout.take(cell, place);
            mistakes.extend(taken.err().map(|what| Mistake { line, column: cell.column, what }));
        }
        for side in [&mut layout.canary, &mut layout.stable] {
            side.up_to.sort_by(|one, other| one.0.total_cmp(&other.0));
        }
        if mistakes.is_empty() {
            let absent = layout.absent().into_iter().map(|name| What::MissingColumn { name });
            mistakes.extend(absent.map(|what| Mistake { line, column: 1, what }));
        }
        if mistakes.is_empty() { Ok(layout) } else { Err(mistakes) }
    }

    /// Takes a column in.
    fn take(&mut self, cell: &Cell<'_>, place: usize) -> Result<(), What> {
        let name = cell.text.to_ascii_lowercase();
        let (side, rest) = if let Some(rest) = name.strip_prefix("canary_") {
            (&mut self.canary, rest)
        } else if let Some(rest) = name.strip_prefix("stable_") {
            (&mut self.stable, rest)
        } else {
            (&mut self.canary, "")
        };
        let edge = rest.strip_prefix("le_").and_then(|edge| edge.parse::<f64>().ok());
        let is_new = match edge.filter(|edge| edge.is_finite()) {
            Some(edge) => {
                let is_new = side.up_to.iter().all(|(known, _)| known.total_cmp(&edge).is_ne());
                side.up_to.push((edge, place));
                is_new
            }
            None if rest == "total" => side.total.replace(place).is_none(),
            None => {
                let (text, columns) = (cell.text.to_owned(), COLUMNS.to_owned());
                return Err(What::UnknownColumn { text, columns });
            }
        };
        if is_new { Ok(()) } else { Err(What::ColumnTwice { name: cell.text.to_owned() }) }
    }

    /// The columns that should be there.
    fn absent(&self) -> Vec<String> {
        let (canary, stable) = (&self.canary, &self.stable);
        let mut absent = Vec::new();
        for (arm, side, other) in [("canary", canary, stable), ("stable", stable, canary)] {
            if side.total.is_none() {
                absent.push(format!("{arm}_total"));
            }
            let lacks =
                |edge: &f64| side.up_to.iter().all(|(known, _)| known.total_cmp(edge).is_ne());
            let edges = other.up_to.iter().map(|(edge, _)| *edge).filter(lacks);
            absent.extend(edges.map(|edge| format!("{arm}_le_{edge}")));
        }
        if canary.up_to.is_empty() && stable.up_to.is_empty() {
            absent.extend(["canary_le_EDGE", "stable_le_EDGE"].map(str::to_owned));
        }
        absent
    }

    fn row(&self, line: usize, cells: &[Cell<'_>]) -> Result<(Slow, Slow), Vec<Mistake>> {
        let counts = read_counts(line, cells, &self.names)?;
        let slow = |arm, side: &Side| {
            let up_to: Vec<u64> = side.up_to.iter().map(|(_, place)| counts[*place]).collect();
            let total = side.total.unwrap_or_default();
            Slow::from_buckets(&up_to, counts[total]).map_err(|error| {
                let what = What::Impossible { arm, error };
                Mistake { line, column: cells[total].column, what }
            })
        };
        match (slow("canary", &self.canary), slow("stable", &self.stable)) {
            (Ok(canary), Ok(stable)) => Ok((canary, stable)),
            (canary, stable) => Err([canary.err(), stable.err()].into_iter().flatten().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "canary_total,canary_le_1,canary_le_0.1,stable_total,stable_le_0.1,stable_le_1";

    #[test]
    fn edges_are_put_in_order() {
        let text = format!("# seconds\n{HEADER}\n10,9,5,100,50,90\n");
        let Histograms { edges, intervals } = read(&text).unwrap();
        assert_eq!(edges, [0.1, 1.0]);
        assert_eq!(intervals[0].canary, Slow::from_buckets(&[5, 9], 10).unwrap());
        assert_eq!(intervals[0].stable, Slow::from_buckets(&[50, 90], 100).unwrap());
    }

    fn check(text: &str, expected: &[&str]) {
        let mistakes: Vec<String> =
            read(text).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(mistakes, expected, "{text}");
    }

    #[test]
    fn every_mistake_has_its_place() {
        check(
            "",
            &[
                "1:1: `` is no column: must be one of canary_total, stable_total, canary_le_EDGE, stable_le_EDGE",
            ],
        );
        check(
            "canary_total,stable_total",
            &["1:1: there is no column canary_le_EDGE", "1:1: there is no column stable_le_EDGE"],
        );
        check("canary_total,canary_le_1,canary_le_1.0", &["1:26: canary_le_1.0 is named twice"]);
        check(
            "canary_total,canary_le_2,stable_le_1,canary_le_x",
            &[
                "1:38: `canary_le_x` is no column: must be one of canary_total, stable_total, canary_le_EDGE, stable_le_EDGE",
            ],
        );
        check(
            "canary_total,canary_le_2,stable_le_1",
            &[
                "1:1: there is no column canary_le_1",
                "1:1: there is no column stable_total",
                "1:1: there is no column stable_le_2",
            ],
        );
        check(
            &format!("{HEADER}\n10,4,5,100,50,101\n1,y,3,4,5,6"),
            &[
                "2:1: canary: a count of 4 after a larger one: counts up to an edge must not fall",
                "2:8: stable: 101 bad of 100: bad must be at most the total",
                "3:3: `y` in canary_le_1 is not a whole number",
            ],
        );
    }
}
