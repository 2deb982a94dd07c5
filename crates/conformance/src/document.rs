//! The part of the documentation that says what differs on purpose.

use crate::deliberate::Deliberate;
use std::fmt::Write as _;

/// The line before the generated part.
pub const BEGIN: &str = "<!-- deliberate differences: from conformance/differences.yaml -->";

/// The line after it.
pub const END: &str = "<!-- end of deliberate differences -->";

/// A document with its generated part brought up to date; `None` where it has no such part.
pub fn section(document: &str, entries: &[Deliberate]) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    let mut table = String::from("| what differs | why |\n|---|---|\n");
    for entry in entries {
        let _ = writeln!(table, "| {} | {} |", entry.what.trim(), entry.reason.trim());
    }
    Some(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generated_part_is_replaced() {
        let entry = Deliberate { what: "A.".to_owned(), reason: "B.".to_owned(), at: Vec::new() };
        let document = format!("x\n{BEGIN}\nold\n{END}\ny");
        let expected =
            format!("x\n{BEGIN}\n| what differs | why |\n|---|---|\n| A. | B. |\n{END}\ny");
        assert_eq!(section(&document, &[entry]), Some(expected));
        assert_eq!(section("no marks", &[]), None);
    }
}
