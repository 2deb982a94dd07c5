//! Counts as a CSV table: one interval a line.
//!
//! The columns are `canary_bad,canary_total,stable_bad,stable_total`, in that order, or in any order
//! under a line that names them. Blank lines and lines that begin with `#` are passed over. Every
//! mistake is reported at once, by line and column of the text. [`buckets`] reads histograms.

pub mod buckets;

use crate::counts::{Arm, CountError, Interval, IntervalId};

/// The columns, in the order that is meant when nothing names them.
pub const COLUMNS: [&str; 4] = ["canary_bad", "canary_total", "stable_bad", "stable_total"];
/// Mistakes after which the rest is not looked at.
const MAX_MISTAKES: usize = 100;

/// A mistake in a table, and where it is; both count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {what}")]
pub struct Mistake {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
    /// What is wrong.
    pub what: What,
}

/// What can be wrong in a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum What {
    /// A line has another number of values than there are columns.
    #[error("{found} values: there must be {}, {}", columns.len(), columns.join(","))]
    WrongLength {
        /// How many there are.
        found: usize,
        /// The columns.
        columns: Vec<String>,
    },
    /// A value is not a count.
    #[error("`{text}` in {name} is not a whole number")]
    NotACount {
        /// The column's name.
        name: String,
        /// What was there.
        text: String,
    },
    /// The first line names something that is no column.
    #[error("`{text}` is no column: must be one of {columns}")]
    UnknownColumn {
        /// What was there.
        text: String,
        /// The columns that there are.
        columns: String,
    },
    /// The first line names a column twice.
    #[error("{name} is named twice")]
    ColumnTwice {
        /// The column's name.
        name: String,
    },
    /// A column is not there.
    #[error("there is no column {name}")]
    MissingColumn {
        /// Its name.
        name: String,
    },
    /// Numbers that cannot be counts of one arm.
    #[error("{arm}: {error}")]
    Impossible {
        /// Which arm.
        arm: &'static str,
        /// Why not.
        error: CountError,
    },
}

/// A value of a line, and the column of its first character.
struct Cell<'a> {
    text: &'a str,
    column: usize,
}

/// For each column the place of its value in a line.
type Order = [usize; 4];

/// Reads a table; intervals are numbered by their place.
pub fn read(text: &str) -> Result<Vec<Interval>, Vec<Mistake>> {
    let mut lines = content(text).peekable();
    let mut order: Order = [0, 1, 2, 3];
    if let Some((number, line)) = lines.next_if(|(_, line)| is_header(line)) {
        order = read_header(number, line)?;
    }
    let (mut intervals, mut mistakes) = (Vec::new(), Vec::new());
    for ((number, line), id) in lines.zip(0..) {
        match read_row(number, &cells(line), order) {
            Ok((canary, stable)) => intervals.push(Interval { id: IntervalId(id), canary, stable }),
            Err(found) => mistakes.extend(found),
        }
        if mistakes.len() >= MAX_MISTAKES {
            break;
        }
    }
    if mistakes.is_empty() { Ok(intervals) } else { Err(mistakes) }
}

/// The lines that hold something, by number.
fn content(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines.filter(|(_, line)| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    })
}

/// Whether a line names columns: it holds no number, and something that could be a name.
fn is_header(line: &str) -> bool {
    let named = |cell: &Cell<'_>| cell.text.starts_with(|first: char| first.is_alphabetic());
    let cells = cells(line);
    cells.iter().any(named) && cells.iter().all(|cell| cell.text.parse::<f64>().is_err())
}

fn cells(line: &str) -> Vec<Cell<'_>> {
    let mut start = 1;
    let cell = |part: &'_ str| {
        let column = start + part.chars().take_while(|c| c.is_whitespace()).count();
        start += part.chars().count() + 1;
        column
    };
    let columns: Vec<usize> = line.split(',').map(cell).collect();
    line.split(',').zip(columns).map(|(part, column)| Cell { text: part.trim(), column }).collect()
}

fn read_header(line: usize, text: &str) -> Result<Order, Vec<Mistake>> {
    let (mut places, mut mistakes) = ([None; 4], Vec::new());
    let cells = cells(text);
    for (place, cell) in cells.iter().enumerate() {
        let mut wrong = |what| mistakes.push(Mistake { line, column: cell.column, what });
        let known = COLUMNS.iter().position(|name| name.eq_ignore_ascii_case(cell.text));
        match known {
            None => wrong(What::UnknownColumn {
                text: cell.text.to_owned(),
                columns: COLUMNS.join(", "),
            }),
            Some(known) if places[known].is_some() => {
                wrong(What::ColumnTwice { name: COLUMNS[known].to_owned() });
            }
            Some(known) => places[known] = Some(place),
        }
    }
    let [Some(a), Some(b), Some(c), Some(d)] = places else {
        let absent = COLUMNS.iter().zip(places).filter(|(_, place)| place.is_none());
        mistakes.extend(absent.map(|(name, _)| {
            let what = What::MissingColumn { name: (*name).to_owned() };
            Mistake { line, column: 1, what }
        }));
        return Err(mistakes);
    };
    if mistakes.is_empty() { Ok([a, b, c, d]) } else { Err(mistakes) }
}

fn read_row(line: usize, cells: &[Cell<'_>], order: Order) -> Result<(Arm, Arm), Vec<Mistake>> {
    let mut names = [""; 4];
    for (name, place) in COLUMNS.into_iter().zip(order) {
        names[place] = name;
    }
    let counts = read_counts(line, cells, &names)?;
    let arm = |arm, bad: usize| {
        Arm::new(counts[order[bad]], counts[order[bad + 1]]).map_err(|error| {
            let column = cells[order[bad]].column;
            Mistake { line, column, what: What::Impossible { arm, error } }
        })
    };
    match (arm("canary", 0), arm("stable", 2)) {
        (Ok(canary), Ok(stable)) => Ok((canary, stable)),
        (canary, stable) => Err([canary.err(), stable.err()].into_iter().flatten().collect()),
    }
}

/// The counts of a line, one for each column.
fn read_counts(
    line: usize,
    cells: &[Cell<'_>],
    names: &[impl AsRef<str>],
) -> Result<Vec<u64>, Vec<Mistake>> {
    if cells.len() != names.len() {
        let columns = names.iter().map(|name| name.as_ref().to_owned()).collect();
        let what = What::WrongLength { found: cells.len(), columns };
        return Err(vec![Mistake { line, column: 1, what }]);
    }
    let (mut counts, mut mistakes) = (Vec::with_capacity(names.len()), Vec::new());
    for (cell, name) in cells.iter().zip(names) {
        if let Some(count) = read_count(cell.text) {
            counts.push(count);
            continue;
        }
        let (name, text) = (name.as_ref().to_owned(), cell.text.to_owned());
        let what = What::NotACount { name, text };
        mistakes.push(Mistake { line, column: cell.column, what });
    }
    if mistakes.is_empty() { Ok(counts) } else { Err(mistakes) }
}

/// A count, also as notebooks write it: `12`, `12.0`, `1.2e1`.
fn read_count(text: &str) -> Option<u64> {
    text.parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        // Beyond 2⁵³ a number with a point is not the one that was meant.
        let exact = number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number);
        exact.then(|| whole(number))
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the caller knows it to be whole, not negative and small enough"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(u64, u64, u64, u64)]) {
        let read = read(text).unwrap();
        let rows = read.iter().map(|Interval { canary, stable, .. }| {
            (canary.bad(), canary.total(), stable.bad(), stable.total())
        });
        assert_eq!(rows.collect::<Vec<_>>(), expected, "{text}");
    }

    fn check_mistakes(text: &str, expected: &[&str]) {
        let mistakes: Vec<String> =
            read(text).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(mistakes, expected, "{text}");
    }

    #[test]
    fn a_table_is_read_with_and_without_names() {
        check("1,2,3,4\n5,6,7,8\n", &[(1, 2, 3, 4), (5, 6, 7, 8)]);
        check("canary_bad,canary_total,stable_bad,stable_total\n1,2,3,4", &[(1, 2, 3, 4)]);
        check("stable_total, stable_bad,canary_total,canary_bad\n4,3,2,1\n", &[(1, 2, 3, 4)]);
        check("\u{feff}# note\r\n\r\n 1 , 2.0,3,4e0\r\n", &[(1, 2, 3, 4)]);
        check("", &[]);
    }

    #[test]
    fn every_mistake_has_its_place() {
        check_mistakes(
            "1,2,3,4\n5,x,7,-8\n# fine\n3,2,9,8\n1,2\n",
            &[
                "2:3: `x` in canary_total is not a whole number",
                "2:7: `-8` in stable_total is not a whole number",
                "4:1: canary: 3 bad of 2: bad must be at most the total",
                "4:5: stable: 9 bad of 8: bad must be at most the total",
                "5:1: 2 values: there must be 4, canary_bad,canary_total,stable_bad,stable_total",
            ],
        );
        check_mistakes(
            "1,2,3.5,\n",
            &[
                "1:5: `3.5` in stable_bad is not a whole number",
                "1:9: `` in stable_total is not a whole number",
            ],
        );
        check_mistakes(
            "canary_bad,total,canary_bad,x\n",
            &[
                "1:12: `total` is no column: must be one of canary_bad, canary_total, stable_bad, stable_total",
                "1:18: canary_bad is named twice",
                "1:29: `x` is no column: must be one of canary_bad, canary_total, stable_bad, stable_total",
                "1:1: there is no column canary_total",
                "1:1: there is no column stable_bad",
                "1:1: there is no column stable_total",
            ],
        );
        check_mistakes(
            "NaN,inf,1e99,1\n",
            &[
                "1:1: `NaN` in canary_bad is not a whole number",
                "1:5: `inf` in canary_total is not a whole number",
                "1:9: `1e99` in stable_bad is not a whole number",
            ],
        );
    }

    #[test]
    fn a_table_of_nothing_but_mistakes_is_not_read_to_its_end() {
        assert_eq!(read(&"x1\n".repeat(1000)).unwrap_err().len(), 5);
        assert_eq!(read(&"1\n".repeat(1000)).unwrap_err().len(), MAX_MISTAKES);
    }
}
