//! Times at the edge: RFC 3339 with `Z` outside, microseconds inside.

use chrono::{DateTime, SecondsFormat, Utc};
use event::Micros;

use crate::error::{ApiError, Result};

/// Writes a time; out of chrono's range it is the epoch, which no real event claims.
pub fn rfc3339(micros: Micros) -> String {
    DateTime::<Utc>::from_timestamp_micros(micros).unwrap_or_default().to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Reads a time from a request.
pub fn read(name: &str, text: &str) -> Result<Micros> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.timestamp_micros())
        .map_err(|_| ApiError::bad("invalid", format!("{name}: {text:?} is no RFC 3339 time, for example 2026-11-23T08:00:00Z")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_edge() {
        let micros = read("from", "2026-11-23T08:00:00.25+07:00").unwrap();
        assert_eq!(rfc3339(micros), "2026-11-23T01:00:00.250Z");
        assert!(read("from", "yesterday").is_err());
    }
}
