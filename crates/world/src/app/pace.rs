//! Choosing which requests fail without chance: evenly spread, and exact over any stretch.

/// A share of requests, given out one by one as evenly as whole requests allow.
///
/// Of the first `n` requests exactly `floor(n × share + offset)` are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    share: f64,
    offset: f64,
}

impl Pace {
    /// Chooses `percent` of a hundred; `seed` shifts where in the row the first one falls.
    pub fn new(percent: f64, seed: u64) -> Self {
        // The golden ratio spreads the starts of many pods evenly.
        #[expect(clippy::cast_precision_loss, reason = "any fraction will do")]
        let offset = ((seed % 1024) as f64 * 0.618_033_988_749_895).fract();
        Self { share: (percent / 100.0).clamp(0.0, 1.0), offset }
    }

    /// How many of the first `count` requests are chosen.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts stay below 2^52 and the product is not negative"
    )]
    pub fn among_first(&self, count: u64) -> u64 {
        // A hair above the product, so that 20 × 5 % is 1 in floating point too.
        ((count as f64).mul_add(self.share, self.offset) + 1e-9).floor() as u64
    }

    /// Whether request number `index`, counted from 0, is chosen.
    pub fn chooses(&self, index: u64) -> bool {
        self.among(index, 1) == 1
    }

    /// How many of the `count` requests that follow the first `start` are chosen.
    pub fn among(&self, start: u64, count: u64) -> u64 {
        self.among_first(start.saturating_add(count)) - self.among_first(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(percent: f64, count: u64, least: u64) {
        for seed in 0..50 {
            let pace = Pace::new(percent, seed);
            let chosen = (0..count).filter(|index| pace.chooses(*index)).count() as u64;
            assert_eq!(chosen, pace.among(0, count));
            assert!(chosen == least || chosen == least + 1, "{percent} % of {count}: {chosen}");
        }
    }

    #[test]
    fn shares_are_exact_over_any_stretch() {
        check(15.0, 200, 30);
        check(15.0, 19, 2);
        check(0.5, 1000, 5);
        assert_eq!(Pace::new(0.0, 7).among(0, 1_000_000), 0);
        assert_eq!(Pace::new(100.0, 7).among(3, 1_000), 1_000);
    }
}
