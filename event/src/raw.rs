//! Records as they arrive: bytes with provenance, before anybody has read them.

use std::net::IpAddr;

use chrono_tz::Tz;

use crate::Micros;

/// What a source hands to the write-ahead log: records of one source and one sender, back to back.
///
/// Record `i` is `data[ends[i-1]..ends[i]]` (from 0 for the first). One `RawBatch` becomes one frame of the log, so a
/// record's identity is (frame sequence, index).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawBatch {
    /// Configured name of the source; 1–64 bytes of `[a-z0-9_.-]`.
    pub source: String,
    /// Address that delivered the records; `None` for files.
    pub sender: Option<IpAddr>,
    /// When this server received them.
    pub received: Micros,
    pub data: Vec<u8>,
    pub ends: Vec<u32>,
    /// `Idempotency-Key` of an HTTP request: a second batch of the same source and key is answered, not stored.
    pub key: Option<String>,
    /// Where a pull source (file) continues after this batch; durable together with it.
    pub cursor: Option<SourceCursor>,
    /// Records that were received but not kept, by reason; they enter the ledger with this batch.
    pub refused: Vec<(RefusedReason, u64)>,
}

/// Position in a file: everything before `offset` is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceCursor {
    /// Stable identity of the file (device, inode and hash of its first bytes; see `ingest`).
    pub file: String,
    pub offset: u64,
}

/// Why a received record was not kept; the ledger counts each apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum RefusedReason {
    /// The socket's receive queue overflowed in the kernel (UDP only).
    KernelDrop = 1,
    /// The log was at its disk budget and the transport cannot wait (UDP only).
    Pressure = 2,
    /// A frame or body broke a limit and could not be cut safely.
    Limit = 3,
    /// The bytes were not what the transport promises (framing, compression, encoding of a body).
    Malformed = 4,
}

impl RefusedReason {
    pub const ALL: [Self; 4] = [Self::KernelDrop, Self::Pressure, Self::Limit, Self::Malformed];

    pub fn name(self) -> &'static str {
        match self {
            Self::KernelDrop => "kernel_drop",
            Self::Pressure => "pressure",
            Self::Limit => "limit",
            Self::Malformed => "malformed",
        }
    }

    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| *reason as u8 == code)
    }
}

impl RawBatch {
    pub fn new(source: &str, sender: Option<IpAddr>, received: Micros) -> Self {
        Self { source: source.to_owned(), sender, received, ..Self::default() }
    }

    /// Appends one record.
    pub fn push(&mut self, record: &[u8]) {
        self.data.extend_from_slice(record);
        self.ends.push(self.data.len() as u32);
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True when there is nothing to store: no record, no refusal, no cursor.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty() && self.refused.is_empty() && self.cursor.is_none()
    }

    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.ends.len()).map(|i| {
            let start = if i == 0 { 0 } else { self.ends[i - 1] as usize };
            &self.data[start..self.ends[i] as usize]
        })
    }
}

/// Proof that a batch is on disk: its frame sequence and the number of records in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub sequence: u64,
    pub records: u32,
    /// True when the batch's `key` was seen before: nothing was stored now, the receipt is the first one's.
    pub duplicate: bool,
}

/// One record in front of a parser.
#[derive(Clone, Copy, Debug)]
pub struct RawRecord<'r> {
    bytes: &'r [u8],
    /// `bytes` as text, or the readable part of it (see [`RawRecord::text`]).
    text: &'r str,
    received: Micros,
    zone: Tz,
}

impl<'r> RawRecord<'r> {
    /// `text` is the UTF-8 reading of `bytes`: the caller checks once, so parsers never do. Bytes that are not UTF-8 are
    /// replaced by U+FFFD in an arena copy; the original bytes survive in `event.original_bytes`.
    pub fn new(bytes: &'r [u8], text: &'r str, received: Micros, zone: Tz) -> Self {
        Self { bytes, text, received, zone }
    }

    pub fn bytes(&self) -> &'r [u8] {
        self.bytes
    }

    pub fn text(&self) -> &'r str {
        self.text
    }

    /// Receive time: years are inferred from it.
    pub fn received(&self) -> Micros {
        self.received
    }

    /// Zone of stamps that name none; per source in the configuration.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The same record with another text: what an envelope parser hands to the parser of its payload.
    pub fn with_text(&self, text: &'r str) -> Self {
        Self { bytes: text.as_bytes(), text, ..*self }
    }
}
