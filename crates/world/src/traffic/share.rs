//! Dividing whole requests by weight, exactly in the long run.

use std::collections::BTreeMap;

/// What each part is still owed, in fractions of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Shares(BTreeMap<String, f64>);

impl Shares {
    /// Divides `count` among the parts by weight; what rounding leaves goes to the largest remainders.
    ///
    /// Parts that are not named any more lose what they were owed.
    pub(super) fn divide(&mut self, count: u64, parts: &[(String, f64)]) -> Vec<u64> {
        let all: f64 = parts.iter().map(|(_, weight)| weight).sum();
        if all <= 0.0 {
            self.0.clear();
            return vec![0; parts.len()];
        }
        #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^52")]
        let owed: Vec<f64> = parts
            .iter()
            .map(|(name, weight)| {
                count as f64 * weight / all + self.0.get(name).copied().unwrap_or(0.0)
            })
            .collect();
        let given = whole(count, &owed);
        #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^52")]
        let rest = |place: usize| owed[place] - given[place] as f64;
        self.0 = parts
            .iter()
            .enumerate()
            .map(|(place, (name, _))| (name.clone(), rest(place)))
            .collect();
        given
    }
}

/// Whole numbers that add up to `count` and are as near to `owed` as they can be.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "negative values were cut off"
)]
fn whole(count: u64, owed: &[f64]) -> Vec<u64> {
    let mut given: Vec<u64> =
        owed.iter().map(|owed| (owed + 1e-9).floor().max(0.0) as u64).collect();
    let mut order: Vec<usize> = (0..owed.len()).collect();
    #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^52")]
    let rest = |place: usize, given: &[u64]| owed[place] - given[place] as f64;
    order.sort_by(|a, b| rest(*b, &given).total_cmp(&rest(*a, &given)).then(a.cmp(b)));
    let mut left = i128::from(count) - given.iter().map(|given| i128::from(*given)).sum::<i128>();
    for place in order.iter().cycle().take(owed.len() * 2) {
        if left > 0 {
            given[*place] += 1;
            left -= 1;
        }
    }
    for place in order.iter().rev().cycle().take(owed.len() * 2) {
        if left < 0 && given[*place] > 0 {
            given[*place] -= 1;
            left += 1;
        }
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(counts: &[u64], weights: &[f64], sums: &[u64]) {
        let parts: Vec<_> =
            weights.iter().enumerate().map(|(n, weight)| (n.to_string(), *weight)).collect();
        let mut shares = Shares::default();
        let mut found = vec![0; parts.len()];
        for count in counts {
            let given = shares.divide(*count, &parts);
            assert_eq!(given.iter().sum::<u64>(), *count);
            given.iter().zip(&mut found).for_each(|(given, sum)| *sum += given);
        }
        assert_eq!(found, sums, "{weights:?}");
    }

    #[test]
    fn small_shares_add_up_exactly() {
        check(&[1; 100], &[80.0, 20.0], &[80, 20]);
        check(&[7; 100], &[1.0, 1.0, 1.0], &[234, 233, 233]);
        check(&[1000], &[95.0, 5.0, 0.0], &[950, 50, 0]);
        check(&[3; 10], &[99.0, 1.0], &[30, 0]);
    }
}
