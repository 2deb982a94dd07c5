//! What is left to chance, decided by a seed.

/// A sequence of choices; the same seed always makes the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The choices of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed ^ 0xa076_1d64_78bd_642f)
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

    /// Any byte.
    pub(crate) fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap_or_default()
    }

    /// One of some things; none where there are none.
    pub(crate) fn one<'a, T>(&mut self, things: &'a [T]) -> Option<&'a T> {
        things.get(self.below(things.len()))
    }
}
