//! Holds and the record of deletions, as callers use them.
//!
//! Placing and releasing take the store's turn, as retention does: the answer of [`Store::place_hold`] comes when no deletion
//! that was decided before it can still happen.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{ArrayRef, Int64Array, StringViewArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field as ArrowField, Schema, SchemaRef},
    record_batch::RecordBatch,
};
use event::{
    Micros,
    catalogue::timestamp_type,
    seam::{BoxFuture, SeamError, TableSource},
};

use crate::{Error, Hold, NewHold, Release, Result, Store, Tombstone, catalogue::TombstoneSystem};

impl Store {
    /// Every hold that ever was, oldest first.
    pub async fn holds(&self) -> Result<Vec<Hold>> {
        self.catalogue.holds().await
    }

    /// Holds what the span covers from now on; durable when it returns. Fails with [`Error::Hold`] when it says nothing.
    pub async fn place_hold(&self, hold: NewHold) -> Result<Hold> {
        let hold = hold.checked()?;
        let _turn = self.turn.acquire().await.map_err(|_| Error::Stopped("the store"))?;
        self.catalogue.place_hold(&hold, self.clock.now()).await
    }

    /// Ends a hold; the next run of retention may delete what it kept. Fails with [`Error::NoHold`] when it is not in force.
    pub async fn release_hold(&self, id: u64, by: &str, reason: &str) -> Result<Hold> {
        let release = Release { at: self.clock.now(), by: by.into(), reason: reason.into() }.checked()?;
        let _turn = self.turn.acquire().await.map_err(|_| Error::Stopped("the store"))?;
        self.catalogue.release_hold(id, &release).await
    }

    /// Deletions as the table `tombstones`: a row for each system and log class of a dropped segment.
    pub fn tombstones_table(self: &Arc<Self>) -> Arc<dyn TableSource> {
        Arc::new(TombstonesTable(Arc::clone(self)))
    }
}

struct TombstonesTable(Arc<Store>);

/// One row: what of a system went with a segment. Numbers of the whole segment are left out, they would tell the owner of one
/// system about the others.
type Row<'t> = (&'t Tombstone, &'t TombstoneSystem);
type Texts = (&'static str, for<'t> fn(&Row<'t>) -> &'t str);
type Times = (&'static str, for<'t> fn(&Row<'t>) -> Micros);

const TIMES: &[Times] = &[
    ("timestamp", |(tombstone, _)| tombstone.dropped_at),
    ("ingested_from", |(_, part)| part.ingested.0),
    ("ingested_to", |(_, part)| part.ingested.1),
];
const TEXTS: &[Texts] = &[
    ("system.id", |(_, part)| &part.system),
    ("class", |(_, part)| &part.class),
    ("segment", |(tombstone, _)| &tombstone.segment),
    ("checksum", |(tombstone, _)| &tombstone.checksum),
    ("actor", |(tombstone, _)| &tombstone.actor),
    ("reason", |(tombstone, _)| &tombstone.reason),
];

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let times = TIMES.iter().map(|(name, _)| ArrowField::new(*name, timestamp_type(), false));
    let texts = TEXTS.iter().map(|(name, _)| ArrowField::new(*name, DataType::Utf8View, false));
    let rows = std::iter::once(ArrowField::new("rows", DataType::Int64, false));
    Arc::new(Schema::new(times.chain(texts).chain(rows).collect::<Vec<_>>()))
});

fn to_batch(tombstones: &[Tombstone]) -> Result<RecordBatch, SeamError> {
    let rows: Vec<Row<'_>> =
        tombstones.iter().flat_map(|tombstone| tombstone.systems.iter().map(move |part| (tombstone, part))).collect();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (_, value) in TIMES {
        let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(value));
        columns.push(Arc::new(times.with_timezone("UTC")));
    }
    for (_, value) in TEXTS {
        columns.push(Arc::new(StringViewArray::from_iter_values(rows.iter().map(value))));
    }
    columns.push(Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, part)| part.rows as i64))));
    let batch = RecordBatch::try_new(SchemaRef::clone(&SCHEMA), columns);
    batch.map_err(|error| SeamError(format!("failed to show the tombstones: {error}")))
}

impl TableSource for TombstonesTable {
    fn name(&self) -> &'static str {
        "tombstones"
    }

    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&SCHEMA)
    }

    fn scope_column(&self) -> Option<&'static str> {
        Some("system.id")
    }

    fn scan(&self) -> BoxFuture<'_, Result<Vec<RecordBatch>, SeamError>> {
        Box::pin(async move { Ok(vec![to_batch(&self.0.tombstones().await?)?]) })
    }
}
