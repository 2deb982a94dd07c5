//! Durations as Go writes them, in metrics and in conditions.

use crate::{Seen, Target};
use analysis::{condition, duration};
use jiff::Timestamp;
use std::time::Duration;

pub(super) const TARGET: Target = Target { name: "durations", seeds, words: WORDS, read };

const WORDS: &[&str] =
    &["h", "m", "s", "ms", "us", "µs", "μs", "ns", "d", ".", "-", "+", "1", "0", "e9"];
/// The longest there is, as in Go.
const LONGEST: Duration = Duration::from_secs(9_223_372_037);

fn seeds() -> Vec<Vec<u8>> {
    let texts =
        ["30s", "1h15m", "1.5h", "250ms", "0", "-5s", "1h0m0.5s", ".5s", "1.s", "99999999999h"];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

fn read(input: &[u8]) -> Seen {
    let text = String::from_utf8_lossy(input).into_owned();
    let read = duration::parse(&text);
    let measured = condition::Measured::Json(text.into());
    let asked = "duration(result) == duration(result)";
    let in_condition = condition::holds(asked, &measured, Timestamp::UNIX_EPOCH);
    match (read, in_condition) {
        (Ok(read), _) if read > LONGEST => Err(format!("{read:?} is longer than Go's longest")),
        (Ok(_), Ok(true)) => Ok("read".to_owned()),
        (Err(error), Err(_)) => Ok(error.to_string()),
        (read, in_condition) => {
            Err(format!("a metric reads {read:?}, a condition {in_condition:?}"))
        }
    }
}
