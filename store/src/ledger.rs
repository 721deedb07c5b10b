//! The ledger: for every source and minute, what became of every record received.
//!
//! ```text
//! received = pending + parsed + quarantined + refused (by reason) + merged + unaccounted         unaccounted must be 0
//! ```
//!
//! `received` and `refused` are counted here from the frames as they become durable; `parsed`, `quarantined`, `merged` and
//! `events` come from the pipe with each publication ([`LedgerDelta`]). A frame that is durable but not published is
//! *pending*. The minute is that of `event.ingested`, which never goes backwards, so a clock jump cannot lose a row.
//!
//! What is not flushed lives in memory; after a crash it is counted again from the log, which holds every such frame.
//! This file keeps the books and their Arrow form; the catalogue keeps the rows.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::{Arc, LazyLock, Mutex},
};

use arrow::{
    array::{ArrayRef, Int64Array, StringViewArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field as ArrowField, Schema, SchemaRef},
    error::ArrowError,
    record_batch::RecordBatch,
};
use event::{Micros, RawBatch, catalogue::timestamp_type, raw::RefusedReason};

use crate::locked;

const MINUTE: Micros = 60_000_000;

/// Number of refusal reasons.
pub(crate) const REASONS: usize = RefusedReason::ALL.len();

/// Start of the minute that a time lies in.
pub fn minute_of(time: Micros) -> Micros {
    time - time.rem_euclid(MINUTE)
}

/// What the pipe did with the records of one source and minute (of the frame's ingestion time, see [`minute_of`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerDelta {
    pub source: String,
    pub minute: Micros,
    /// Records that a parser read.
    pub parsed: u64,
    /// Records stored whole because nobody could read them.
    pub quarantined: u64,
    /// Records that went into another record's event (multi-line, parts).
    pub merged: u64,
    /// Events made; counted apart, since one record may give several.
    pub events: u64,
}

/// The numbers of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub received: u64,
    pub parsed: u64,
    pub quarantined: u64,
    pub merged: u64,
    pub events: u64,
    /// By reason, in the order of [`RefusedReason::ALL`].
    pub refused: [u64; REASONS],
    /// Durable, not published yet; included in `received`.
    pub pending: u64,
}

/// One row of the table `ledger`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    pub minute: Micros,
    /// Length of the span that the row covers; old rows are rolled up to hours and days.
    pub span_seconds: i64,
    pub source: Arc<str>,
    pub counts: Counts,
}

impl Counts {
    pub fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.parsed += other.parsed;
        self.quarantined += other.quarantined;
        self.merged += other.merged;
        self.events += other.events;
        self.pending += other.pending;
        for (mine, theirs) in self.refused.iter_mut().zip(other.refused) {
            *mine += theirs;
        }
    }

    /// Records whose fate is unknown: 0 unless the program has a defect. Negative when something was counted twice.
    pub fn unaccounted(&self) -> i64 {
        let known = self.pending + self.parsed + self.quarantined + self.merged + self.refused.iter().sum::<u64>();
        self.received as i64 - known as i64
    }
}

type Rows = BTreeMap<(Micros, Arc<str>), Counts>;

/// A durable frame that was not published yet.
struct Waiting {
    sequence: u64,
    source: Arc<str>,
    minute: Micros,
    records: u64,
    refused: Option<Box<[u64; REASONS]>>,
}

#[derive(Default)]
struct Books {
    sources: HashSet<Arc<str>>,
    waiting: VecDeque<Waiting>,
    /// Published, not in the catalogue.
    open: Rows,
    /// On the way into the catalogue.
    flushing: Rows,
    flushed_through: u64,
}

impl Books {
    fn source(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.sources.get(name) {
            return Arc::clone(known);
        }
        let source: Arc<str> = name.into();
        self.sources.insert(Arc::clone(&source));
        source
    }
}

/// The part of the ledger that is not in the catalogue.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Books>);

impl Ledger {
    pub fn new(flushed_through: u64) -> Self {
        Self(Mutex::new(Books { flushed_through, ..Books::default() }))
    }

    /// Notes a frame that just became durable (or was found durable at start), before anybody can publish it.
    pub fn received(&self, sequence: u64, ingested: Micros, batch: &RawBatch) {
        let mut books = locked(&self.0);
        let source = books.source(&batch.source);
        let refused = (!batch.refused.is_empty()).then(|| {
            let mut counts = Box::new([0; REASONS]);
            for (reason, count) in &batch.refused {
                if let Some(at) = RefusedReason::ALL.iter().position(|known| known == reason) {
                    counts[at] += count;
                }
            }
            counts
        });
        let waiting = Waiting { sequence, source, minute: minute_of(ingested), records: batch.len() as u64, refused };
        books.waiting.push_back(waiting);
    }

    /// Notes that the frames through this sequence are published, with these results.
    pub fn published(&self, through: u64, deltas: &[LedgerDelta]) {
        let mut books = locked(&self.0);
        while books.waiting.front().is_some_and(|frame| frame.sequence <= through) {
            let Some(frame) = books.waiting.pop_front() else { break };
            let refused = frame.refused.as_deref().copied().unwrap_or_default();
            let counts = books.open.entry((frame.minute, frame.source)).or_default();
            counts.received += frame.records + refused.iter().sum::<u64>();
            for (mine, theirs) in counts.refused.iter_mut().zip(refused) {
                *mine += theirs;
            }
        }
        for delta in deltas {
            let source = books.source(&delta.source);
            let counts = books.open.entry((minute_of(delta.minute), source)).or_default();
            counts.parsed += delta.parsed;
            counts.quarantined += delta.quarantined;
            counts.merged += delta.merged;
            counts.events += delta.events;
        }
    }

    /// Takes the published rows for a flush. They stay visible until [`Ledger::flushed`] or [`Ledger::flush_failed`].
    pub fn start_flush(&self) -> Vec<LedgerRow> {
        let mut books = locked(&self.0);
        let open = std::mem::take(&mut books.open);
        merge(&mut books.flushing, open);
        books.flushing.iter().map(row).collect()
    }

    pub fn flushed(&self, through: u64) {
        let mut books = locked(&self.0);
        books.flushing.clear();
        books.flushed_through = through;
    }

    pub fn flush_failed(&self) {
        let mut books = locked(&self.0);
        let back = std::mem::take(&mut books.flushing);
        merge(&mut books.open, back);
    }

    /// The rows that are not in a catalogue whose cursor is the returned sequence.
    pub fn unflushed(&self) -> (u64, Vec<LedgerRow>) {
        let books = locked(&self.0);
        let mut rows = books.open.clone();
        merge(&mut rows, books.flushing.clone());
        for frame in &books.waiting {
            let refused = frame.refused.as_deref().copied().unwrap_or_default();
            let received = frame.records + refused.iter().sum::<u64>();
            let counts = Counts { received, refused, pending: frame.records, ..Counts::default() };
            rows.entry((frame.minute, Arc::clone(&frame.source))).or_default().add(&counts);
        }
        (books.flushed_through, rows.iter().map(row).collect())
    }

    /// Number of durable frames that are not published.
    pub fn frames_waiting(&self) -> usize {
        locked(&self.0).waiting.len()
    }
}

fn merge(into: &mut Rows, from: Rows) {
    for (key, counts) in from {
        into.entry(key).or_default().add(&counts);
    }
}

fn row(((minute, source), counts): (&(Micros, Arc<str>), &Counts)) -> LedgerRow {
    LedgerRow { minute: *minute, span_seconds: 60, source: Arc::clone(source), counts: *counts }
}

/// Adds rows of the same span, minute and source together.
pub(crate) fn merge_rows(rows: impl Iterator<Item = LedgerRow>) -> Vec<LedgerRow> {
    let mut merged: BTreeMap<(Micros, Arc<str>, i64), Counts> = BTreeMap::new();
    for row in rows {
        merged.entry((row.minute, row.source, row.span_seconds)).or_default().add(&row.counts);
    }
    let row = |((minute, source, span_seconds), counts)| LedgerRow { minute, span_seconds, source, counts };
    merged.into_iter().map(row).collect()
}

/// A number column: its name and where its value comes from.
type Column = (&'static str, fn(&LedgerRow) -> i64);

/// The number columns in order; a new refusal reason adds a line here.
const COLUMNS: &[Column] = &[
    ("span_seconds", |row| row.span_seconds),
    ("received", |row| row.counts.received as i64),
    ("pending", |row| row.counts.pending as i64),
    ("parsed", |row| row.counts.parsed as i64),
    ("quarantined", |row| row.counts.quarantined as i64),
    ("refused", |row| row.counts.refused.iter().sum::<u64>() as i64),
    ("refused_kernel_drop", |row| row.counts.refused[0] as i64),
    ("refused_pressure", |row| row.counts.refused[1] as i64),
    ("refused_limit", |row| row.counts.refused[2] as i64),
    ("refused_malformed", |row| row.counts.refused[3] as i64),
    ("merged", |row| row.counts.merged as i64),
    ("events", |row| row.counts.events as i64),
    ("unaccounted", |row| row.counts.unaccounted()),
];

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields =
        vec![ArrowField::new("minute", timestamp_type(), false), ArrowField::new("source", DataType::Utf8View, false)];
    fields.extend(COLUMNS.iter().map(|(name, _)| ArrowField::new(*name, DataType::Int64, false)));
    Arc::new(Schema::new(fields))
});

/// Columns of the table `ledger`.
pub(crate) fn schema() -> SchemaRef {
    SchemaRef::clone(&SCHEMA)
}

pub(crate) fn to_batch(rows: &[LedgerRow]) -> Result<RecordBatch, ArrowError> {
    let minutes = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.minute)).with_timezone("UTC");
    let sources = StringViewArray::from_iter_values(rows.iter().map(|row| &*row.source));
    let mut columns: Vec<ArrayRef> = vec![Arc::new(minutes), Arc::new(sources)];
    columns.extend(COLUMNS.iter().map(|(_, value)| Arc::new(Int64Array::from_iter_values(rows.iter().map(value))) as ArrayRef));
    RecordBatch::try_new(schema(), columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(records: usize, refused: &[(RefusedReason, u64)]) -> RawBatch {
        let mut batch = RawBatch::new("s", None, 0);
        (0..records).for_each(|_| batch.push(b"x"));
        batch.refused = refused.to_vec();
        batch
    }

    fn total(ledger: &Ledger) -> Counts {
        let mut sum = Counts::default();
        ledger.unflushed().1.iter().for_each(|row| sum.add(&row.counts));
        sum
    }

    #[test]
    fn durable_but_unpublished_is_pending_not_lost() {
        let ledger = Ledger::new(0);
        ledger.received(1, 61_000_000, &batch(3, &[(RefusedReason::KernelDrop, 2)]));
        ledger.received(2, 62_000_000, &batch(4, &[]));
        let sum = total(&ledger);
        assert_eq!((sum.received, sum.pending, sum.refused[0], sum.unaccounted()), (9, 7, 2, 0));
        ledger.published(
            1,
            &[LedgerDelta { source: "s".into(), minute: 60_000_000, parsed: 2, quarantined: 1, events: 3, merged: 0 }],
        );
        let sum = total(&ledger);
        assert_eq!((sum.received, sum.pending, sum.parsed, sum.quarantined, sum.unaccounted()), (9, 4, 2, 1, 0));
        assert_eq!(ledger.unflushed().1.len(), 1, "one minute, one source, one row");
    }

    #[test]
    fn a_record_the_pipe_forgot_is_unaccounted() {
        let ledger = Ledger::new(0);
        ledger.received(1, 0, &batch(3, &[]));
        ledger.published(1, &[LedgerDelta { source: "s".into(), parsed: 2, ..LedgerDelta::default() }]);
        assert_eq!(total(&ledger).unaccounted(), 1);
    }

    #[test]
    fn a_failed_flush_gives_its_rows_back() {
        let ledger = Ledger::new(0);
        ledger.received(1, 0, &batch(1, &[]));
        ledger.published(1, &[LedgerDelta { source: "s".into(), parsed: 1, ..LedgerDelta::default() }]);
        assert_eq!(ledger.start_flush().len(), 1);
        ledger.flush_failed();
        assert_eq!(ledger.start_flush()[0].counts.parsed, 1);
        ledger.flushed(1);
        assert_eq!(ledger.unflushed(), (1, vec![]));
    }

    #[test]
    fn rows_become_columns() {
        let counts = Counts { received: 3, parsed: 2, refused: [0, 1, 0, 0], ..Counts::default() };
        let batch = to_batch(&[LedgerRow { minute: 0, span_seconds: 60, source: "s".into(), counts }]).unwrap();
        assert_eq!(batch.num_columns(), 2 + COLUMNS.len());
        let pressure: &Int64Array = batch.column_by_name("refused_pressure").unwrap().as_any().downcast_ref().unwrap();
        assert_eq!(pressure.value(0), 1);
    }
}
