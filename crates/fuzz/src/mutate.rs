//! Changing an input by chance.

use chance::Chance;

/// Longest input in bytes; what is longer is cut.
pub(crate) const MAX_INPUT_BYTES: usize = 8 * 1024;
/// Most changes of one input at once.
const MOST_CHANGES: usize = 5;
/// Numbers at which things break.
const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "1e308",
    "NaN",
    "0.1",
    "255",
    "65536",
    "2147483648",
    "4294967295",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "1e999",
];
/// Pieces that readers of text stumble over.
const PIECES: &[&str] = &[
    "\u{0}",
    "é",
    "\u{1F600}",
    "\u{200b}",
    "\u{feff}",
    "\\",
    "\"",
    "'",
    "\n",
    "{{",
    "}}",
    "[]",
    " ",
];

/// Changes an input a few times; `other` is another one to take pieces from.
pub(crate) fn mutated(input: &[u8], other: &[u8], words: &[&str], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=chance.below(MOST_CHANGES) {
        change(&mut bytes, other, words, chance);
    }
    bytes.truncate(MAX_INPUT_BYTES);
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], words: &[&str], chance: &mut Chance) {
    let (from, to) = span(bytes.len(), chance);
    match chance.below(10) {
        0 => {
            if let Some(byte) = bytes.get_mut(from) {
                *byte ^= 1 << chance.below(8);
            }
        }
        1 => bytes.insert(from, chance.byte()),
        2 => drop(bytes.drain(from..to)),
        3 => {
            let piece = bytes[from..to].to_vec();
            let times = 1 + chance.below(30);
            put(bytes, from..from, &piece.repeat(times));
        }
        4 => {
            let piece = chance.pick(NUMBERS).copied().unwrap_or_default();
            let number = number_around(bytes, from);
            put(bytes, number, piece.as_bytes());
        }
        5 => put(bytes, from..from, chance.pick(PIECES).copied().unwrap_or_default().as_bytes()),
        6 => {
            let (start, end) = span(other.len(), chance);
            put(bytes, from..to, &other[start..end]);
        }
        7 => put(bytes, from..to, chance.pick(words).copied().unwrap_or_default().as_bytes()),
        _ => put(bytes, from..from, chance.pick(words).copied().unwrap_or_default().as_bytes()),
    }
}

fn put(bytes: &mut Vec<u8>, at: std::ops::Range<usize>, piece: &[u8]) {
    if bytes.len() + piece.len() <= 2 * MAX_INPUT_BYTES {
        drop(bytes.splice(at, piece.iter().copied()));
    }
}

/// A stretch, more often a short one.
fn span(length: usize, chance: &mut Chance) -> (usize, usize) {
    let from = chance.below(length + 1);
    let most = if chance.below(4) == 0 { length } else { 12 };
    (from, (from + chance.below(most + 1)).min(length))
}

/// The digits around a place, or the place itself.
fn number_around(bytes: &[u8], at: usize) -> std::ops::Range<usize> {
    let before = bytes[..at].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let after = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    at - before..at + after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_stay_within_bounds_and_depend_on_the_seed() {
        let changed = |seed: u64, input: &[u8]| {
            let mut chance = Chance::of(seed);
            mutated(input, b"other 12", &["word"], &mut chance)
        };
        for seed in 0..500 {
            for input in [&b""[..], b"1", b"result[0] >= 0.95"] {
                assert_eq!(changed(seed, input), changed(seed, input));
                assert!(changed(seed, input).len() <= MAX_INPUT_BYTES);
            }
        }
        assert_ne!(changed(1, b"result"), changed(2, b"result"));
    }

    #[test]
    fn a_number_is_replaced_as_a_whole() {
        assert_eq!(number_around(b"a123b", 2), 1..4);
        assert_eq!(number_around(b"ab", 1), 1..1);
    }
}
