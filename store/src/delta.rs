//! Parquet's difference encodings: `DELTA_BINARY_PACKED` for numbers and `DELTA_BYTE_ARRAY` for texts with a common beginning.
//!
//! The writing side; [`crate::read`] reads numbers, the `parquet` crate texts. Source: Parquet format, Encodings.md.

use crate::compact::dictionary::push_varint;

const BLOCK: usize = 128;
const MINIBLOCK: usize = 32;
const MINIBLOCKS: usize = BLOCK / MINIBLOCK;

/// Appends numbers as `DELTA_BINARY_PACKED`.
pub(crate) fn push_longs(values: &[i64], out: &mut Vec<u8>) {
    push_varint(out, BLOCK);
    push_varint(out, MINIBLOCKS);
    push_varint(out, values.len());
    push_zigzag(out, values.first().copied().unwrap_or(0));
    let mut deltas = [0_i64; BLOCK];
    let mut packed = [0_u64; MINIBLOCK];
    let mut at = 1;
    while at < values.len() {
        let count = BLOCK.min(values.len() - at);
        let pairs = values[at - 1..at + count].windows(2);
        deltas.iter_mut().zip(pairs).for_each(|(delta, pair)| *delta = pair[1].wrapping_sub(pair[0]));
        let min = deltas[..count].iter().copied().min().unwrap_or(0);
        push_zigzag(out, min);
        let widths = out.len();
        out.extend_from_slice(&[0; MINIBLOCKS]);
        for (number, deltas) in deltas[..count].chunks(MINIBLOCK).enumerate() {
            packed.fill(0);
            let mut all = 0;
            for (packed, delta) in packed.iter_mut().zip(deltas) {
                *packed = delta.wrapping_sub(min) as u64;
                all |= *packed;
            }
            let width = u64::BITS - all.leading_zeros();
            out[widths + number] = width as u8;
            push_bits(out, &packed, width);
        }
        at += count;
    }
}

/// Appends texts as `DELTA_BYTE_ARRAY` and returns how many there were.
pub(crate) fn push_front<'t>(texts: impl Iterator<Item = &'t [u8]>, out: &mut Vec<u8>) -> usize {
    let (mut shared, mut lengths, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    let mut last: &[u8] = &[];
    for text in texts {
        let common = last.iter().zip(text).take_while(|(one, two)| one == two).count();
        shared.push(common as i64);
        lengths.push((text.len() - common) as i64);
        bytes.extend_from_slice(&text[common..]);
        last = text;
    }
    push_longs(&shared, out);
    push_longs(&lengths, out);
    out.extend_from_slice(&bytes);
    shared.len()
}

fn push_zigzag(out: &mut Vec<u8>, value: i64) {
    let mut value = ((value << 1) ^ (value >> 63)) as u64;
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn push_bits(out: &mut Vec<u8>, values: &[u64; MINIBLOCK], width: u32) {
    if width == 0 {
        return;
    }
    let (mut bits, mut count) = (0_u128, 0);
    for value in values {
        bits |= u128::from(*value) << count;
        count += width;
        if count >= 64 {
            out.extend_from_slice(&(bits as u64).to_le_bytes());
            bits >>= 64;
            count -= 64;
        }
    }
    out.extend_from_slice(&(bits as u64).to_le_bytes()[..count as usize / 8]);
}
