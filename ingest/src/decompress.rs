//! Decompression under caps: the only way compressed bytes enter the program.
//!
//! A cap cuts, it does not fail silently: [`Capped`] gives what lies before the cap, then an error that says which one.

use std::{
    fmt,
    io::{self, BufRead, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Output below this is never called a bomb: a few kilobytes of zeros compress by any factor.
const RATIO_FROM_BYTES: u64 = 1 << 20;
/// Largest window (log2) that a zstd sender may ask us to hold: 8 MiB, as RFC 8878 §3.1.1.1.2 recommends.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// How bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// By the name that HTTP's `Content-Encoding` uses.
    pub fn by_name(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// By the first bytes of a file.
    pub fn by_magic(first: &[u8]) -> Self {
        match first {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::Identity,
        }
    }
}

/// What decompression may cost.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// Bytes of output.
    pub bytes_max: u64,
    /// Output bytes per input byte.
    pub ratio_max: u64,
}

/// Why decompressed bytes end before their end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cut {
    #[error("more than {bytes_max} bytes decompressed")]
    TooLarge { bytes_max: u64 },
    #[error("grows more than {ratio_max} times: taken for a decompression bomb")]
    Bomb { ratio_max: u64 },
    #[error("compressed more than {nesting_max} times over")]
    Nested { nesting_max: u32 },
    #[error("broken compressed data near byte {offset}: {reason}")]
    Broken { offset: u64, reason: String },
}

impl Cut {
    /// True when a cap cut it, false when the bytes were no good.
    pub fn is_limit(&self) -> bool {
        !matches!(self, Self::Broken { .. })
    }
}

/// Decompresses a body whole.
pub fn capped(encoding: Encoding, bytes: &[u8], caps: Caps) -> Result<Vec<u8>, Cut> {
    let mut out = Vec::with_capacity(bytes.len().saturating_mul(4).min(1 << 20));
    let mut reader = Capped::new(encoding, bytes, caps)?;
    match reader.read_to_end(&mut out) {
        Ok(_) => Ok(out),
        Err(error) => Err(reader.cut(error)),
    }
}

/// A reader that decompresses under caps. Its `io::Error`s are worded by [`Capped::cut`].
pub struct Capped<'r> {
    inner: Box<dyn Read + Send + 'r>,
    consumed: Arc<AtomicU64>,
    produced: u64,
    caps: Caps,
}

impl<'r> Capped<'r> {
    pub fn new(encoding: Encoding, input: impl BufRead + Send + 'r, caps: Caps) -> Result<Self, Cut> {
        let consumed = Arc::new(AtomicU64::new(0));
        let input = Counting { inner: input, consumed: Arc::clone(&consumed) };
        let inner: Box<dyn Read + Send + 'r> = match encoding {
            Encoding::Identity => Box::new(input),
            // Gzip members may follow one another (RFC 1952 §2.2).
            Encoding::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
            Encoding::Zstd => Box::new(zstd_reader(input).map_err(|e| Cut::Broken { offset: 0, reason: e.to_string() })?),
        };
        Ok(Self { inner, consumed, produced: 0, caps })
    }

    /// Compressed bytes read so far.
    pub fn consumed(&self) -> u64 {
        self.consumed.load(Relaxed)
    }

    /// Says why reading failed.
    pub fn cut(&self, error: io::Error) -> Cut {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Cut>()) {
            Some(cut) => cut.clone(),
            None => Cut::Broken { offset: self.consumed(), reason: error.to_string() },
        }
    }
}

fn zstd_reader<R: BufRead>(input: R) -> io::Result<zstd::stream::read::Decoder<'static, R>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    Ok(decoder)
}

impl Read for Capped<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.produced += n as u64;
        if self.produced > self.caps.bytes_max {
            return Err(io::Error::other(Cut::TooLarge { bytes_max: self.caps.bytes_max }));
        }
        let allowed = self.consumed().max(1).saturating_mul(self.caps.ratio_max);
        if self.produced > RATIO_FROM_BYTES && self.produced > allowed {
            return Err(io::Error::other(Cut::Bomb { ratio_max: self.caps.ratio_max }));
        }
        Ok(n)
    }
}

/// Counts what the decoder takes.
struct Counting<R> {
    inner: R,
    consumed: Arc<AtomicU64>,
}

impl<R: BufRead> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.consumed.fetch_add(n as u64, Relaxed);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Counting<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.consumed.fetch_add(n as u64, Relaxed);
        self.inner.consume(n);
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use super::*;

    const CAPS: Caps = Caps { bytes_max: 8 << 20, ratio_max: 100 };

    pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    #[test]
    fn honest_bytes_come_back() {
        let text = "Nhật ký hệ thống\n".repeat(1000);
        for (encoding, packed) in [
            (Encoding::Identity, text.clone().into_bytes()),
            (Encoding::Gzip, gzip(text.as_bytes())),
            (Encoding::Zstd, zstd(text.as_bytes())),
        ] {
            assert_eq!(Encoding::by_magic(&packed), encoding);
            assert_eq!(capped(encoding, &packed, CAPS).unwrap(), text.as_bytes(), "{encoding}");
        }
        let two = [gzip(b"one\n"), gzip(b"two\n")].concat();
        assert_eq!(capped(Encoding::Gzip, &two, CAPS).unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn hostile_bombs_are_cut() {
        let zeros = vec![0; 7 << 20];
        for (encoding, bomb) in [(Encoding::Gzip, gzip(&zeros)), (Encoding::Zstd, zstd(&zeros))] {
            assert_eq!(capped(encoding, &bomb, CAPS), Err(Cut::Bomb { ratio_max: 100 }), "{encoding}");
            let loose = Caps { bytes_max: 2 << 20, ratio_max: u64::MAX };
            assert_eq!(capped(encoding, &bomb, loose), Err(Cut::TooLarge { bytes_max: 2 << 20 }), "{encoding}");
        }
    }

    #[test]
    fn hostile_bombs_cost_no_memory() {
        // 1 GiB of zeros: the reader must stop long before.
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        for _ in 0..1024 {
            encoder.write_all(&[0; 1 << 20]).unwrap();
        }
        let bomb = encoder.finish().unwrap();
        let mut reader = Capped::new(Encoding::Zstd, bomb.as_slice(), CAPS).unwrap();
        let mut produced = 0;
        let mut buffer = vec![0; 1 << 16];
        let error = loop {
            match reader.read(&mut buffer) {
                Ok(n) => produced += n,
                Err(error) => break error,
            }
        };
        assert!(reader.cut(error).is_limit());
        assert!(produced <= 8 << 20);
    }

    #[test]
    fn hostile_truncated_and_garbage() {
        let text = "line after line after line\n".repeat(100_000);
        for (encoding, packed) in [(Encoding::Gzip, gzip(text.as_bytes())), (Encoding::Zstd, zstd(text.as_bytes()))] {
            let truncated = capped(encoding, &packed[..packed.len() / 2], Caps { ratio_max: 10_000, ..CAPS });
            assert!(matches!(truncated, Err(Cut::Broken { .. })), "{encoding}: {truncated:?}");
            assert!(matches!(capped(encoding, b"no such thing", CAPS), Err(Cut::Broken { .. })), "{encoding}");
        }
    }
}
