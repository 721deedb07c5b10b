//! What a province needs: events a second and bytes per event become disk by months of retention, cores and memory.
//!
//! Pure arithmetic; where the figures come from is said beside them ([`Row::origin`]). Not here: measuring, printing.

use serde::Serialize;

/// CPU seconds that one million events take, from the socket to the compacted, indexed file: 7.6 and 4.8, measured with
/// `cargo xtask bench store` on two cores (benches/runs/2026-11-24-store.jsonl), rounded up.
pub const CPU_SECONDS_PER_MILLION: f64 = 13.0;
/// A province's peak over its sustained rate; the log takes the rest of a burst.
pub const PEAK: f64 = 3.0;
/// Cores that questions, rules and pages want for themselves.
const CORES_FOR_PEOPLE: f64 = 1.0;
const CORES_MIN: u32 = 2;
/// Memory in GB without questions: hot batches, log, compaction, catalogue.
const MEMORY_BASE_GB: f64 = 3.0;
/// A month of the rules, so that a legal minimum is never cut short.
pub const MONTH_DAYS: u32 = 31;
/// What compaction, the log and the operating system want free.
const DISK_RESERVE: f64 = 1.15;

/// Bytes per event of one log class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// `event.dataset`.
    pub class: String,
    /// Events that were measured.
    pub events: u64,
    /// Bytes of the line as it came; `None` where it was not measured.
    pub raw: Option<f64>,
    /// Bytes on disk, columns, exact line and index together.
    pub stored: f64,
    pub origin: String,
}

/// Disk for one retention.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Disk {
    pub months: u32,
    pub gigabytes: f64,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Need {
    pub events_per_second: f64,
    pub bytes_per_event: f64,
    pub gigabytes_per_day: f64,
    pub gigabytes_per_year: f64,
    pub disk: Vec<Disk>,
    pub cores: u32,
    pub memory_gb: u32,
}

/// Reckons for a sustained rate; `months` are those of the levels, `query_gb` the memory that questions may take.
pub fn need(events_per_second: f64, bytes_per_event: f64, months: &[u32], query_gb: f64) -> Need {
    let per_day = events_per_second * 86_400.0 * bytes_per_event / 1e9;
    let mut months: Vec<u32> = months.to_vec();
    months.sort_unstable();
    months.dedup();
    let disk = |months: u32| Disk { months, gigabytes: per_day * f64::from(months * MONTH_DAYS) * DISK_RESERVE };
    let busy = events_per_second * PEAK * CPU_SECONDS_PER_MILLION / 1e6;
    // Rows of the hot batches grow with the rate: half a minute of events of about 2 kB in memory, at the peak.
    let hot_gb = events_per_second * PEAK * 30.0 * 2_000.0 / 1e9;
    Need {
        events_per_second,
        bytes_per_event,
        gigabytes_per_day: per_day,
        gigabytes_per_year: per_day * 365.0,
        disk: months.into_iter().filter(|months| *months > 0).map(disk).collect(),
        cores: ((busy + CORES_FOR_PEOPLE).ceil() as u32).max(CORES_MIN),
        memory_gb: (MEMORY_BASE_GB + hot_gb.min(1.0) + query_gb).ceil() as u32,
    }
}

/// Mean bytes per event over classes by the events that were seen of each.
pub fn mean(rows: &[Row]) -> Option<f64> {
    let events: u64 = rows.iter().map(|row| row.events).sum();
    let bytes: f64 = rows.iter().map(|row| row.stored * row.events as f64).sum();
    (events > 0).then(|| bytes / events as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_provinces_design_point() {
        let need = need(5_000.0, 60.0, &[1, 1, 3, 6, 12], 1.0);
        assert_eq!((need.cores, need.memory_gb), (2, 5));
        assert!((need.gigabytes_per_day - 25.92).abs() < 1e-9 && (need.gigabytes_per_year - 9_460.8).abs() < 1e-6);
        let months: Vec<u32> = need.disk.iter().map(|disk| disk.months).collect();
        assert_eq!(months, [1, 3, 6, 12]);
        assert!((need.disk[3].gigabytes - 25.92 * 372.0 * 1.15).abs() < 1e-6);
    }

    #[test]
    fn the_mean_is_weighted_by_what_comes() {
        let row = |events, stored| Row { class: "c".into(), events, raw: None, stored, origin: String::new() };
        assert_eq!(mean(&[row(90, 50.0), row(10, 500.0)]), Some(95.0));
        assert_eq!(mean(&[]), None);
    }
}
