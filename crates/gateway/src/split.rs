//! Smooth weighted round robin: the exact split, spread as evenly as the weights allow.

/// The state of one split: how far each backend is ahead of its share.
///
/// After any number of picks no backend is more than one request away from its share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    ahead: Vec<i64>,
}

impl Split {
    /// Picks the next backend by these weights; none when no weight is above zero.
    ///
    /// The weights may differ from those of the last pick: what each backend is ahead or behind is
    /// kept, so that the split stays exact across changes.
    pub fn pick(&mut self, weights: &[u32]) -> Option<usize> {
        self.ahead.resize(weights.len(), 0);
        let total: i64 = weights.iter().map(|weight| i64::from(*weight)).sum();
        let mut best: Option<usize> = None;
        for (index, weight) in weights.iter().enumerate() {
            if *weight == 0 {
                self.ahead[index] = 0;
                continue;
            }
            // A backend that was owed many picks under other weights is not paid back in a burst.
            self.ahead[index] = self.ahead[index].clamp(-total, total) + i64::from(*weight);
            if best.is_none_or(|best| self.ahead[index] > self.ahead[best]) {
                best = Some(index);
            }
        }
        let best = best?;
        self.ahead[best] -= total;
        Some(best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Backends that the property below tries at most; the split strays by less than their number.
    const MOST_BACKENDS: f64 = 5.0;

    fn check(weights: &[u32], picks: usize, expected: &[usize]) {
        let mut split = Split::default();
        let mut counts = vec![0; weights.len()];
        for _ in 0..picks {
            counts[split.pick(weights).unwrap()] += 1;
        }
        assert_eq!(counts, expected, "{weights:?}");
    }

    #[test]
    fn the_split_is_exact_at_every_multiple_of_the_total() {
        check(&[80, 20], 100, &[80, 20]);
        check(&[80, 20], 5, &[4, 1]);
        check(&[1, 99], 1000, &[10, 990]);
        check(&[3, 0, 7], 10, &[3, 0, 7]);
        check(&[1, 1, 1], 3, &[1, 1, 1]);
    }

    #[test]
    fn picks_are_spread_and_not_bunched() {
        let mut split = Split::default();
        let picks: Vec<_> = (0..10).filter_map(|_| split.pick(&[4, 1])).collect();
        assert_eq!(picks, [0, 0, 1, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn nothing_is_picked_without_weight() {
        assert_eq!(Split::default().pick(&[0, 0]), None);
        assert_eq!(Split::default().pick(&[]), None);
    }

    #[test]
    fn a_backend_whose_weight_fell_to_zero_is_never_picked() {
        let mut split = Split::default();
        for _ in 0..3 {
            split.pick(&[50, 50]);
        }
        assert!((0..100).all(|_| split.pick(&[100, 0]) == Some(0)));
    }

    #[test]
    fn the_split_stays_exact_across_changes() {
        let mut split = Split::default();
        let mut canary = 0;
        for weight in [20, 40, 60, 80] {
            for _ in 0..1000 {
                canary += u32::from(split.pick(&[100 - weight, weight]) == Some(1));
            }
        }
        assert_eq!(canary, 2000);
    }

    proptest::proptest! {
        #[test]
        fn no_backend_strays_from_its_share(
            weights in proptest::collection::vec(0_u32..1000, 1..6),
            picks in 1_u32..500,
        ) {
            let total: u32 = weights.iter().sum();
            proptest::prop_assume!(total > 0);
            let mut split = Split::default();
            let mut counts = vec![0.0; weights.len()];
            for _ in 0..picks {
                counts[split.pick(&weights).unwrap()] += 1.0;
            }
            for (weight, count) in weights.iter().zip(counts) {
                let share = f64::from(*weight) * f64::from(picks) / f64::from(total);
                proptest::prop_assert!((count - share).abs() <= MOST_BACKENDS);
            }
        }
    }
}
