//! What is left to chance, decided by a seed.
//!
//! Start at [`Chance`]: whatever is drawn at random in tests, comparisons and simulations comes from one.
//!
//! ```
//! let mut chance = chance::Chance::of(7);
//! assert_eq!(chance.below(6), chance::Chance::of(7).below(6));
//! ```
//!
//! **Invariant.** The same seed makes the same choices, on every machine and for ever; nothing here is fit
//! to keep a secret.

/// A sequence of choices; the same seed always makes the same ones.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The choices of a seed.
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// The choices of a seed for something of that name.
    pub fn named(seed: u64, name: &str) -> Self {
        // FNV-1a, so that names that are alike have nothing in common.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(hash ^ seed)
    }

    /// Any number.
    pub fn bits(&mut self) -> u64 {
        // One step of splitmix64 (Steele, Lea and Flood 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, but without, `bound`; 0 when there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.bits() % bound).unwrap_or_default()
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap_or_default()
    }

    /// Whether something happens that happens so many times out of a hundred.
    pub fn percent(&mut self, often: usize) -> bool {
        self.below(100) < often
    }

    /// One of some things; none where there are none.
    pub fn pick<'a, T>(&mut self, things: &'a [T]) -> Option<&'a T> {
        things.get(self.below(things.len()))
    }

    /// One of some things that are listed.
    ///
    /// # Panics
    /// Where the list is empty, which its type tells.
    pub fn one<T, const N: usize>(&mut self, things: [T; N]) -> T {
        let mut things = Vec::from(things);
        things.swap_remove(self.below(N))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_splitmix64() {
        // The first numbers of the reference implementation, for seed 1234567.
        let mut chance = Chance::of(1_234_567);
        assert_eq!(chance.bits(), 6_457_827_717_110_365_317);
        assert_eq!(chance.bits(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn a_seed_always_chooses_the_same() {
        let choices = |mut chance: Chance| {
            std::iter::repeat_with(move || chance.below(1000)).take(20).collect::<Vec<_>>()
        };
        assert_eq!(choices(Chance::of(7)), choices(Chance::of(7)));
        assert_ne!(choices(Chance::of(7)), choices(Chance::of(8)));
        assert_ne!(choices(Chance::named(7, "a")), choices(Chance::named(7, "b")));
    }

    #[test]
    fn what_always_happens_happens_and_what_never_happens_does_not() {
        let mut chance = Chance::of(1);
        assert!((0..200).all(|_| chance.percent(100) && !chance.percent(0)));
    }

    #[test]
    fn of_nothing_nothing_is_chosen() {
        assert_eq!(Chance::of(1).pick::<u8>(&[]), None);
    }
}
