//! Names and identifiers that look random and repeat for the same seed.

/// A seeded stream of identifiers.
#[derive(Clone, Debug)]
pub(crate) struct Generator {
    state: u64,
}

/// The letters upstream uses: no vowels, nothing that looks alike.
const SAFE_ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
/// Letters appended to `generateName`.
const SUFFIX_LENGTH: usize = 5;

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Moves to a stream that depends on `salt` too, so that a restart does not repeat identifiers.
    pub(crate) fn reseed(&mut self, salt: u64) {
        self.state ^= salt.wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(17);
    }

    /// Five letters for `generateName`.
    pub(crate) fn suffix(&mut self) -> String {
        let mut bits = self.next();
        let letter = |_| {
            let index = usize::try_from(bits % 27).unwrap_or_default();
            bits /= 27;
            char::from(SAFE_ALPHABET[index])
        };
        (0..SUFFIX_LENGTH).map(letter).collect()
    }

    /// A version 4 UUID.
    pub(crate) fn uid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        let (time, version) = (high >> 16, (high & 0x0FFF) | 0x4000);
        let (variant, node) = ((low >> 48) & 0x3FFF | 0x8000, low & 0xFFFF_FFFF_FFFF);
        format!("{:08x}-{:04x}-{version:04x}-{variant:04x}-{node:012x}", time >> 16, time & 0xFFFF)
    }

    /// Any number below `limit`, which must not be zero.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// One step of splitmix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_identifiers() {
        let (mut one, mut two) = (Generator::new(7), Generator::new(7));
        assert_eq!(one.uid(), two.uid());
        assert_eq!(one.suffix(), two.suffix());
        assert_ne!(one.uid(), one.uid());
        assert_eq!(one.uid().len(), 36);
        assert_eq!(one.uid().as_bytes()[14], b'4');
    }
}
