//! What to compact next: pure decisions over a snapshot and the time.

use std::{collections::BTreeMap, sync::Arc};

use event::Micros;

use super::HOUR;
use crate::{Options, Segment, Snapshot};

/// An hour is closed this long after its end: the last flush has happened.
const CLOSED_AFTER: Micros = 2 * 60 * 1_000_000;
/// Columns of one file; inputs beyond it wait for the next run.
const COLUMNS_MAX: usize = 2_048;

/// Segments to put together.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// In order of ingestion.
    pub inputs: Vec<Arc<Segment>>,
    pub skewed: bool,
}

/// The most urgent job; `None` when nothing is due. At `Micros::MAX` everything is.
pub(crate) fn choose(snapshot: &Snapshot, options: &Options, now: Micros) -> Option<Job> {
    [false, true].into_iter().find_map(|skewed| choose_level_0(snapshot, options, now, skewed))
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
    let is_closed = |segment: &Segment| {
        (segment.ingested.1.div_euclid(HOUR) + 1).saturating_mul(HOUR).saturating_add(CLOSED_AFTER) <= now || now == Micros::MAX
    };
    let ready: Vec<Arc<Segment>> = match is_much {
        true => waiting,
        false => waiting.into_iter().filter(|segment| is_closed(segment)).collect(),
    };
    // Hour by hour, so that a file of an hour is written at once.
    let mut hours: BTreeMap<i64, Vec<Arc<Segment>>> = BTreeMap::new();
    for segment in ready {
        hours.entry(segment.ingested.0.div_euclid(HOUR)).or_default().push(segment);
    }
    let inputs = limited(hours.into_values().next()?, options.compact_file_bytes);
    Some(Job { inputs, skewed })
}

pub(crate) fn sums(segments: &[Arc<Segment>]) -> (u64, u64) {
    segments.iter().fold((0, 0), |(rows, bytes), segment| (rows + segment.rows, bytes + segment.bytes))
}

/// As many segments as fit into one file.
fn limited(segments: Vec<Arc<Segment>>, bytes_max: u64) -> Vec<Arc<Segment>> {
    let mut columns = std::collections::HashSet::new();
    let mut bytes = 0;
    let mut taken: Vec<Arc<Segment>> = Vec::new();
    for segment in segments {
        bytes += segment.bytes;
        columns.extend(segment.schema.fields().iter().map(|column| column.name().clone()));
        if !taken.is_empty() && (bytes > bytes_max || columns.len() > COLUMNS_MAX) {
            break;
        }
        taken.push(segment);
    }
    taken
}
