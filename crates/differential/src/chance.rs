//! What is left to chance, decided by a seed.

/// A sequence of choices; the same seed always makes the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The choices of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xd1b5_4a32_d192_ed03)
    }

    /// A number from 0 up to, but without, `bound`; 0 when there is none.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // One step of splitmix64 (Steele, Lea and Flood 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
        usize::try_from((mixed ^ (mixed >> 31)) % bound).unwrap_or_default()
    }

    /// One of some things.
    ///
    /// # Panics
    /// Where there is nothing to choose from.
    pub(crate) fn one<T, const N: usize>(&mut self, things: [T; N]) -> T {
        let mut things = Vec::from(things);
        things.swap_remove(self.below(N))
    }

    /// Whether something happens that happens so many times out of a hundred.
    pub(crate) fn percent(&mut self, often: usize) -> bool {
        self.below(100) < often
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_chooses_the_same() {
        let choices = |seed| {
            let mut chance = Chance::of(seed);
            std::iter::repeat_with(move || chance.below(1000)).take(20).collect::<Vec<_>>()
        };
        assert_eq!(choices(7), choices(7));
        assert_ne!(choices(7), choices(8));
    }

    #[test]
    fn what_always_happens_happens_and_what_never_happens_does_not() {
        let mut chance = Chance::of(1);
        assert!((0..200).all(|_| chance.percent(100) && !chance.percent(0)));
    }
}
