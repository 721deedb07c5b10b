//! What a flush writes is what was in the batches: any events, any cut into blocks, read back with the `parquet` crate.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{array::Array, record_batch::RecordBatch, util::display::array_value_to_string};
use bumpalo::Bump;
use event::{BlockBuilder, Event, Micros, field};
use proptest::prelude::*;

use super::support::{START, segment_rows};
use crate::{columns::conform, segment};

/// One invented event.
#[derive(Clone, Debug)]
struct Made {
    dataset: &'static str,
    line: String,
    /// Where the message stands in the line, in characters; `None`: a text of its own.
    message: Result<(usize, usize), Option<String>>,
    /// Many rows share these.
    host: Option<u8>,
    user: Option<String>,
    number: Option<i64>,
    claimed: Option<Micros>,
    flag: Option<bool>,
    tags: Vec<String>,
    extra: Vec<(String, String)>,
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-zà-ỹ0-9 =.:-]{0,24}", 1 => "\\PC{0,300}", 1 => Just("x".repeat(400)), 1 => Just(String::new())]
}

fn time() -> impl Strategy<Value = Micros> {
    const DAY: i64 = 86_400_000_000;
    prop_oneof![6 => START - 1_000_000..START, 1 => START - 40 * DAY..START + 40 * DAY, 1 => Just(i64::MAX / 2), 1 => Just(-1)]
}

fn made() -> impl Strategy<Value = Made> {
    let message = prop_oneof![3 => (0..40_usize, 0..40_usize).prop_map(Ok), 1 => prop::option::of(text()).prop_map(Err)];
    let extra = prop::collection::vec(("vendor\\.[a-e]{1,2}", text()), 0..3);
    let number = prop_oneof![4 => 0..50_i64, 1 => any::<i64>()];
    (
        (prop::sample::select(vec!["a.log", "b.log"]), text(), message, prop::option::of(0..5_u8)),
        (prop::option::of(text()), prop::option::of(number), prop::option::of(time()), prop::option::of(any::<bool>())),
        (prop::collection::vec(text(), 0..3), extra),
    )
        .prop_map(|((dataset, line, message, host), (user, number, claimed, flag), (tags, extra))| Made {
            dataset,
            line,
            message,
            host,
            user,
            number,
            claimed,
            flag,
            tags,
            extra,
        })
}

impl Made {
    fn fill<'r>(&'r self, event: &mut Event<'r>, arena: &'r Bump, sequence: usize, at: usize) {
        event.clear();
        event.set_dataset(self.dataset);
        event.set(field::EVENT_ID, &*arena.alloc_str(&format!("t-{sequence}-{at}")));
        event.set(field::EVENT_ORIGINAL, self.line.as_str());
        event.set(field::EVENT_INGESTED, START + at as i64);
        match &self.message {
            Ok((from, len)) => {
                let part: String = self.line.chars().skip(*from).take(*len).collect();
                event.set(field::MESSAGE, &*arena.alloc_str(&part));
            }
            Err(own) => own.iter().for_each(|own| event.set(field::MESSAGE, own.as_str())),
        }
        self.host.iter().for_each(|host| event.set(field::HOST_NAME, &*arena.alloc_str(&format!("host-{host}"))));
        self.user.iter().for_each(|user| event.set(field::USER_NAME, user.as_str()));
        self.number.iter().for_each(|number| event.set(field::EVENT_SEQUENCE, *number));
        self.claimed.iter().for_each(|claimed| event.set(field::TIMESTAMP, event::Value::Time(*claimed)));
        self.flag.iter().for_each(|flag| event.set_named("vendor.flag", *flag));
        self.tags.iter().for_each(|tag| event.set(field::TAGS, tag.as_str()));
        self.extra.iter().for_each(|(name, value)| event.set_named(name, value.as_str()));
    }
}

/// Name and value of whatever is not null, by event id; names inside `residual` beside those that have columns.
fn rows(batches: &[RecordBatch]) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut rows = BTreeMap::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let mut values = BTreeMap::new();
            for (column, array) in
                batch.schema_ref().fields().iter().zip(batch.columns()).filter(|(_, array)| array.is_valid(row))
            {
                let value = array_value_to_string(array, row).unwrap();
                if column.name() == field::RESIDUAL.name() {
                    let residual: BTreeMap<String, String> = serde_json::from_str(&value).unwrap();
                    values.extend(residual);
                } else {
                    values.insert(column.name().clone(), value);
                }
            }
            let id = values["event.id"].clone();
            assert!(rows.insert(id, values).is_none(), "an event is there twice");
        }
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_flush_keeps_every_value(blocks in prop::collection::vec(prop::collection::vec(made(), 1..60), 1..5), copies in 1..40_usize) {
        let dir = tempfile::tempdir().unwrap();
        let mut hot = Vec::new();
        for (number, block) in blocks.iter().enumerate() {
            let arena = Bump::new();
            let mut builder = BlockBuilder::new();
            let mut event = Event::new(&arena);
            // Like lines come again and again; so dictionaries, differences and pages are longer than one miniblock.
            let block = (0..copies).flat_map(|_| block).enumerate();
            block.for_each(|(at, made)| {
                made.fill(&mut event, &arena, number, at);
                builder.append(&event);
            });
            hot.extend(builder.finish().into_iter().map(|batch| Arc::new(conform(batch, number as u64, START))));
        }
        let before: Vec<RecordBatch> = hot.iter().map(|hot| hot.batch.clone()).collect();
        let mut after = Vec::new();
        for built in segment::build(&hot, (0, blocks.len() as u64)).unwrap() {
            let path = dir.path().join(format!("{}.parquet", built.segment.id));
            std::fs::write(&path, &built.bytes).unwrap();
            let read = segment_rows(&path);
            prop_assert_eq!(read.iter().map(|batch| batch.num_rows() as u64).sum::<u64>(), built.segment.rows);
            after.extend(read);
        }
        prop_assert_eq!(rows(&after), rows(&before));
    }
}

/// A file of format 3 as it was first written. With `CHIENG_BLESS` the test writes it anew; only a new format may do that.
#[test]
fn the_sample_of_format_3_opens() {
    let sample = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/samples/format-3.parquet");
    let arena = Bump::new();
    let mut builder = BlockBuilder::new();
    let mut event = Event::new(&arena);
    for number in 0..100_usize {
        let line = arena.alloc_str(&format!("<13>web-{} sshd: đăng nhập lần {number}", number % 7));
        event.clear();
        event.set_dataset(if number % 3 == 0 { "b.log" } else { "a.log" });
        event.set(field::EVENT_ID, &*arena.alloc_str(&format!("t-1-{number}")));
        event.set(field::EVENT_ORIGINAL, &*line);
        event.set(field::MESSAGE, &line[line.find("đăng").unwrap()..]);
        event.set(field::EVENT_INGESTED, START + number as i64);
        event.set(field::HOST_NAME, &*arena.alloc_str(&format!("web-{}", number % 7)));
        event.set(field::EVENT_SEQUENCE, number as i64 * number as i64);
        builder.append(&event);
    }
    let hot: Vec<_> = builder.finish().into_iter().map(|batch| Arc::new(conform(batch, 1, START))).collect();
    if std::env::var_os("CHIENG_BLESS").is_some() {
        let built = segment::build(&hot, (0, 1)).unwrap();
        assert_eq!((built.len(), built[0].segment.format), (1, 3));
        std::fs::write(&sample, &built[0].bytes).unwrap();
    }
    let batches: Vec<RecordBatch> = hot.iter().map(|hot| hot.batch.clone()).collect();
    assert_eq!(rows(&segment_rows(&sample)), rows(&batches));
}
