//! One hunt: inputs are changed and read until something goes wrong or it is time to end.

use crate::{Target, mutate::mutated};
use chance::Chance;
use std::{
    collections::BTreeSet,
    panic::catch_unwind,
    time::{Duration, Instant},
};

/// Makes the first choices of seeds that follow each other unlike.
const SCATTER: u64 = 0xa076_1d64_78bd_642f;
/// Most inputs that are kept to be changed again.
const MOST_KEPT: usize = 4_000;
/// Most letters of what came of an input that tell it from others.
const SORT_LETTERS: usize = 60;
/// Most attempts to make an input that was found shorter.
const MOST_CUTS: usize = 3_000;

/// How a hunt goes.
#[derive(Clone, Copy, Debug)]
pub struct Hunt {
    /// What is left to chance.
    pub seed: u64,
    /// How long one input may take.
    pub patience: Duration,
}

/// What a hunt came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// How many inputs were read.
    pub runs: u64,
    /// How many sorts of outcome there were.
    pub sorts: usize,
    /// What went wrong, if anything.
    pub finding: Option<Finding>,
}

/// An input and what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The input, as short as it was made.
    pub input: Vec<u8>,
    /// What went wrong.
    pub what: String,
}

/// Reads the target's seeds and then changed ones, as long as `goes_on` says so; it is told how many were
/// read, and each input before it is read.
pub fn hunt(target: &Target, hunt: Hunt, mut goes_on: impl FnMut(u64, &[u8]) -> bool) -> Report {
    let mut chance = Chance::of(hunt.seed ^ SCATTER);
    let mut kept = (target.seeds)();
    let mut sorts = BTreeSet::new();
    let mut runs = 0;
    let count = kept.len();
    let mut seeds = kept.clone().into_iter();
    loop {
        let input = seeds.next().unwrap_or_else(|| changed(target, &kept, &mut chance));
        if !goes_on(runs, &input) {
            return Report { runs, sorts: sorts.len(), finding: None };
        }
        runs += 1;
        match read(target, hunt, &input) {
            Ok(sort) => {
                if sorts.insert(sort) && kept.len() < count + MOST_KEPT {
                    kept.push(input);
                }
            }
            Err(what) => {
                let finding = Some(shortened(target, hunt, Finding { input, what }));
                return Report { runs, sorts: sorts.len(), finding };
            }
        }
    }
}

fn changed(target: &Target, kept: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut one = || chance.pick(kept).map_or(&[][..], Vec::as_slice);
    let (input, other) = (one(), one());
    mutated(input, other, target.words, chance)
}

/// The sort of what came of an input, or what went wrong.
fn read(target: &Target, hunt: Hunt, input: &[u8]) -> Result<String, String> {
    let began = Instant::now();
    let seen = catch_unwind(|| (target.read)(input)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("panicked: {}", text.unwrap_or("without words")))
    })?;
    let took = began.elapsed();
    if took > hunt.patience {
        return Err(format!("took {:.1} s", took.as_secs_f64()));
    }
    Ok(sort_of(&seen))
}

/// What came of an input without its numbers and its quoted pieces; a quote that is escaped ends none.
fn sort_of(seen: &str) -> String {
    let (mut quote, mut is_escaped) = (None, false);
    let letters = seen.chars().filter(|letter| match quote {
        Some(_) if is_escaped => {
            is_escaped = false;
            false
        }
        Some(open) if open == *letter => {
            quote = None;
            true
        }
        Some(open) => {
            is_escaped = open == '"' && *letter == '\\';
            false
        }
        None => {
            quote = matches!(letter, '"' | '`').then_some(*letter);
            !letter.is_ascii_digit()
        }
    });
    letters.take(SORT_LETTERS).collect()
}

/// Cuts pieces away, ever smaller ones, as long as something goes wrong all the same.
fn shortened(target: &Target, hunt: Hunt, mut finding: Finding) -> Finding {
    let mut size = finding.input.len() / 2;
    let mut cuts = 0;
    // What takes long is not done again and again.
    let is_slow = finding.what.starts_with("took ");
    while size > 0 && !is_slow {
        let mut at = 0;
        while at < finding.input.len() && cuts < MOST_CUTS {
            cuts += 1;
            let mut input = finding.input.clone();
            input.drain(at..(at + size).min(finding.input.len()));
            match read(target, hunt, &input) {
                Err(what) => finding = Finding { input, what },
                Ok(_) => at += size,
            }
        }
        size /= 2;
    }
    finding
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUNT: Hunt = Hunt { seed: 7, patience: Duration::from_mins(1) };

    fn planted(read: fn(&[u8]) -> crate::Seen) -> Target {
        let seeds = || vec![b"1h30m".to_vec(), b"250ms".to_vec(), b"-5s".to_vec()];
        Target { name: "planted", seeds, words: &["h", "ms", "µs"], read }
    }

    /// A reader of durations that cuts a text where a letter of two bytes may be.
    #[expect(clippy::unnecessary_wraps, reason = "targets may break a promise")]
    fn cuts_a_letter(input: &[u8]) -> crate::Seen {
        let Ok(text) = std::str::from_utf8(input) else { return Ok("no text".to_owned()) };
        let unit = if text.len() > 2 { &text[text.len() - 1..] } else { text };
        Ok(unit.len().to_string())
    }

    /// A reader that promises never to answer a negative number, and does.
    fn forgets_a_sign(input: &[u8]) -> crate::Seen {
        let text = String::from_utf8_lossy(input);
        let minutes = text.split_once('m').and_then(|(before, _)| before.parse::<i64>().ok());
        match minutes {
            Some(minutes) if minutes < 0 => Err(format!("{minutes} minutes")),
            _ => Ok("minutes".to_owned()),
        }
    }

    #[test]
    fn a_planted_panic_is_found_and_made_short() {
        let report = hunt(&planted(cuts_a_letter), HUNT, |runs, _| runs < 20_000);
        let finding = report.finding.unwrap();
        assert!(finding.what.contains("char boundary"), "{}", finding.what);
        assert!(finding.input.len() <= 4, "{:?}", finding.input);
    }

    #[test]
    fn a_planted_broken_promise_is_found() {
        let report = hunt(&planted(forgets_a_sign), HUNT, |runs, _| runs < 20_000);
        assert!(report.finding.unwrap().what.ends_with("minutes"));
    }

    #[test]
    fn a_hunt_depends_on_its_seed() {
        let runs = |seed| {
            let mut inputs = Vec::new();
            let hunt_of = Hunt { seed, ..HUNT };
            let target = planted(|input| Ok(input.len().to_string()));
            hunt(&target, hunt_of, |runs, input| {
                inputs.push(input.to_vec());
                runs < 200
            });
            inputs
        };
        assert_eq!(runs(1), runs(1));
        assert_ne!(runs(1), runs(2));
    }

    #[test]
    fn sorts_do_not_tell_numbers_and_quotes_apart() {
        assert_eq!(sort_of("unknown name \"abc\" at 12"), "unknown name \"\" at ");
        assert_eq!(sort_of(r#"not "a \"b\" \\" but"#), "not \"\" but");
    }
}
