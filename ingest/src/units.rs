//! Sizes and spans of time as they are written in the configuration: a number with its unit (`"64 KiB"`, `"10 s"`).
//!
//! A bare number is refused: nobody remembers a year later whether it was seconds.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number of bytes: `B`, `kB`, `MB`, `GB` (thousands), `KiB`, `MiB`, `GiB` (1,024s).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// A span of time: `ms`, `s`, `min`, `h`, `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

const BYTE_UNITS: &[(&str, u64)] =
    &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000), ("B", 1)];
const SPAN_UNITS_MS: &[(&str, u64)] = &[("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];

impl Bytes {
    pub const fn kib(n: u64) -> Self {
        Self(n << 10)
    }

    pub const fn mib(n: u64) -> Self {
        Self(n << 20)
    }

    /// As a length in memory.
    pub fn len(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Span {
    pub const fn millis(n: u64) -> Self {
        Self(Duration::from_millis(n))
    }

    pub const fn secs(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }
}

/// Reads `"<number> <unit>"`; the space may be left out.
fn read(text: &str, units: &[(&str, u64)]) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = (&text[..digits], text[digits..].trim());
    let known = || units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let Ok(number) = number.parse::<u64>() else { return Err(format!("`{text}` does not begin with a whole number")) };
    let Some((_, factor)) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)) else {
        return Err(format!("`{text}` needs a unit, one of {}", known()));
    };
    number.checked_mul(*factor).ok_or_else(|| format!("`{text}` is too large"))
}

/// Writes with the largest unit that divides the number.
fn write(n: u64, units: &[(&str, u64)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut fitting = units.iter().filter(|(_, factor)| n != 0 && n.is_multiple_of(*factor));
    let (unit, factor) = fitting.next().copied().unwrap_or(units[units.len() - 1]);
    write!(f, "{} {unit}", n / factor)
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.0, BYTE_UNITS, f)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.0.as_millis() as u64, SPAN_UNITS_MS, f)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        read(&text, BYTE_UNITS).map(Self).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        read(&text, SPAN_UNITS_MS).map(|ms| Self(Duration::from_millis(ms))).map_err(de::Error::custom)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_carry_their_unit() {
        assert_eq!(read("64 KiB", BYTE_UNITS), Ok(65_536));
        assert_eq!(read("8MiB", BYTE_UNITS), Ok(8 << 20));
        assert_eq!(read("10 min", SPAN_UNITS_MS), Ok(600_000));
        assert!(read("64", BYTE_UNITS).unwrap_err().contains("needs a unit"));
        assert!(read("KiB", BYTE_UNITS).unwrap_err().contains("whole number"));
        assert!(read("99999999999999999999 B", BYTE_UNITS).is_err());
        assert!(read("18446744073709551615 GiB", BYTE_UNITS).unwrap_err().contains("too large"));
    }

    #[test]
    fn what_is_written_reads_back() {
        for n in [0, 1, 1000, 65_536, 1 << 30, 123_456_789] {
            assert_eq!(read(&Bytes(n).to_string(), BYTE_UNITS), Ok(n));
            assert_eq!(read(&Span::millis(n).to_string(), SPAN_UNITS_MS), Ok(n));
        }
        assert_eq!(Bytes::kib(64).to_string(), "64 KiB");
        assert_eq!(Span::secs(90).to_string(), "90 s");
    }
}
