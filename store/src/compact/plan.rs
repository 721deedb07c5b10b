//! What to compact next: pure decisions over a snapshot and the time.
//!
//! ```text
//! level 0  files of flushes            ─▶ 1  soon: a calm stream waits for a few thousand rows, a busy one for a minute's worth
//! level 1  parts of an hour            ─▶ 2  one file an hour, when the hour is over and the parts are small
//! level 2  thin hours                  ─▶ 3  one file a day (or the part of a day that retention allows), when the day is over
//! level 3  thin days                   ─▶ 4  one file a week
//! ```
//!
//! Every merge raises the level of what it reads, so after its flush a row is rewritten at most [`LEVEL_MAX`] times, and only
//! rows of thin streams more than twice. A level may be left out: thin hours of a week that is over go into its file at once.

use std::{collections::BTreeMap, sync::Arc};

use event::Micros;

use super::HOUR;
use crate::{Options, Segment, Snapshot};

const DAY: Micros = 24 * HOUR;
const WEEK: Micros = 7 * DAY;
/// A span is closed this long after its end: the last flush has happened.
const CLOSED_AFTER: Micros = 2 * 60 * 1_000_000;
/// Columns of one file; inputs beyond it wait for the next run.
const COLUMNS_MAX: usize = 2_048;
/// Inputs of one run.
const INPUTS_MAX: usize = 1_024;
/// Small files of one hour that wait at most, however few rows they have.
const WAITING_MAX: usize = 32;
/// The span over which the rate of ingestion is measured, and how many of it a busy stream waits.
const RATE_SPAN: Micros = 10 * 1_000_000;
const RATE_SPANS: u64 = 6;
/// In a stream that does not pause, what waits may be this part of what its hour has in big files.
const WAITING_SHARE: u64 = 32;
/// A calm stream waits for this part of [`Options::compact_rows`].
const CALM_SHARE: u64 = 64;
/// Parts of an hour with so many full row groups are big enough: a busy stream is rewritten for the number of its files, not
/// for their rows.
const PART_GROUPS: u64 = 4;

/// While the log is read again, or ingest is behind, so many times as much waits: what is not visible comes first.
pub(crate) const BEHIND_TIMES: u64 = 8;

/// The highest level; how often a row is rewritten at most.
pub(crate) const LEVEL_MAX: u8 = 4;

/// Segments to put together.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// In order of ingestion.
    pub inputs: Vec<Arc<Segment>>,
    pub skewed: bool,
    /// No output crosses a multiple of this span of `event.ingested`.
    pub span: Micros,
    /// Level of the outputs; above that of every input.
    pub level: u8,
}

/// What is right at the moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// No file will span more of `event.ingested`.
    pub span_max: Micros,
    /// Frames of the log wait to be published.
    pub is_behind: bool,
    /// Whether compacted files are merged too.
    pub merges: bool,
}

/// The most urgent job; `None` when nothing is due. At `Micros::MAX` everything is.
pub(crate) fn choose(snapshot: &Snapshot, options: &Options, limits: Limits, now: Micros) -> Option<Job> {
    let both = [false, true];
    if limits.is_behind && now != Micros::MAX {
        let waits = both.map(|skewed| sums(&waiting(snapshot, skewed)));
        let (rows, bytes) = (waits[0].0 + waits[1].0, waits[0].1 + waits[1].1);
        let is_much = rows / BEHIND_TIMES >= options.compact_rows || bytes / BEHIND_TIMES >= options.compact_bytes;
        if !is_much {
            return None;
        }
    }
    let first = both.into_iter().find_map(|skewed| choose_level_0(snapshot, options, now, skewed));
    let merged = |skewed| choose_merge(snapshot, options, limits.span_max, now, skewed);
    first.or_else(|| both.into_iter().filter(|_| limits.merges).find_map(merged))
}

/// L0 files that wait, oldest first.
pub(crate) fn waiting(snapshot: &Snapshot, skewed: bool) -> Vec<Arc<Segment>> {
    let is_waiting = |segment: &&Arc<Segment>| segment.level == 0 && segment.skewed == skewed;
    let mut waiting: Vec<Arc<Segment>> = snapshot.segments.iter().filter(is_waiting).cloned().collect();
    waiting.sort_by(|one, two| (one.ingested, &one.id).cmp(&(two.ingested, &two.id)));
    waiting
}

fn choose_level_0(snapshot: &Snapshot, options: &Options, now: Micros, skewed: bool) -> Option<Job> {
    let waiting = waiting(snapshot, skewed);
    let (rows, bytes) = sums(&waiting);
    let is_much = rows >= options.compact_rows || bytes >= options.compact_bytes;
    // Hour by hour, so that a file of an hour is written at once.
    let mut hours: BTreeMap<i64, Vec<Arc<Segment>>> = BTreeMap::new();
    for segment in waiting {
        hours.entry(segment.ingested.0.div_euclid(HOUR)).or_default().push(segment);
    }
    let coming = recent(snapshot, now).saturating_mul(RATE_SPANS);
    let is_due = |hour: i64, files: &[Arc<Segment>]| {
        // In silence a small file is not one of many.
        let enough = if coming > 0 { coming.max(compacted(snapshot, hour, skewed) / WAITING_SHARE) } else { 0 };
        let enough = enough.clamp(options.compact_rows / CALM_SHARE, options.compact_rows);
        is_much || is_closed(hour.saturating_mul(HOUR), HOUR, now) || files.len() >= WAITING_MAX || sums(files).0 >= enough
    };
    let inputs = hours.into_iter().find(|(hour, files)| is_due(*hour, files))?.1;
    // Small files are more than twice as large as what becomes of them.
    let inputs = limited(&inputs, options.compact_file_bytes.saturating_mul(2));
    Some(Job { inputs, skewed, span: HOUR, level: 1 })
}

/// Rows that were ingested in the last [`RATE_SPAN`], about; rows of a batch or file count as spread evenly.
fn recent(snapshot: &Snapshot, now: Micros) -> u64 {
    let since = now.saturating_sub(RATE_SPAN);
    let part = |rows: u64, (from, to): (Micros, Micros)| match to.checked_sub(since) {
        Some(inside) if inside >= 0 => {
            let whole = to.abs_diff(from).max(1);
            (u128::from(rows) * u128::from(whole.min(inside.unsigned_abs().max(1))) / u128::from(whole)) as u64
        }
        _ => 0,
    };
    let hot = snapshot.hot.iter().map(|hot| part(hot.batch.num_rows() as u64, hot.ingested));
    let waiting = snapshot.segments.iter().filter(|segment| segment.level == 0);
    hot.chain(waiting.map(|segment| part(segment.rows, segment.ingested))).sum()
}

/// Rows of an hour in big files.
fn compacted(snapshot: &Snapshot, hour: i64, skewed: bool) -> u64 {
    let is_part =
        |segment: &&Arc<Segment>| segment.level > 0 && segment.skewed == skewed && segment.ingested.0.div_euclid(HOUR) == hour;
    snapshot.segments.iter().filter(is_part).map(|segment| segment.rows).sum()
}

/// True when the span that a time lies in is over.
fn is_closed(time: Micros, span: Micros, now: Micros) -> bool {
    (time.div_euclid(span) + 1).saturating_mul(span).saturating_add(CLOSED_AFTER) <= now || now == Micros::MAX
}

/// Widths of files and the levels that merges to them have, narrowest first.
pub(crate) fn widths(span_max: Micros) -> Vec<(Micros, u8)> {
    let mut widths = vec![(HOUR, 2)];
    let day = [24, 12, 8, 6, 4, 3, 2].into_iter().map(|hours| hours * HOUR).find(|span| *span <= span_max);
    widths.extend(day.map(|span| (span, 3)));
    if span_max >= WEEK {
        widths.push((WEEK, LEVEL_MAX));
    }
    widths
}

fn choose_merge(snapshot: &Snapshot, options: &Options, span_max: Micros, now: Micros, skewed: bool) -> Option<Job> {
    // What is still to come into big files may belong to any span from here on.
    let waiting = snapshot.segments.iter().filter(|segment| segment.level == 0).map(|segment| segment.ingested.0);
    let open = waiting.chain(snapshot.hot.iter().map(|hot| hot.ingested.0)).min().unwrap_or(Micros::MAX);
    let is_here = |segment: &&Arc<Segment>| segment.level > 0 && segment.skewed == skewed && segment.cold.is_none();
    let mut files: Vec<&Arc<Segment>> = snapshot.segments.iter().filter(is_here).collect();
    files.sort_by(|one, two| (one.ingested, &one.id).cmp(&(two.ingested, &two.id)));
    let widths = widths(span_max);
    // The widest first: what may go into a week's file at once is not rewritten for its day.
    (0..widths.len()).rev().find_map(|at| {
        let (span, level) = widths[at];
        let narrower = at.checked_sub(1).map(|at| widths[at].0);
        let unit = |segment: &Segment| segment.ingested.0.div_euclid(span);
        files.chunk_by(|one, two| unit(one) == unit(two)).find_map(|files| {
            let first = files.first()?.ingested.0;
            let end = (first.div_euclid(span) + 1).saturating_mul(span);
            if open < end || !is_closed(first, span, now) {
                return None;
            }
            let inputs = run(files, options, level, narrower, end)?;
            Some(Job { inputs, skewed, span, level })
        })
    })
}

/// The first neighbours among the files of one unit that a merge is right for: small parts of an hour, or, in wider units, thin
/// parts of the next narrower width.
fn run(
    files: &[&Arc<Segment>],
    options: &Options,
    level: u8,
    narrower: Option<Micros>,
    end: Micros,
) -> Option<Vec<Arc<Segment>>> {
    let mut rows: BTreeMap<i64, u64> = BTreeMap::new();
    if let Some(span) = narrower {
        files.iter().for_each(|segment| *rows.entry(segment.ingested.0.div_euclid(span)).or_default() += segment.rows);
    }
    let is_small = |segment: &Segment| match narrower {
        None => segment.rows < options.compact_slice_rows.saturating_mul(PART_GROUPS),
        Some(span) => rows.get(&segment.ingested.0.div_euclid(span)).is_some_and(|rows| *rows < options.compact_thin_rows),
    };
    // A file that reaches over the unit is from a time of longer rules.
    let is_fit = |segment: &Segment| segment.level < level && segment.ingested.1 < end && is_small(segment);
    files.split(|segment| !is_fit(segment)).find_map(|mut files| {
        while files.len() > 1 {
            let owned: Vec<Arc<Segment>> = files.iter().take(INPUTS_MAX).map(|segment| Arc::clone(segment)).collect();
            let taken = limited(&owned, options.compact_file_bytes);
            if taken.len() > 1 {
                return Some(taken);
            }
            files = &files[1..];
        }
        None
    })
}

pub(crate) fn sums(segments: &[Arc<Segment>]) -> (u64, u64) {
    segments.iter().fold((0, 0), |(rows, bytes), segment| (rows + segment.rows, bytes + segment.bytes))
}

/// As many segments as fit into one file; at least one.
fn limited(segments: &[Arc<Segment>], bytes_max: u64) -> Vec<Arc<Segment>> {
    let mut columns = std::collections::HashSet::new();
    let mut bytes = 0;
    let mut taken: Vec<Arc<Segment>> = Vec::new();
    for segment in segments.iter().take(INPUTS_MAX) {
        bytes += segment.bytes;
        columns.extend(segment.schema.fields().iter().map(|column| column.name().as_str()));
        if !taken.is_empty() && (bytes > bytes_max || columns.len() > COLUMNS_MAX) {
            break;
        }
        taken.push(Arc::clone(segment));
    }
    taken
}
