//! The bytes of a frame: header with checksum, then one [`RawBatch`] in its own compact encoding.
//!
//! ```text
//! magic u32 │ length u32 │ crc32 u32 │ sequence u64 │ ingested i64 │ payload (length bytes)        all little-endian
//! ```
//!
//! The checksum covers salt, length, sequence, ingested and payload. The salt is a secret of the log file: without it a
//! hostile sender could write a log line that looks like a frame, which a search behind a damaged span would believe.
//! Decoding is total: torn, mutated and hostile bytes give an error, never a panic and never more memory than their size.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use event::{Micros, RawBatch, SourceCursor, raw::RefusedReason};

pub const HEADER_BYTES: usize = 28;
/// Largest payload; a batch beyond it is refused.
pub const PAYLOAD_BYTES_MAX: usize = 96 << 20;
pub const MAGIC: [u8; 4] = *b"\xC4\xA9ng";
const VERSION: u8 = 1;

/// What stands at a place in a log file.
#[derive(Debug, PartialEq, Eq)]
pub enum Peek {
    /// A whole, intact frame of this many bytes, header included.
    Frame {
        sequence: u64,
        ingested: Micros,
        bytes: usize,
    },
    /// Might be a frame when this many bytes are there.
    Short(usize),
    Bad,
}

/// Looks at the start of `bytes` for a frame.
pub fn peek(bytes: &[u8], salt: u64) -> Peek {
    if bytes.len() < HEADER_BYTES {
        let seen = bytes.len().min(MAGIC.len());
        return if bytes[..seen] == MAGIC[..seen] { Peek::Short(HEADER_BYTES) } else { Peek::Bad };
    }
    let length = u32_at(bytes, 4) as usize;
    if bytes[..4] != MAGIC || length > PAYLOAD_BYTES_MAX {
        return Peek::Bad;
    }
    let total = HEADER_BYTES + length;
    if bytes.len() < total {
        return Peek::Short(total);
    }
    let (sequence, ingested) = (u64_at(bytes, 12), u64_at(bytes, 20) as i64);
    if checksum(salt, sequence, ingested, &bytes[HEADER_BYTES..total]) != u32_at(bytes, 8) {
        return Peek::Bad;
    }
    Peek::Frame { sequence, ingested, bytes: total }
}

/// Appends header and payload to a commit group.
pub fn push(out: &mut Vec<u8>, salt: u64, sequence: u64, ingested: Micros, payload: &[u8]) {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&checksum(salt, sequence, ingested, payload).to_le_bytes());
    out.extend_from_slice(&sequence.to_le_bytes());
    out.extend_from_slice(&ingested.to_le_bytes());
    out.extend_from_slice(payload);
}

fn checksum(salt: u64, sequence: u64, ingested: Micros, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(&(payload.len() as u32).to_le_bytes());
    hasher.update(&sequence.to_le_bytes());
    hasher.update(&ingested.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// Why bytes are no batch, or a batch cannot become bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    #[error("the batch ends too early")]
    Short,
    #[error("the batch has version {0}, which this program does not know")]
    Version(u8),
    #[error("the batch contradicts itself: {0}")]
    Contradiction(&'static str),
    #[error("the batch is too large for one frame: {0}")]
    TooLarge(&'static str),
}

/// Encodes a batch; fails when a part does not fit its field or the batch contradicts itself.
pub fn encode(batch: &RawBatch) -> Result<Vec<u8>, CodecError> {
    if batch.ends.last().copied().unwrap_or(0) as usize != batch.data.len() || !batch.ends.is_sorted() {
        return Err(CodecError::Contradiction("record ends and data"));
    }
    if batch.data.len() + batch.ends.len() * 5 > PAYLOAD_BYTES_MAX - (1 << 20) {
        return Err(CodecError::TooLarge("records"));
    }
    let mut out = Vec::with_capacity(batch.data.len() + batch.ends.len() * 2 + batch.source.len() + 64);
    out.push(VERSION);
    put_text(&mut out, &batch.source, "source")?;
    match batch.sender {
        None => out.push(0),
        Some(IpAddr::V4(address)) => {
            out.push(4);
            out.extend_from_slice(&address.octets());
        }
        Some(IpAddr::V6(address)) => {
            out.push(6);
            out.extend_from_slice(&address.octets());
        }
    }
    out.extend_from_slice(&batch.received.to_le_bytes());
    out.push(u8::from(batch.key.is_some()) | u8::from(batch.cursor.is_some()) << 1);
    if let Some(key) = &batch.key {
        put_text(&mut out, key, "key")?;
    }
    if let Some(cursor) = &batch.cursor {
        put_text(&mut out, &cursor.file, "file")?;
        out.extend_from_slice(&cursor.offset.to_le_bytes());
    }
    put_count(&mut out, batch.refused.len() as u32);
    for (reason, count) in &batch.refused {
        out.push(*reason as u8);
        out.extend_from_slice(&count.to_le_bytes());
    }
    put_count(&mut out, batch.ends.len() as u32);
    let mut start = 0;
    for end in &batch.ends {
        put_count(&mut out, end - start);
        start = *end;
    }
    out.extend_from_slice(&batch.data);
    if out.len() > PAYLOAD_BYTES_MAX { Err(CodecError::TooLarge("refusals")) } else { Ok(out) }
}

/// Decodes what [`encode`] wrote.
pub fn decode(bytes: &[u8]) -> Result<RawBatch, CodecError> {
    let mut reader = Reader(bytes);
    let version = reader.u8()?;
    if version != VERSION {
        return Err(CodecError::Version(version));
    }
    let source = reader.text()?;
    let sender = match reader.u8()? {
        0 => None,
        4 => Some(IpAddr::V4(Ipv4Addr::from(reader.array::<4>()?))),
        6 => Some(IpAddr::V6(Ipv6Addr::from(reader.array::<16>()?))),
        _ => return Err(CodecError::Contradiction("address family")),
    };
    let received = i64::from_le_bytes(reader.array()?);
    let flags = reader.u8()?;
    let key = if flags & 1 != 0 { Some(reader.text()?) } else { None };
    let cursor = if flags & 2 != 0 {
        Some(SourceCursor { file: reader.text()?, offset: u64::from_le_bytes(reader.array()?) })
    } else {
        None
    };
    let mut refused = Vec::new();
    for _ in 0..reader.count()? {
        let reason = RefusedReason::from_code(reader.u8()?).ok_or(CodecError::Contradiction("refusal reason"))?;
        refused.push((reason, u64::from_le_bytes(reader.array()?)));
    }
    let records = reader.count()? as usize;
    // Each record takes at least its length byte, so a lying count cannot ask for more memory than there are bytes.
    let mut ends = Vec::with_capacity(records.min(reader.0.len()));
    let mut end = 0_u32;
    for _ in 0..records {
        end = end.checked_add(reader.count()?).ok_or(CodecError::Contradiction("record lengths"))?;
        ends.push(end);
    }
    if reader.0.len() != end as usize {
        return Err(CodecError::Contradiction("record lengths and data"));
    }
    Ok(RawBatch { source, sender, received, data: reader.0.to_vec(), ends, key, cursor, refused })
}

fn put_text(out: &mut Vec<u8>, text: &str, what: &'static str) -> Result<(), CodecError> {
    let length = u16::try_from(text.len()).map_err(|_| CodecError::TooLarge(what))?;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// LEB128.
fn put_count(out: &mut Vec<u8>, mut count: u32) {
    while count >= 0x80 {
        out.push(count as u8 | 0x80);
        count >>= 7;
    }
    out.push(count as u8);
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], CodecError> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(CodecError::Short)?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    fn u8(&mut self) -> Result<u8, CodecError> {
        Ok(self.take(1)?[0])
    }

    fn count(&mut self) -> Result<u32, CodecError> {
        let mut count = 0_u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.u8()?;
            count |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return u32::try_from(count).map_err(|_| CodecError::Contradiction("count"));
            }
        }
        Err(CodecError::Contradiction("count"))
    }

    fn text(&mut self) -> Result<String, CodecError> {
        let length = u16::from_le_bytes(self.array()?) as usize;
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| CodecError::Contradiction("text is not utf-8"))?;
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn batches() -> impl Strategy<Value = RawBatch> {
        let sender = prop_oneof![
            Just(None),
            any::<[u8; 4]>().prop_map(|a| Some(a.into())),
            any::<[u8; 16]>().prop_map(|a| Some(a.into()))
        ];
        let records = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20);
        let cursor = prop::option::of((".{0,20}", any::<u64>()));
        let refused = prop::collection::vec((0..4_usize, any::<u64>()), 0..4);
        (".{0,20}", sender, any::<i64>(), prop::option::of(".{0,20}"), cursor, refused, records).prop_map(
            |(source, sender, received, key, cursor, refused, records)| {
                let mut batch = RawBatch::new(&source, sender, received);
                batch.key = key;
                batch.cursor = cursor.map(|(file, offset)| SourceCursor { file, offset });
                batch.refused = refused.into_iter().map(|(at, count)| (RefusedReason::ALL[at], count)).collect();
                for record in records {
                    batch.push(&record);
                }
                batch
            },
        )
    }

    proptest! {
        #[test]
        fn round_trips(batch in batches(), salt: u64, sequence: u64, ingested: i64) {
            let payload = encode(&batch).unwrap();
            prop_assert_eq!(&decode(&payload).unwrap(), &batch);
            let mut bytes = Vec::new();
            push(&mut bytes, salt, sequence, ingested, &payload);
            prop_assert_eq!(peek(&bytes, salt), Peek::Frame { sequence, ingested, bytes: bytes.len() });
            prop_assert_eq!(peek(&bytes, salt ^ 1), Peek::Bad);
            for cut in [0, 3, HEADER_BYTES - 1, bytes.len() - 1] {
                prop_assert!(matches!(peek(&bytes[..cut], salt), Peek::Short(_)));
            }
        }

        #[test]
        fn mutated_bytes_never_panic(batch in batches(), flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut: prop::sample::Index) {
            let mut payload = encode(&batch).unwrap();
            for (at, byte) in flips {
                let at = at.index(payload.len());
                payload[at] = byte;
            }
            payload.truncate(cut.index(payload.len()) + 1);
            if let Ok(read) = decode(&payload) {
                prop_assert_eq!(read.ends.last().copied().unwrap_or(0) as usize, read.data.len());
                prop_assert!(read.records().count() == read.len());
            }
        }

        #[test]
        fn random_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..400), magic: bool) {
            if magic && bytes.len() >= 4 {
                bytes[..4].copy_from_slice(&MAGIC);
            }
            let _ = (decode(&bytes), peek(&bytes, 0));
        }
    }

    #[test]
    fn one_flipped_bit_anywhere_is_found() {
        let mut batch = RawBatch::new("s", None, 5);
        batch.push(b"a record");
        let mut bytes = Vec::new();
        push(&mut bytes, 7, 1, 2, &encode(&batch).unwrap());
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(peek(&bytes, 7), Peek::Frame { .. }), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn a_batch_that_contradicts_itself_is_refused() {
        let batch = RawBatch { data: vec![1, 2], ends: vec![1], ..RawBatch::default() };
        assert_eq!(encode(&batch), Err(CodecError::Contradiction("record ends and data")));
        let batch = RawBatch { source: "x".repeat(70_000), ..RawBatch::default() };
        assert_eq!(encode(&batch), Err(CodecError::TooLarge("source")));
    }
}
