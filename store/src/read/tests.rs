//! The reader against that of the `parquet` crate, on files of both levels; and on damaged ones.

use std::{path::Path, sync::Arc};

use arrow::{
    array::{Array, ArrayRef},
    compute::{cast, concat_batches},
    datatypes::DataType,
    record_batch::RecordBatch,
};
use event::{Event, field};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector},
    },
    file::metadata::PageIndexPolicy,
};

use super::{Reader, Wanted};
use crate::{Disk, Segment, Store, tests::support::*};

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end.max(1)
    }
}

/// Columns that are full, nearly empty, of few values, of many, beyond ASCII, long and short.
fn mixed<'r>(event: &mut Event<'r>, number: u64) {
    let host = event.alloc(&format!("máy-{}", number / 3_000));
    event.set(field::HOST_NAME, host);
    let message = event.alloc(&format!("dòng thứ {number} của {}", number % 17));
    event.set(field::MESSAGE, message);
    if !number.is_multiple_of(3) {
        let address = event.alloc(&format!("203.{}.{}.{}", number % 251, number * 31 % 241, number * 7 % 256));
        event.set(field::SOURCE_IP, address);
        event.set(field::SOURCE_PORT, (number * 7_919 % 65_536) as i64);
    }
    if (4_000..9_000).contains(&number) {
        event.set(field::USER_NAME, event.alloc(&format!("{:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))));
        event.set(field::DESTINATION_PORT, 443);
    }
    if number.is_multiple_of(1_000) {
        event.set(field::URL_ORIGINAL, event.alloc(&"/đường".repeat(number as usize / 1_000)));
    }
}

/// Files of a flush and of compaction, with row groups of several pages.
async fn segments(dir: &Path) -> Vec<Arc<Segment>> {
    let store = Store::open(options(dir), TestClock::new(), Arc::new(Disk)).await.unwrap();
    let mut tail = store.tail();
    for from in [0, 10_000] {
        store.sink().submit(batch("s", from, from + 10_000)).await.unwrap();
        drain(&store, &mut tail, mixed).await;
        store.flush().await.unwrap();
    }
    let mut found: Vec<Arc<Segment>> = Vec::new();
    let keep = |found: &mut Vec<Arc<Segment>>| {
        for segment in store.snapshot().segments.iter() {
            // Compaction removes its inputs.
            let path = dir.join(format!("kept-{}", found.len()));
            std::fs::copy(&segment.path, &path).unwrap();
            found.push(Arc::new(Segment { path, ..segment.as_ref().clone() }));
        }
    };
    keep(&mut found);
    store.compact_all().await.unwrap();
    keep(&mut found);
    assert!(found.iter().any(|segment| segment.level == 0) && found.iter().any(|segment| segment.level == 1));
    found
}

fn metadata(segment: &Segment) -> ArrowReaderMetadata {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    ArrowReaderMetadata::load(&segment.open().unwrap(), options).unwrap()
}

fn selection(dice: &mut Dice, rows: usize) -> RowSelection {
    let longest = [3, 200, 9_000, 40_000][dice.below(4) as usize];
    let (mut selectors, mut left, mut skip) = (Vec::new(), rows, dice.below(2) == 0);
    while left > 0 {
        let count = (1 + dice.below(longest) as usize).min(left);
        selectors.push(if skip { RowSelector::skip(count) } else { RowSelector::select(count) });
        (left, skip) = (left - count, !skip);
    }
    RowSelection::from(selectors)
}

/// The columns as they would be shown.
fn shown(batches: &[RecordBatch]) -> Vec<(String, ArrayRef)> {
    let Some(first) = batches.first() else { return Vec::new() };
    let one = concat_batches(&first.schema(), batches).unwrap();
    let schema = one.schema();
    let columns = schema.fields().iter().zip(one.columns()).map(|(column, array)| {
        let array = match array.data_type() {
            DataType::Dictionary(..) => cast(array, &DataType::Utf8View).unwrap(),
            _ => Arc::clone(array),
        };
        (column.name().clone(), array)
    });
    columns.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_those_of_the_general_reader() {
    let dir = tempfile::tempdir().unwrap();
    let mut dice = Dice(7);
    let mut compared = 0;
    for segment in segments(dir.path()).await {
        let (file, metadata) = (segment.open().unwrap(), metadata(&segment));
        for round in 0..24 {
            let group = dice.below(metadata.metadata().num_row_groups() as u64) as usize;
            let rows = selection(&mut dice, metadata.metadata().row_group(group).num_rows() as usize);
            let roots = metadata.schema().fields().len();
            let chosen: Vec<usize> = (0..roots).filter(|_| round == 0 || dice.below(3) == 0).collect();
            let columns = ProjectionMask::roots(metadata.parquet_schema(), chosen);
            let batch_rows = [1_000, 8_192, 100_000][dice.below(3) as usize];
            let limit = (dice.below(3) == 0).then(|| dice.below(5_000) as usize);
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), metadata.clone());
            let builder = builder.with_row_groups(vec![group]).with_projection(columns.clone()).with_batch_size(batch_rows);
            let builder =
                limit.into_iter().fold(builder.with_row_selection(rows.clone()), |builder, limit| builder.with_limit(limit));
            let wanted: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
            for as_codes in [false, true] {
                let asked = Wanted { group, columns: columns.clone(), rows: rows.clone(), batch_rows, limit, as_codes };
                let reader = Reader::new(&segment.id, &file, &metadata, asked).unwrap();
                let found: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
                assert!(found.iter().all(|batch| batch.num_rows() <= batch_rows));
                let count = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
                assert_eq!(count(&found), count(&wanted));
                assert_eq!(shown(&found), shown(&wanted), "segment {}, group {group}", segment.id);
                compared += shown(&found).iter().map(|(_, array)| array.len() - array.null_count()).sum::<usize>();
            }
        }
    }
    assert!(compared > 100_000, "{compared} values compared");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_an_error_or_other_rows_never_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let mut dice = Dice(11);
    let mut refused = 0;
    for segment in segments(dir.path()).await {
        let metadata = metadata(&segment);
        let sound = std::fs::read(&segment.path).unwrap();
        let footer = sound.len() as u64 - metadata.metadata().memory_size().min(sound.len() / 2) as u64;
        for _ in 0..60 {
            let mut bytes = sound.clone();
            for _ in 0..1 + dice.below(20) {
                bytes[4 + dice.below(footer) as usize] ^= 1 << dice.below(8);
            }
            let path = dir.path().join("damaged");
            std::fs::write(&path, &bytes).unwrap();
            let file = Segment { path, ..segment.as_ref().clone() }.open().unwrap();
            for group in 0..metadata.metadata().num_row_groups() {
                let rows = metadata.metadata().row_group(group).num_rows() as usize;
                // Lists are the other reader's.
                let flat = metadata.schema().fields().iter().enumerate();
                let flat = flat.filter(|(_, column)| !matches!(column.data_type(), DataType::List(_))).map(|(at, _)| at);
                let columns = ProjectionMask::roots(metadata.parquet_schema(), flat);
                let all = RowSelection::from(vec![RowSelector::select(rows)]);
                let asked = Wanted { group, columns, rows: all, batch_rows: 8_192, limit: None, as_codes: dice.below(2) == 0 };
                let error = Reader::new(&segment.id, &file, &metadata, asked).unwrap().find_map(Result::err);
                refused += usize::from(error.is_some_and(|error| error.chain().contains(&segment.id)));
            }
        }
    }
    assert!(refused > 20, "{refused} damaged row groups were refused");
}
