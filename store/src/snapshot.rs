//! What a reader sees: hot batches and segments, taken together at one instant.
//!
//! A [`Snapshot`] never changes. Publication and flush put a new one in its place with a single swap, so no reader sees an
//! event in a hot batch and in a segment, or in neither. Whoever holds a snapshot (or an `Arc<Segment>` out of it) may go
//! on reading: a file is removed only after the last of them is gone.
//!
//! Not here: how rows are read (that is `query`), and anything that changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use arrow::{
    array::{Array, AsArray},
    datatypes::{SchemaRef, TimestampMicrosecondType},
    record_batch::RecordBatch,
};
use event::{Field, Micros, UNASSIGNED, field};

use crate::{ColdFile, line::cells::Cells};

/// Names outside the catalogue that a snapshot lists; a sender that invents names must not fill the memory.
pub const EXTRA_NAMES_MAX: usize = 50_000;

/// Files that are looked at for a list of columns to share.
const NEIGHBOURS: usize = 32;

/// Everything that can be read, at one instant.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Batches since the last flush, in order of publication.
    pub hot: Vec<Arc<HotBatch>>,
    /// Files, in order of publication.
    pub segments: Segments,
    /// Last log sequence whose events are visible.
    pub through: u64,
    /// Names outside the field catalogue that occur in any hot batch or segment (as a column or inside `residual`), at most
    /// [`EXTRA_NAMES_MAX`]; all are text.
    pub extra: Arc<BTreeSet<Arc<str>>>,
}

/// The list of a snapshot's files. Snapshots that only differ in their hot batches share it: ten thousand files are not counted
/// anew with every block.
#[derive(Clone, Debug, Default)]
pub struct Segments(Arc<Vec<Arc<Segment>>>);

impl std::ops::Deref for Segments {
    type Target = Vec<Arc<Segment>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl std::ops::DerefMut for Segments {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(&mut self.0)
    }
}

impl From<Vec<Arc<Segment>>> for Segments {
    fn from(segments: Vec<Arc<Segment>>) -> Self {
        Self(Arc::new(segments))
    }
}

impl FromIterator<Arc<Segment>> for Segments {
    fn from_iter<I: IntoIterator<Item = Arc<Segment>>>(segments: I) -> Self {
        segments.into_iter().collect::<Vec<_>>().into()
    }
}

impl<'s> IntoIterator for &'s Segments {
    type Item = &'s Arc<Segment>;
    type IntoIter = std::slice::Iter<'s, Arc<Segment>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Events of one processing block and dataset that are not in a file yet.
///
/// The columns are those of the block: catalogue fields in the catalogue's order, then names outside it. A column that is
/// absent is null in every row. `event.dataset` is always there.
#[derive(Debug)]
pub struct HotBatch {
    pub dataset: String,
    pub batch: RecordBatch,
    /// Log sequence of the last frame in the block.
    pub through: u64,
    /// Bytes in memory, about.
    pub bytes: u64,
    /// Earliest and latest `timestamp`; `None` when no row has one.
    pub timestamp: Option<(Micros, Micros)>,
    /// Earliest and latest `event.ingested`.
    pub ingested: (Micros, Micros),
    /// The systems in the batch.
    pub systems: Vec<SystemClass>,
}

/// One Parquet file and what the catalogue knows about it.
///
/// Rows are clustered by dataset; in level 1 by (dataset, `host.name`, `timestamp`). A name outside the field catalogue is found, per segment,
/// as a column of [`Segment::schema`], else inside the JSON text of the `residual` column when it is among
/// [`Segment::residual_keys`], else it is null. A name that is both a column and a residual key (only when a block had more
/// than [`event::batch::EXTRA_COLUMNS_MAX`] names) has its value in either: read the column first, then the residual.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    pub id: String,
    /// Location below the segment folder, as `object_store` knows it.
    pub location: String,
    /// The file on this machine; a cold segment's was there. [`Segment::open`] finds it wherever it is.
    pub path: PathBuf,
    pub rows: u64,
    pub bytes: u64,
    /// BLAKE3 of the file.
    pub checksum: [u8; 32],
    /// Log sequences of the blocks that went into it: after `.0`, through `.1`.
    pub sequences: (u64, u64),
    /// Earliest and latest `timestamp`; `None` when no row has one.
    pub timestamp: Option<(Micros, Micros)>,
    /// Earliest and latest `event.ingested`.
    pub ingested: (Micros, Micros),
    pub datasets: BTreeSet<String>,
    /// Every (system, log class) in the file; retention is computed from it.
    pub systems: Vec<SystemClass>,
    /// The columns of the file, in file order.
    pub schema: SchemaRef,
    /// Keys that occur inside the `residual` column.
    pub residual_keys: Arc<BTreeSet<String>>,
    /// False when there were too many residual keys to list: any unknown name must then be looked up in `residual`.
    pub residual_complete: bool,
    /// True when the file holds only rows whose claimed time is more than 24 h off.
    pub skewed: bool,
    /// 0: written by a flush; 1: written by compaction.
    pub level: u8,
    /// 1: every column as it is; 2: with the line store ([`crate::line`]); 3: `message` may be a part of the line. 2 and 3 are
    /// read through [`crate::line::Layout`]. `schema` has the logical columns in all.
    pub format: u32,
    /// The text index beside the file, when there is one.
    pub index: Option<IndexFile>,
    /// Where the file is when it is not at `path`; the index is always here.
    pub cold: Option<ColdFile>,
}

/// A file beside a segment that says where words are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexFile {
    /// Location below the segment folder.
    pub location: String,
    pub bytes: u64,
}

/// The events of one system and log class (a dataset, for now) in a batch or segment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SystemClass {
    /// `system.id`; [`UNASSIGNED`] where the sender is unknown.
    pub system: String,
    pub class: String,
    pub rows: u64,
    /// Earliest and latest `event.ingested` of these rows.
    pub ingested: (Micros, Micros),
}

impl Snapshot {
    /// Number of rows not in a file yet.
    pub fn hot_rows(&self) -> u64 {
        self.hot.iter().map(|hot| hot.batch.num_rows() as u64).sum()
    }

    /// Number of rows in all.
    pub fn rows(&self) -> u64 {
        self.hot_rows() + self.segments.iter().map(|segment| segment.rows).sum::<u64>()
    }

    /// Earliest and latest `event.ingested` and number of rows per (system, log class), over files and hot batches.
    pub fn systems(&self) -> Vec<SystemClass> {
        let mut merged = Systems::default();
        let parts = self.segments.iter().map(|segment| &segment.systems).chain(self.hot.iter().map(|hot| &hot.systems));
        for part in parts.flatten() {
            merged.add(part);
        }
        merged.finish()
    }

    /// Adds the names of a batch or segment; copies the set only when there is a new one.
    pub(crate) fn extend_names<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        for name in names {
            if Field::by_name(name).is_none() && self.extra.len() < EXTRA_NAMES_MAX && !self.extra.contains(name) {
                Arc::make_mut(&mut self.extra).insert(name.into());
            }
        }
    }
}

impl Segments {
    /// The segment with the list of columns, and of residual keys, of a neighbour where they are equal: mostly they are, and who
    /// looks at all of them need not look at each.
    pub(crate) fn sharing(&self, mut segment: Segment) -> Segment {
        for other in self.iter().rev().take(NEIGHBOURS) {
            if other.schema == segment.schema {
                segment.schema = Arc::clone(&other.schema);
            }
            if other.residual_keys == segment.residual_keys {
                segment.residual_keys = Arc::clone(&other.residual_keys);
            }
        }
        segment
    }
}

impl Segment {
    /// The index file on this machine, when there is one.
    pub fn index_path(&self) -> Option<PathBuf> {
        self.index.as_ref().map(|_| self.path.with_extension("index"))
    }

    /// Locations of all its files on this machine.
    pub(crate) fn locations(&self) -> Vec<String> {
        let file = self.cold.is_none().then_some(&self.location);
        file.into_iter().chain(self.index.as_ref().map(|index| &index.location)).cloned().collect()
    }

    /// Names outside the field catalogue in this segment, columns and residual keys.
    pub fn extra_names(&self) -> impl Iterator<Item = &str> {
        let columns = self.schema.fields().iter().map(|column| column.name().as_str());
        columns.filter(|name| Field::by_name(name).is_none()).chain(self.residual_keys.iter().map(String::as_str))
    }
}

/// Merges [`SystemClass`] rows by (system, class).
#[derive(Debug, Default)]
pub(crate) struct Systems(BTreeMap<(String, String), (u64, Micros, Micros)>);

impl Systems {
    pub fn add(&mut self, part: &SystemClass) {
        let (from, to) = part.ingested;
        if let Some(entry) = self.0.get_mut(&(part.system.clone(), part.class.clone())) {
            *entry = (entry.0 + part.rows, entry.1.min(from), entry.2.max(to));
        } else {
            self.0.insert((part.system.clone(), part.class.clone()), (part.rows, from, to));
        }
    }

    /// What was added so far.
    pub fn parts(&self) -> Vec<SystemClass> {
        Self(self.0.clone()).finish()
    }

    pub fn finish(self) -> Vec<SystemClass> {
        let row = |((system, class), (rows, from, to))| SystemClass { system, class, rows, ingested: (from, to) };
        self.0.into_iter().map(row).collect()
    }
}

/// Earliest and latest value of a time column; `None` when absent or all null.
pub(crate) fn time_span(batch: &RecordBatch, field: Field) -> Option<(Micros, Micros)> {
    let column = batch.column_by_name(field.name())?.as_primitive_opt::<TimestampMicrosecondType>()?;
    Some((arrow::compute::min(column)?, arrow::compute::max(column)?))
}

/// The systems of the given rows of one batch, all of one class. A row without `event.ingested` counts as ingested `now`.
pub(crate) fn systems_of(
    batch: &RecordBatch,
    class: &str,
    now: Micros,
    rows: impl IntoIterator<Item = usize>,
) -> Vec<SystemClass> {
    let systems = Cells::by_name(batch, field::SYSTEM_ID.name());
    let times = batch.column_by_name(field::EVENT_INGESTED.name());
    let times = times.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    // Neighbouring rows mostly share their system: the last entry is tried first, and there are few entries.
    let mut found: Vec<SystemClass> = Vec::new();
    let mut last = 0;
    for row in rows {
        let system = systems.text(row).unwrap_or(UNASSIGNED);
        let time = times.filter(|column| column.is_valid(row)).map_or(now, |column| column.value(row));
        if found.get(last).is_none_or(|entry| entry.system != system) {
            last = found.iter().position(|entry| entry.system == system).unwrap_or(found.len());
        }
        match found.get_mut(last) {
            Some(entry) => {
                entry.rows += 1;
                entry.ingested = (entry.ingested.0.min(time), entry.ingested.1.max(time));
            }
            None => {
                found.push(SystemClass { system: system.to_owned(), class: class.to_owned(), rows: 1, ingested: (time, time) })
            }
        }
    }
    found
}
