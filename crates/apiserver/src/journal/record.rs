//! How one record lies in a file: length, checksum, payload.
//!
//! A process may die while it writes, so the last record of a file may be torn. A torn record fails its
//! length or its checksum, and reading ends before it.

/// Bytes before each payload: its length and its CRC-32, both little-endian.
pub(super) const HEADER: usize = 8;

/// A payload longer than this is damage, not data.
pub(super) const PAYLOAD_MAX: usize = 64 << 20;

/// Appends one record to `file`.
pub(super) fn encode(payload: &[u8], file: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    file.extend_from_slice(payload);
}

/// The whole records of a file, in order; stops at the first torn one.
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    /// How many bytes of the file are whole records.
    pub(super) whole: usize,
}

impl<'a> Records<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, whole: 0 }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = &self.bytes[self.whole..];
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (sum, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        if length > PAYLOAD_MAX {
            return None;
        }
        let payload = rest.get(..length)?;
        if crc32fast::hash(payload) != u32::from_le_bytes(*sum) {
            return None;
        }
        self.whole += HEADER + length;
        Some(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_records() -> Vec<u8> {
        let mut file = Vec::new();
        encode(b"first", &mut file);
        encode(b"second", &mut file);
        file
    }

    #[test]
    fn records_come_back_in_order() {
        let file = two_records();
        assert_eq!(Records::of(&file).collect::<Vec<_>>(), [&b"first"[..], b"second"]);
    }

    #[test]
    fn a_record_torn_at_any_byte_is_left_out() {
        let file = two_records();
        let first = HEADER + "first".len();
        for end in first..file.len() {
            let mut records = Records::of(&file[..end]);
            assert_eq!(records.by_ref().count(), 1, "cut at {end}");
            assert_eq!(records.whole, first, "cut at {end}");
        }
    }

    #[test]
    fn a_flipped_bit_ends_the_file() {
        let mut file = two_records();
        file[HEADER] ^= 1;
        assert_eq!(Records::of(&file).count(), 0);
    }
}
