//! Patterns with `*`, which stands for any text.

/// Whether the whole text fits.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    let cuts = (0..=text.len()).filter(|&cut| text.is_char_boundary(cut));
    cuts.into_iter().any(|cut| fits(rest, &text[cut..]))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_any_text() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        };
        check("a", "a", true);
        check("a", "ab", false);
        check("a*", "ab", true);
        check("*.b*", "x.b[0]", true);
        check("*.b", "x.b[0]", false);
        check("*", "", true);
    }
}
