//! The wire format of Protocol Buffers: numbered fields, without their meaning.

/// A field's bytes do not add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// One field as it lies on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Raw<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Reads the fields of one message.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Raw<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<(u32, Raw<'a>), Malformed> {
        let key = varint(&mut self.0)?;
        let number = u32::try_from(key >> 3).map_err(|_| Malformed)?;
        let raw = match key & 7 {
            0 => Raw::Number(varint(&mut self.0)?),
            1 => Raw::Number(u64::from_le_bytes(self.fixed()?)),
            2 => {
                let length = usize::try_from(varint(&mut self.0)?).map_err(|_| Malformed)?;
                let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
                self.0 = rest;
                Raw::Bytes(bytes)
            }
            5 => Raw::Number(u64::from(u32::from_le_bytes(self.fixed()?))),
            _ => return Err(Malformed),
        };
        Ok((number, raw))
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*bytes)
    }
}

/// Reads a number of seven bits a byte.
pub(super) fn varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(Malformed)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_in_order_with_their_numbers() {
        let bytes = [0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i'];
        let fields: Vec<_> = Fields(&bytes).collect();
        assert_eq!(fields, [Ok((1, Raw::Number(150))), Ok((2, Raw::Bytes(b"hi")))]);
    }

    #[test]
    fn a_message_cut_anywhere_is_malformed_or_shorter() {
        let bytes = [0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i'];
        for end in [1, 2, 4, 5, 6] {
            assert!(Fields(&bytes[..end]).any(|field| field.is_err()), "{end}");
        }
    }
}
