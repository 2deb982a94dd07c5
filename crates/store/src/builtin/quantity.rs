//! Amounts such as `100m` or `1Gi`, exact enough to be compared.

use std::cmp::Ordering;

/// Thousandths of thousandths of thousandths: the smallest unit there is.
const NANO: i128 = 1_000_000_000;

/// An amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
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

    /// A whole amount.
    pub(crate) fn of(whole: i64) -> Self {
        Self(i128::from(whole) * NANO)
    }

    /// The amount as a whole number; `None` where it is none.
    pub(crate) fn whole(self) -> Option<i64> {
        let whole = (self.0 % NANO == 0).then_some(self.0 / NANO)?;
        i64::try_from(whole).ok()
    }

    /// The nearest floating point number.
    #[expect(clippy::cast_precision_loss, reason = "the answer is an approximation by its name")]
    pub(crate) fn approximate(self) -> f64 {
        self.0 as f64 / NANO as f64
    }

    /// The sum; `None` beyond what fits.
    pub(crate) fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference; `None` beyond what fits.
    pub(crate) fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

/// An amount as Go writes it: the largest unit that needs no fraction; `None` for what is none.
pub(crate) fn canonical(text: &str) -> Option<String> {
    let Quantity(nanos) = Quantity::parse(text)?;
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    if nanos == 0 {
        return Some("0".to_owned());
    }
    let binary = unit.ends_with('i') && (nanos / NANO).abs() >= 1024 && nanos % NANO == 0;
    if binary {
        let (mut amount, mut place) = (nanos / NANO, 0);
        while amount % 1024 == 0 && place + 1 < BINARY.len() {
            amount /= 1024;
            place += 1;
        }
        return Some(format!("{amount}{}", BINARY[place]));
    }
    let (mut amount, mut place) = (nanos, 0);
    while amount % 1000 == 0 && place + 1 < DECIMAL.len() {
        amount /= 1000;
        place += 1;
    }
    let suffix = DECIMAL[place];
    let exponent = unit.strip_prefix(['e', 'E']).is_some_and(|power| !power.is_empty());
    if exponent {
        let power = (i32::try_from(place).ok()? - 3) * 3;
        return Some(if power == 0 { amount.to_string() } else { format!("{amount}e{power}") });
    }
    Some(format!("{amount}{suffix}"))
}

/// Units, each a thousand of the one before.
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
/// Units, each 1024 of the one before.
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

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
    use super::{Quantity, canonical};

    #[test]
    fn amounts_are_written_in_one_way() {
        let check = |text: &str, expected: &str| {
            assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
        };
        check("0.1", "100m");
        check("1000m", "1");
        check("1500m", "1500m");
        check("1000", "1k");
        check("1024Mi", "1Gi");
        check("1.5Gi", "1536Mi");
        check("512", "512");
        check("0", "0");
        check("-0.5", "-500m");
        check("1e3", "1e3");
        assert_eq!(canonical("lots"), None);
    }

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
