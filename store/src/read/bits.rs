//! Numbers in few bits: Parquet's run-length and bit-packing hybrid, and `DELTA_BINARY_PACKED` (`Encodings.md`).
//!
//! Both come from a file that may be damaged: widths and counts are bounded, what is missing is an error.

/// The `width` low bits of a number.
#[inline]
const fn mask(width: u32) -> u64 {
    if width >= 64 { u64::MAX } else { (1 << width) - 1 }
}

/// The number of at most 57 bits at a bit's place; bytes beyond the end are zero.
#[inline]
fn peek(bytes: &[u8], bit: usize, width: u32) -> u64 {
    let from = bit / 8;
    let word = match bytes.get(from..from + 8) {
        Some(eight) => u64::from_le_bytes(eight.try_into().unwrap_or_default()),
        None => {
            let mut eight = [0; 8];
            let rest = bytes.get(from..).unwrap_or_default();
            let len = rest.len().min(8);
            eight[..len].copy_from_slice(&rest[..len]);
            u64::from_le_bytes(eight)
        }
    };
    (word >> (bit % 8)) & mask(width)
}

/// The same for up to 64 bits.
#[inline]
fn peek_wide(bytes: &[u8], bit: usize, width: u32) -> u64 {
    if width <= 56 {
        return peek(bytes, bit, width);
    }
    peek(bytes, bit, 32) | peek(bytes, bit + 32, width - 32) << 32
}

fn varint(bytes: &[u8], at: &mut usize) -> Result<u64, String> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at).ok_or("values: cut off")?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err("values: a number of more than 64 bits".to_owned())
}

fn zigzag(bytes: &[u8], at: &mut usize) -> Result<i64, String> {
    let value = varint(bytes, at)?;
    Ok((value >> 1) as i64 ^ -((value & 1) as i64))
}

/// One run of the hybrid.
pub(super) enum Run<'a> {
    Same(u32, usize),
    /// `usize` numbers in so many bytes.
    Packed(&'a [u8], usize),
}

/// Runs of numbers of `width` bits, `count` numbers in all.
pub(super) fn runs<'a>(
    bytes: &'a [u8],
    width: u32,
    count: usize,
    mut each: impl FnMut(Run<'a>) -> Result<(), String>,
) -> Result<(), String> {
    if width > 32 {
        return Err(format!("codes of {width} bits"));
    }
    let (mut at, mut left) = (0, count);
    while left > 0 {
        let head = varint(bytes, &mut at)?;
        let len = usize::try_from(head >> 1).map_err(|_| "codes: a run too long")?;
        if head & 1 == 0 {
            let size = width.div_ceil(8) as usize;
            let value = bytes.get(at..at + size).ok_or("codes: cut off")?;
            let mut four = [0; 4];
            four[..size].copy_from_slice(value);
            at += size;
            each(Run::Same(u32::from_le_bytes(four), len.min(left)))?;
            if len == 0 {
                return Err("codes: an empty run".to_owned());
            }
            left -= len.min(left);
        } else {
            let size = len.checked_mul(width as usize).ok_or("codes: a run too long")?;
            let count = len.saturating_mul(8).min(left);
            // The last group may be cut where its numbers end.
            let rest = &bytes[at..];
            let packed = &rest[..size.min(rest.len())];
            if packed.len() * 8 < count * width as usize || count == 0 {
                return Err("codes: cut off".to_owned());
            }
            at += packed.len();
            each(Run::Packed(packed, count))?;
            left -= count;
        }
    }
    Ok(())
}

/// Appends `count` numbers of the hybrid, each below `below`.
pub(super) fn codes(bytes: &[u8], width: u32, count: usize, below: usize, out: &mut Vec<i32>) -> Result<(), String> {
    let start = out.len();
    out.reserve(count);
    runs(bytes, width, count, |run| {
        match run {
            Run::Same(value, len) => out.resize(out.len() + len, value as i32),
            Run::Packed(packed, len) => out.extend((0..len).map(|at| peek(packed, at * width as usize, width) as i32)),
        }
        Ok(())
    })?;
    let largest = out[start..].iter().fold(0, |largest, code| largest.max(*code as u32));
    match count == 0 || (largest as usize) < below {
        true => Ok(()),
        false => Err(format!("code {largest} found, the dictionary has {below} values")),
    }
}

/// Bits of width 1, least significant first; `None` when all are set.
pub(super) fn bitmap(bytes: &[u8], count: usize) -> Result<Option<Vec<u8>>, String> {
    let mut bits = vec![0_u8; count.div_ceil(8)];
    let (mut at, mut set) = (0, 0);
    runs(bytes, 1, count, |run| {
        match run {
            Run::Same(0, len) => at += len,
            Run::Same(1, len) => {
                fill(&mut bits, at, at + len);
                at += len;
                set += len;
            }
            Run::Same(level, _) => return Err(format!("definition level {level} in a flat column")),
            Run::Packed(packed, len) => {
                for (byte, start) in packed.iter().zip((0..len).step_by(8)) {
                    let byte = byte & mask((len - start).min(8) as u32) as u8;
                    set += byte.count_ones() as usize;
                    bits[at / 8] |= byte << (at % 8);
                    if at % 8 > 0
                        && let Some(next) = bits.get_mut(at / 8 + 1)
                    {
                        *next |= (u32::from(byte) << (at % 8) >> 8) as u8;
                    }
                    at += (len - start).min(8);
                }
            }
        }
        Ok(())
    })?;
    Ok((set < count).then_some(bits))
}

fn fill(bits: &mut [u8], from: usize, to: usize) {
    let (mut at, end) = (from, to);
    while at < end && at % 8 > 0 {
        bits[at / 8] |= 1 << (at % 8);
        at += 1;
    }
    let whole = (end - at) / 8;
    bits[at / 8..at / 8 + whole].fill(0xff);
    at += whole * 8;
    while at < end {
        bits[at / 8] |= 1 << (at % 8);
        at += 1;
    }
}

/// Appends `count` numbers of `DELTA_BINARY_PACKED`.
pub(super) fn deltas(bytes: &[u8], count: usize, out: &mut Vec<i64>) -> Result<(), String> {
    let mut at = 0;
    let block = varint(bytes, &mut at)?;
    let minis = varint(bytes, &mut at)?;
    let total = varint(bytes, &mut at)?;
    let mut value = zigzag(bytes, &mut at)?;
    if total != count as u64 {
        return Err(format!("{total} numbers found, {count} expected"));
    }
    if minis == 0 || minis > 64 || block % minis != 0 || block / minis % 32 != 0 || block == 0 || block > 1 << 20 {
        return Err(format!("differences in blocks of {block}, {minis} parts each"));
    }
    let per = (block / minis) as usize;
    if count == 0 {
        return Ok(());
    }
    out.reserve(count);
    out.push(value);
    let mut left = count - 1;
    while left > 0 {
        let least = zigzag(bytes, &mut at)?;
        let widths = bytes.get(at..at + minis as usize).ok_or("differences: cut off")?;
        at += minis as usize;
        for width in widths.iter().map(|width| u32::from(*width)) {
            if left == 0 {
                break;
            }
            if width > 64 {
                return Err(format!("differences of {width} bits"));
            }
            let (len, size) = (per.min(left), per * width as usize / 8);
            let rest = &bytes[at..];
            let packed = &rest[..size.min(rest.len())];
            if packed.len() * 8 < len * width as usize {
                return Err("differences: cut off".to_owned());
            }
            at += packed.len();
            let mut add = |delta: u64| {
                value = value.wrapping_add(least).wrapping_add(delta as i64);
                out.push(value);
            };
            match width {
                0 => (0..len).for_each(|_| add(0)),
                1..=56 => (0..len).for_each(|at| add(peek(packed, at * width as usize, width))),
                _ => (0..len).for_each(|at| add(peek_wide(packed, at * width as usize, width))),
            }
            left -= len;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::compact::dictionary::hybrid;

    proptest! {
        #[test]
        fn codes_come_back(runs in prop::collection::vec((0_u32..200, 1_usize..40), 0..60)) {
            let values: Vec<u32> = runs.iter().flat_map(|&(value, len)| std::iter::repeat_n(value, len)).collect();
            let mut bytes = Vec::new();
            hybrid(&values, 8, &mut bytes);
            let mut back = Vec::new();
            codes(&bytes, 8, values.len(), 200, &mut back).unwrap();
            prop_assert_eq!(back, values.iter().map(|value| *value as i32).collect::<Vec<_>>());
        }

        #[test]
        fn bits_come_back(runs in prop::collection::vec((any::<bool>(), 1_usize..40), 1..60)) {
            let values: Vec<u32> = runs.iter().flat_map(|&(value, len)| std::iter::repeat_n(u32::from(value), len)).collect();
            let mut bytes = Vec::new();
            hybrid(&values, 1, &mut bytes);
            let back = bitmap(&bytes, values.len()).unwrap();
            match back {
                None => prop_assert!(values.iter().all(|value| *value == 1)),
                Some(bits) => {
                    let back: Vec<u32> = (0..values.len()).map(|at| u32::from(bits[at / 8] >> (at % 8) & 1)).collect();
                    prop_assert_eq!(back, values);
                }
            }
        }

        #[test]
        fn differences_come_back(values in prop::collection::vec(prop_oneof![any::<i64>(), -50_i64..50], 0..400)) {
            let mut bytes = Vec::new();
            crate::delta::push_longs(&values, &mut bytes);
            let mut back = Vec::new();
            deltas(&bytes, values.len(), &mut back).unwrap();
            prop_assert_eq!(back, values);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100), width in 0_u32..40, count in 0_usize..500) {
            let mut out = Vec::new();
            if codes(&bytes, width, count, usize::MAX, &mut out).is_ok() {
                prop_assert_eq!(out.len(), count);
            }
            let _ = bitmap(&bytes, count);
            let mut out = Vec::new();
            if deltas(&bytes, count, &mut out).is_ok() {
                prop_assert_eq!(out.len(), count);
            }
        }
    }
}
