//! Files opened up: what they hold is found by their first bytes, compression inside compression is undone a few times,
//! and everything is capped (total bytes, growth, nesting).

use std::{
    fs::File,
    io::{self, BufReader, Cursor, Read},
};

use crate::decompress::{Capped, Caps, Cut, Encoding};

/// Longest EVTX file that came compressed: it must sit in memory, for EVTX is read by seeking.
const EVTX_IN_MEMORY_MAX: u64 = 256 << 20;
const EVTX_MAGIC: &[u8] = b"ElfFile\0";

/// What unpacking may cost.
#[derive(Clone, Copy, Debug)]
pub struct UnpackCaps {
    /// Bytes of output, of every layer.
    pub bytes_max: u64,
    /// Output bytes per input byte, of every layer.
    pub ratio_max: u64,
    /// Layers of compression.
    pub nesting_max: u32,
}

/// What a file turned out to hold.
pub enum Unpacked {
    /// Uncompressed lines: the file itself, at its start.
    Plain(File),
    /// Lines that were compressed.
    Lines(Box<dyn Read + Send>),
    /// Windows event log, as a file …
    Evtx(File),
    /// … or unpacked into memory.
    EvtxBytes(Vec<u8>),
}

/// Looks into a file. Only the first layer is a file that can seek; what lies deeper is a stream.
pub fn unpack(mut file: File, caps: UnpackCaps) -> Result<Unpacked, Cut> {
    let mut first = [0; 8];
    let n = fill(&mut file, &mut first).and_then(|n| io::Seek::rewind(&mut file).map(|()| n)).map_err(broken)?;
    if &first[..n] == EVTX_MAGIC {
        return Ok(Unpacked::Evtx(file));
    }
    let mut encoding = Encoding::by_magic(&first[..n]);
    if encoding == Encoding::Identity {
        return Ok(Unpacked::Plain(file));
    }
    let layer = Caps { bytes_max: caps.bytes_max, ratio_max: caps.ratio_max };
    let mut stream: Box<dyn Read + Send> = Box::new(file);
    for depth in 1.. {
        if depth > caps.nesting_max {
            return Err(Cut::Nested { nesting_max: caps.nesting_max });
        }
        let mut inner = Capped::new(encoding, BufReader::with_capacity(1 << 16, stream), layer)?;
        let mut first = [0; 8];
        let n = fill(&mut inner, &mut first).map_err(|error| inner.cut(error))?;
        stream = Box::new(Cursor::new(first[..n].to_vec()).chain(inner));
        encoding = Encoding::by_magic(&first[..n]);
        if &first[..n] == EVTX_MAGIC {
            return evtx_bytes(stream);
        }
        if encoding == Encoding::Identity {
            break;
        }
    }
    Ok(Unpacked::Lines(stream))
}

fn evtx_bytes(stream: Box<dyn Read + Send>) -> Result<Unpacked, Cut> {
    let mut bytes = Vec::new();
    stream.take(EVTX_IN_MEMORY_MAX + 1).read_to_end(&mut bytes).map_err(broken)?;
    if bytes.len() as u64 > EVTX_IN_MEMORY_MAX {
        return Err(Cut::TooLarge { bytes_max: EVTX_IN_MEMORY_MAX });
    }
    Ok(Unpacked::EvtxBytes(bytes))
}

/// Says why a stream of [`unpack`] failed, whichever layer it was.
pub fn broken(error: io::Error) -> Cut {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Cut>()) {
        Some(cut) => cut.clone(),
        None => Cut::Broken { offset: 0, reason: error.to_string() },
    }
}

/// Reads until the buffer is full or the stream ends.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while n < buffer.len() {
        match reader.read(&mut buffer[n..])? {
            0 => break,
            more => n += more,
        }
    }
    Ok(n)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::decompress::tests::{gzip, zstd};

    const CAPS: UnpackCaps = UnpackCaps { bytes_max: 4 << 20, ratio_max: 100, nesting_max: 2 };

    fn read(bytes: &[u8]) -> Result<Vec<u8>, Cut> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let mut out = Vec::new();
        match unpack(file, CAPS)? {
            Unpacked::Plain(mut file) => file.read_to_end(&mut out).map_err(broken)?,
            Unpacked::Lines(mut stream) => stream.read_to_end(&mut out).map_err(broken)?,
            Unpacked::Evtx(_) | Unpacked::EvtxBytes(_) => panic!("no EVTX was given"),
        };
        Ok(out)
    }

    #[test]
    fn layers_are_undone() {
        let text = b"one\ntwo\n";
        assert_eq!(read(text).unwrap(), text);
        assert_eq!(read(b"").unwrap(), b"");
        assert_eq!(read(&gzip(text)).unwrap(), text);
        assert_eq!(read(&zstd(&gzip(text))).unwrap(), text);
    }

    #[test]
    fn hostile_nesting_and_bombs_are_cut() {
        assert_eq!(read(&gzip(&gzip(&gzip(b"x")))), Err(Cut::Nested { nesting_max: 2 }));
        assert_eq!(read(&gzip(&[0; 3 << 20])), Err(Cut::Bomb { ratio_max: 100 }));
        // A bomb inside an honest wrapper.
        assert_eq!(read(&zstd(&gzip(&[0; 3 << 20]))), Err(Cut::Bomb { ratio_max: 100 }));
        let packed = gzip("cut off\n".repeat(10_000).as_bytes());
        assert!(matches!(read(&packed[..packed.len() / 2]), Err(Cut::Broken { .. })));
    }
}
