//! Amounts such as `100m` or `1Gi`, exact enough to be compared.

use std::cmp::Ordering;

/// Thousandths of thousandths of thousandths: the smallest unit there is.
const NANO: i128 = 1_000_000_000;

/// An amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quantity(i128);

impl Quantity {
    /// Reads an amount; `None` for what is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let end =
            unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, unit) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        let scale = scale(unit)?;
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let digits = format!("{fraction:0<9}");
        let fraction: i128 = digits.get(..9)?.parse().ok()?;
        let nanos = whole.checked_mul(NANO)?.checked_add(fraction)?;
        let amount = match scale {
            Scale::Times(factor) => nanos.checked_mul(factor)?,
            Scale::Over(divisor) => nanos / divisor,
        };
        Some(Self(if text.starts_with('-') { -amount } else { amount }))
    }

    /// Whether it is below zero.
    pub(crate) fn is_negative(self) -> bool {
        self.0.cmp(&0) == Ordering::Less
    }
}

enum Scale {
    Times(i128),
    Over(i128),
}

fn scale(unit: &str) -> Option<Scale> {
    if let Some(power) = unit.strip_prefix(['e', 'E'])
        && let Ok(power) = power.parse::<i32>()
    {
        let factor = 10_i128.checked_pow(power.unsigned_abs())?;
        return Some(if power < 0 { Scale::Over(factor) } else { Scale::Times(factor) });
    }
    let decimal = ["", "k", "M", "G", "T", "P", "E"].into_iter().position(|known| known == unit);
    if let Some(power) = decimal {
        return Some(Scale::Times(1000_i128.pow(u32::try_from(power).ok()?)));
    }
    let binary = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].into_iter().position(|known| known == unit);
    if let Some(power) = binary {
        return Some(Scale::Times(1024_i128.pow(u32::try_from(power).ok()? + 1)));
    }
    let small = ["m", "u", "n"].into_iter().position(|known| known == unit)?;
    Some(Scale::Over(1000_i128.pow(u32::try_from(small).ok()? + 1)))
}

#[cfg(test)]
mod tests {
    use super::Quantity;

    #[test]
    fn amounts_compare_across_units() {
        let read = |text: &str| Quantity::parse(text).unwrap();
        assert_eq!(read("1"), read("1000m"));
        assert_eq!(read("1Ki"), read("1024"));
        assert_eq!(read("1e3"), read("1k"));
        assert_eq!(read("0.1"), read("100m"));
        assert!(read("1Gi") > read("1G"));
        assert!(read("-1").is_negative());
        assert_eq!(Quantity::parse("lots"), None);
        assert_eq!(Quantity::parse("1GB"), None);
    }
}
