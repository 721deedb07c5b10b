//! Headers of Parquet pages (Thrift compact protocol; `parquet.thrift`, `PageHeader`), as far as reading flat columns needs them.
//!
//! Unknown fields are skipped, nested ones down to a bounded depth. A header is at the start of `bytes` and may end anywhere in it.

use parquet::basic::Encoding;

/// Depth of structures in a header: a page header has statistics, which have none.
const DEPTH_MAX: u32 = 8;

/// What stands before a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub kind: Kind,
    /// Bytes of the header itself.
    pub len: usize,
    pub packed: usize,
    pub raw: usize,
    /// Values with nulls; of a dictionary its values.
    pub values: usize,
    pub encoding: Encoding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Dictionary,
    /// Levels are packed with the values, their length before them.
    One,
    /// Levels stand before the values and are not packed.
    Two {
        levels: usize,
        is_packed: bool,
    },
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Numbers by field, of one structure.
type Fields = [Option<i64>; 10];

impl Header {
    /// Reads a header; the error says what was found.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut cursor = Cursor { bytes, at: 0 };
        let mut inner: Option<(i16, Fields)> = None;
        let fields = cursor.structure(0, &mut |id, fields| {
            if [5, 7, 8].contains(&id) {
                inner = Some((id, *fields));
            }
        })?;
        let number = |fields: &Fields, id: usize, what: &str| {
            let value = fields[id].ok_or_else(|| format!("page header: no {what}"))?;
            usize::try_from(value).map_err(|_| format!("page header: {what} {value}"))
        };
        let (raw, packed) = (number(&fields, 2, "uncompressed size")?, number(&fields, 3, "compressed size")?);
        let (id, fields_in) = inner.ok_or("page header: of no known kind")?;
        let of = |id: usize, what: &str| number(&fields_in, id, what);
        let (kind, encoding) = match id {
            5 => (Kind::One, of(2, "encoding")?),
            7 => (Kind::Dictionary, of(2, "encoding")?),
            _ => {
                if of(6, "bytes of repetition levels")? != 0 {
                    return Err("page header: a flat column with repetition levels".to_owned());
                }
                let levels = of(5, "bytes of definition levels")?;
                (Kind::Two { levels, is_packed: fields_in[7] != Some(0) }, of(4, "encoding")?)
            }
        };
        let values = of(1, "number of values")?;
        Ok(Self { kind, len: cursor.at, packed, raw, values, encoding: encoding_of(encoding)? })
    }
}

fn encoding_of(number: usize) -> Result<Encoding, String> {
    Ok(match number {
        0 => Encoding::PLAIN,
        2 | 8 => Encoding::RLE_DICTIONARY,
        5 => Encoding::DELTA_BINARY_PACKED,
        other => return Err(format!("page header: encoding {other}")),
    })
}

impl Cursor<'_> {
    fn byte(&mut self) -> Result<u8, String> {
        let byte = self.bytes.get(self.at).copied().ok_or("page header: cut off")?;
        self.at += 1;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("page header: a number of more than 64 bits".to_owned())
    }

    fn zigzag(&mut self) -> Result<i64, String> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn skip(&mut self, len: u64) -> Result<(), String> {
        let len = usize::try_from(len).ok().filter(|len| *len <= self.bytes.len() - self.at);
        self.at += len.ok_or("page header: cut off")?;
        Ok(())
    }

    /// Reads the numbers and flags of a structure; `inner` sees those of structures in it.
    fn structure(&mut self, depth: u32, inner: &mut dyn FnMut(i16, &Fields)) -> Result<Fields, String> {
        if depth > DEPTH_MAX {
            return Err("page header: nested too deep".to_owned());
        }
        let mut fields = Fields::default();
        let mut id = 0_i16;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(fields);
            }
            id = match head >> 4 {
                0 => self.zigzag()? as i16,
                delta => id.wrapping_add(i16::from(delta)),
            };
            let value = match head & 0x0f {
                kind @ (1 | 2) => Some(i64::from(kind == 1)),
                kind => self.value(kind, depth, id, inner)?,
            };
            if let (Some(value), Some(place)) = (value, usize::try_from(id).ok().and_then(|id| fields.get_mut(id))) {
                *place = Some(value);
            }
        }
    }

    fn value(&mut self, kind: u8, depth: u32, id: i16, inner: &mut dyn FnMut(i16, &Fields)) -> Result<Option<i64>, String> {
        match kind {
            1..=3 => return Ok(Some(i64::from(self.byte()?))),
            4..=6 => return self.zigzag().map(Some),
            7 => self.skip(8)?,
            8 => {
                let len = self.varint()?;
                self.skip(len)?;
            }
            9 | 10 => {
                if depth > DEPTH_MAX {
                    return Err("page header: nested too deep".to_owned());
                }
                let head = self.byte()?;
                let len = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                for _ in 0..len {
                    self.value(head & 0x0f, depth + 1, 0, &mut |_, _| {})?;
                }
            }
            12 => {
                let fields = self.structure(depth + 1, &mut |_, _| {})?;
                if depth == 0 {
                    inner(id, &fields);
                }
            }
            other => return Err(format!("page header: a field of kind {other}")),
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A data page, version 2: 100 values, 3 of them null, dictionary codes, 5 bytes of levels, not packed.
    const TWO: [u8; 25] =
        [0x15, 6, 0x15, 40, 0x15, 40, 0x5c, 0x15, 0xc8, 1, 0x15, 6, 0x15, 0xc8, 1, 0x15, 16, 0x15, 10, 0x15, 0, 0x12, 0, 0, 9];

    #[test]
    fn a_header_is_read() {
        let kind = Kind::Two { levels: 5, is_packed: false };
        let wanted = Header { kind, len: 24, packed: 20, raw: 20, values: 100, encoding: Encoding::RLE_DICTIONARY };
        assert_eq!(Header::read(&TWO), Ok(wanted));
        for end in 0..24 {
            assert!(Header::read(&TWO[..end]).is_err(), "{end}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(header) = Header::read(&bytes) {
                prop_assert!(header.len <= bytes.len());
            }
        }
    }
}
