//! NetFlow version 5: a header of 24 bytes and up to 30 records of 48, big-endian, nothing else.
//!
//! Reference: Cisco, "NetFlow Export Datagram Format", tables B-3 and B-4.
//!
//! Pure: bytes in, flows out. The exporter's clock stands in every header, so first and last packet are exact moments: they are
//! counted in milliseconds of uptime, and the uptime counter wraps after 49.7 days; a flow that seems to lie in the future of
//! its own header began before the wrap.

use std::net::Ipv4Addr;

use event::Micros;

pub const HEADER_BYTES: usize = 24;
pub const RECORD_BYTES: usize = 48;

/// Records that one datagram may announce; Cisco's limit is 30, some exporters fill a jumbo frame.
pub const RECORDS_MAX: usize = 1000;

/// Why a datagram is refused as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("short datagram: {len} bytes, a header has 24")]
    Short { len: usize },
    #[error("version {version}, expected 5")]
    Version { version: u16 },
    #[error("count mismatch: the header announces {announced} records, {present} are there")]
    Count { announced: usize, present: usize },
}

/// What a datagram's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub count: u16,
    pub uptime_ms: u32,
    /// The exporter's clock when it sent the datagram.
    pub sent: Micros,
    /// Number of flows that this engine had exported before: gaps are losses.
    pub sequence: u32,
    pub engine_type: u8,
    pub engine_id: u8,
    /// 0 none, 1 deterministic, 2 random.
    pub sampling_mode: u8,
    /// One packet of so many was looked at; 0 where the exporter does not sample.
    pub sampling_interval: u16,
}

/// One flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowV5 {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub next_hop: Ipv4Addr,
    pub source_port: u16,
    pub destination_port: u16,
    pub protocol: u8,
    pub tcp_flags: u8,
    pub type_of_service: u8,
    pub packets: u32,
    pub bytes: u32,
    pub first: Micros,
    pub last: Micros,
    pub input: u16,
    pub output: u16,
    pub source_as: u16,
    pub destination_as: u16,
    pub source_mask: u8,
    pub destination_mask: u8,
}

/// Reads a datagram: its header and an iterator over exactly the announced flows. Bytes after them are ignored, as padding.
pub fn read(datagram: &[u8]) -> Result<(Header, impl ExactSizeIterator<Item = FlowV5> + '_), Error> {
    let len = datagram.len();
    // The version is told before the length: an operator who sends v9 here should read "version 9".
    if let Some(version) = datagram.first_chunk().copied().map(u16::from_be_bytes)
        && version != 5
    {
        return Err(Error::Version { version });
    }
    let Some((head, body)) = datagram.split_at_checked(HEADER_BYTES) else {
        return Err(Error::Short { len });
    };
    let header = header(head);
    let (announced, present) = (usize::from(header.count), body.len() / RECORD_BYTES);
    if announced > present || announced == 0 || announced > RECORDS_MAX {
        return Err(Error::Count { announced, present });
    }
    let flows = body[..announced * RECORD_BYTES].chunks_exact(RECORD_BYTES).map(move |record| flow(&header, record));
    Ok((header, flows))
}

fn header(b: &[u8]) -> Header {
    let sampling = u16_at(b, 22);
    Header {
        count: u16_at(b, 2),
        uptime_ms: u32_at(b, 4),
        sent: i64::from(u32_at(b, 8)) * 1_000_000 + i64::from(u32_at(b, 12) / 1000),
        sequence: u32_at(b, 16),
        engine_type: b[20],
        engine_id: b[21],
        sampling_mode: (sampling >> 14) as u8,
        sampling_interval: sampling & 0x3FFF,
    }
}

fn flow(header: &Header, b: &[u8]) -> FlowV5 {
    FlowV5 {
        source: Ipv4Addr::from(u32_at(b, 0)),
        destination: Ipv4Addr::from(u32_at(b, 4)),
        next_hop: Ipv4Addr::from(u32_at(b, 8)),
        input: u16_at(b, 12),
        output: u16_at(b, 14),
        packets: u32_at(b, 16),
        bytes: u32_at(b, 20),
        first: moment(header, u32_at(b, 24)),
        last: moment(header, u32_at(b, 28)),
        source_port: u16_at(b, 32),
        destination_port: u16_at(b, 34),
        tcp_flags: b[37],
        protocol: b[38],
        type_of_service: b[39],
        source_as: u16_at(b, 40),
        destination_as: u16_at(b, 42),
        source_mask: b[44],
        destination_mask: b[45],
    }
}

/// The moment at which the uptime counter showed `uptime_ms`. The difference is taken modulo 2³²: a counter that wrapped gives
/// an age, not a future; up to an hour ahead of the header it is a clock that ran on while the datagram was filled.
fn moment(header: &Header, uptime_ms: u32) -> Micros {
    const AHEAD_MAX_MS: u32 = 3_600_000;
    let age = header.uptime_ms.wrapping_sub(uptime_ms);
    let ahead = age.wrapping_neg();
    if age != 0 && ahead <= AHEAD_MAX_MS { header.sent + i64::from(ahead) * 1000 } else { header.sent - i64::from(age) * 1000 }
}

fn u16_at(b: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([b[at], b[at + 1]])
}

fn u32_at(b: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SENT_SECONDS: u32 = 1_795_402_800;

    fn datagram(uptime_ms: u32, flows: &[(u32, u32)]) -> Vec<u8> {
        let mut b = Vec::new();
        b.extend(5u16.to_be_bytes());
        b.extend((flows.len() as u16).to_be_bytes());
        b.extend(uptime_ms.to_be_bytes());
        b.extend(SENT_SECONDS.to_be_bytes());
        b.extend(250_000_999u32.to_be_bytes());
        b.extend(77u32.to_be_bytes());
        b.extend([1, 2, 0x40, 100]);
        for (first, last) in flows {
            b.extend([10, 0, 0, 1, 203, 0, 113, 9, 192, 0, 2, 1, 0, 3, 0, 4]);
            b.extend(12u32.to_be_bytes());
            b.extend(3456u32.to_be_bytes());
            b.extend(first.to_be_bytes());
            b.extend(last.to_be_bytes());
            b.extend([0xC8, 0x22, 0x01, 0xBB, 0, 0x1B, 6, 0, 0xFD, 0xE8, 0, 0, 24, 0, 0, 0]);
        }
        b
    }

    #[test]
    fn fields_and_times() {
        let b = datagram(100_000, &[(90_000, 99_500), (100_000, 100_500)]);
        let (header, flows) = read(&b).unwrap();
        let sent = i64::from(SENT_SECONDS) * 1_000_000 + 250_000;
        assert_eq!((header.sent, header.sequence, header.sampling_mode, header.sampling_interval), (sent, 77, 1, 100));
        let flows: Vec<_> = flows.collect();
        let flow = flows[0];
        assert_eq!((flow.source, flow.destination), (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(203, 0, 113, 9)));
        assert_eq!((flow.source_port, flow.destination_port, flow.protocol, flow.tcp_flags), (51234, 443, 6, 0x1B));
        assert_eq!((flow.packets, flow.bytes, flow.source_as, flow.source_mask), (12, 3456, 65000, 24));
        assert_eq!((flow.first, flow.last), (sent - 10_000_000, sent - 500_000));
        assert_eq!((flows[1].first, flows[1].last), (sent, sent + 500_000));
    }

    #[test]
    fn the_uptime_counter_wraps() {
        let b = datagram(5_000, &[(u32::MAX - 4_999, 4_000)]);
        let (header, mut flows) = read(&b).unwrap();
        let flow = flows.next().unwrap();
        // 10 s before the header: more than the counter can show, less than an hour back through the wrap.
        assert_eq!(header.sent - flow.last, 1_000_000);
        assert_eq!(header.sent - flow.first, 10_000_000);
    }

    #[test]
    fn errors_are_named() {
        let good = datagram(1, &[(1, 1)]);
        assert_eq!(read(&[]).err(), Some(Error::Short { len: 0 }));
        assert_eq!(read(&good[..23]).err(), Some(Error::Short { len: 23 }));
        assert_eq!(read(&good[..71]).err(), Some(Error::Count { announced: 1, present: 0 }));
        assert_eq!(read(&[0, 9, 0, 1]).err(), Some(Error::Version { version: 9 }));
        let mut none = good.clone();
        none[3] = 0;
        assert_eq!(read(&none).err(), Some(Error::Count { announced: 0, present: 1 }));
        let mut padded = good;
        padded.extend([0; 20]);
        assert_eq!(read(&padded).unwrap().1.len(), 1);
    }

    proptest! {
        #[test]
        fn never_panics(mut bytes in prop::collection::vec(any::<u8>(), 0..300), is_v5 in any::<bool>()) {
            if is_v5 && bytes.len() >= 4 {
                bytes[..4].copy_from_slice(&[0, 5, 0, 3]);
            }
            if let Ok((header, flows)) = read(&bytes) {
                prop_assert_eq!(flows.count(), usize::from(header.count));
            }
        }
    }
}
