//! Whatever the columns and the line are: what comes out of the line store is what went in.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListBuilder, StringDictionaryBuilder, StringViewArray,
        StringViewBuilder, TimestampMicrosecondArray,
    },
    datatypes::{DataType, Field as ArrowField, Int32Type, Schema},
    record_batch::RecordBatch,
};
use bumpalo::Bump;
use event::{BlockBuilder, Event, RawRecord, field};
use proptest::prelude::*;

use super::{decode::Stored, encode::*, *};

/// Physical rows as a file has them, with their layout.
pub(crate) fn store(encoder: &mut Encoder, logical: &RecordBatch, node: &str) -> (RecordBatch, Layout) {
    let encoded = encoder.encode("test", logical).unwrap();
    let mut shapes = StringDictionaryBuilder::<Int32Type>::new();
    let mut uses = Uses::default();
    for code in &encoded.shapes {
        if *code == NO_SHAPE {
            shapes.append_null();
        } else {
            shapes.append_value(encoder.shape(*code));
            uses.add(encoder.shape(*code)).unwrap();
        }
    }
    let shapes: ArrayRef = Arc::new(shapes.finish());
    let mut fields: Vec<ArrowField> = encoded.batch.schema_ref().fields().iter().map(|field| (**field).clone()).collect();
    let mut columns = encoded.batch.columns().to_vec();
    fields.push(ArrowField::new(COLUMN_SHAPE, shapes.data_type().clone(), true));
    columns.push(shapes);
    let columns_of = logical.schema_ref().fields().iter();
    let stored = Stored {
        format: FORMAT_LINES,
        node: node.into(),
        columns: columns_of
            .map(|column| (column.name().clone(), crate::sqlite::type_name(column.data_type()).to_owned()))
            .collect(),
        derived: uses.finish(),
        addresses: true,
    };
    let pairs = [(LAYOUT_KEY.to_owned(), Some(serde_json::to_string(&stored).unwrap()))];
    let layout = Layout::read("test", &pairs).unwrap().unwrap();
    (RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap(), layout)
}

#[track_caller]
fn check(encoder: &mut Encoder, logical: &RecordBatch) -> RecordBatch {
    let (physical, layout) = store(encoder, logical, "t");
    assert_eq!(layout.decode_all(&physical).unwrap(), *logical);
    // Each column also comes back from no more than the columns that the layout names.
    for (column, array) in logical.schema_ref().fields().iter().zip(logical.columns()) {
        let wanted = layout.physical(column.name());
        let at: Vec<usize> =
            (0..physical.num_columns()).filter(|at| wanted.contains(physical.schema_ref().field(*at).name())).collect();
        let decoded = layout.decode(column.name(), &physical.project(&at).unwrap()).unwrap();
        assert_eq!(&decoded, array, "{}", column.name());
    }
    check_needs(&physical, &layout, logical);
    check_searches(&physical, &layout, logical);
    physical
}

fn narrowed(physical: &RecordBatch, wanted: impl Fn(&str) -> bool) -> RecordBatch {
    let at: Vec<usize> = (0..physical.num_columns()).filter(|at| wanted(physical.schema_ref().field(*at).name())).collect();
    physical.project(&at).unwrap()
}

/// Rows of one shape come back from the columns that this shape needs.
fn check_needs(physical: &RecordBatch, layout: &Layout, logical: &RecordBatch) {
    let shapes = layout.shapes(physical).unwrap();
    for (row, code) in shapes.codes().iter().enumerate() {
        let needs = layout.needs(&shapes, &|at| Some(at) == *code);
        for (column, array) in logical.schema_ref().fields().iter().zip(logical.columns()) {
            let wanted = needs.physical(column.name());
            let batch = narrowed(&physical.slice(row, 1), |name| wanted.iter().any(|wanted| wanted == name));
            assert_eq!(&layout.decode(column.name(), &batch).unwrap(), &array.slice(row, 1), "{}", column.name());
        }
    }
}

/// Whatever stands in the lines is found, and what is proven is true.
fn check_searches(physical: &RecordBatch, layout: &Layout, logical: &RecordBatch) {
    use search::{Literal, Texts};
    let shapes = layout.shapes(physical).unwrap();
    let column = |name: &str| -> Vec<Option<String>> {
        let Some(column) = logical.column_by_name(name) else { return vec![None; logical.num_rows()] };
        column.as_string_view().iter().map(|text| text.map(str::to_owned)).collect()
    };
    let (lines, messages) = (column("event.original"), column("message"));
    let mut asked = std::collections::BTreeSet::new();
    for line in lines.iter().chain(&messages).flatten() {
        let places: Vec<usize> = line.char_indices().map(|(at, _)| at).collect();
        for (step, len) in [(3, 1), (2, 2), (5, 4), (3, 9), (11, 30)] {
            for from in places.iter().step_by(step) {
                let to = (from + len..=line.len()).find(|to| line.is_char_boundary(*to)).unwrap_or(line.len());
                asked.insert(line[*from..to].to_owned());
            }
        }
    }
    for (at, text) in asked.iter().enumerate().filter(|(at, _)| asked.len() < 60 || at % (asked.len() / 60) == 0) {
        let folds = at % 2 == 1;
        let has = |line: &Option<String>| {
            line.as_ref().is_some_and(|line| match folds {
                true => line.to_ascii_lowercase().contains(&text.to_ascii_lowercase()),
                false => line.contains(text),
            })
        };
        for wanted in [Texts::Line, Texts::Message, Texts::Both] {
            let Some(literal) = Literal::new(text, folds) else { continue };
            let (asked, exact) = (text.clone(), !folds);
            let proves = move |constant: &str, _: search::Edges| exact && constant.contains(&asked);
            let search = shapes.search(literal, wanted, &proves);
            let columns = search.columns(&|_| true);
            let batch = narrowed(physical, |name| columns.contains(name));
            let (candidates, proven) = search.candidates(&batch, shapes.codes());
            for row in 0..logical.num_rows() {
                let is = wanted != Texts::Message && has(&lines[row]) || wanted != Texts::Line && has(&messages[row]);
                assert!(candidates.value(row) || !is, "{text:?} {folds} {wanted:?} in {:?}, {:?}", lines[row], messages[row]);
                let is_proven = proven.value(row) || search.is_proven(shapes.codes()[row]);
                assert!(is || !is_proven, "{text:?} {wanted:?} not in {:?}", lines[row]);
            }
        }
    }
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringViewArray::from_iter(values.iter().copied()))
}

fn times(values: Vec<Option<i64>>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
}

fn rows(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn shape_at(physical: &RecordBatch, row: usize) -> Option<String> {
    let shapes = physical.column_by_name(COLUMN_SHAPE).unwrap().as_dictionary::<Int32Type>();
    let values = shapes.values().as_string::<i32>();
    shapes.keys().is_valid(row).then(|| values.value(shapes.keys().value(row) as usize).to_owned())
}

#[test]
fn a_line_becomes_references_and_comes_back() {
    let line = |second: u32, port: u32| {
        format!("<38>Nov 22 07:00:{second:02} srv016 sshd[20250]: Failed password for admin from 5.77.87.71 port {port} ssh2")
    };
    let lines: Vec<String> = (0..20).map(|at| line(at, 15_000 + at)).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let all = |text: &'static str| -> ArrayRef { texts(&vec![Some(text); lines.len()]) };
    let batch = rows(vec![
        ("timestamp", times((0..20).map(|at| Some((1_795_305_600 + at) * 1_000_000 + 5)).collect())),
        ("event.created", times((0..20).map(|at| Some((1_795_305_601 + at) * 1_000_000)).collect())),
        ("chieng.clock_skew", Arc::new(Int64Array::from(vec![-999; 20]))),
        ("event.id", Arc::new(StringViewArray::from_iter_values((0..20).map(|at| format!("t-7-{at}"))))),
        ("event.original", Arc::new(StringViewArray::from_iter_values(&lines))),
        ("message", Arc::new(StringViewArray::from_iter_values(lines.iter().map(|line| &line[line.find("Failed").unwrap()..])))),
        ("host.name", all("srv016")),
        ("log.syslog.hostname", all("srv016")),
        ("process.pid", Arc::new(Int64Array::from(vec![20_250; 20]))),
        ("log.syslog.procid", all("20250")),
        ("log.syslog.priority", Arc::new(Int64Array::from(vec![38; 20]))),
        ("source.ip", all("5.77.87.71")),
        ("source.port", Arc::new(Int64Array::from_iter_values(15_000..15_020))),
        ("user.name", all("admin")),
    ]);
    let physical = check(&mut Encoder::new("t"), &batch);
    assert_eq!(
        shape_at(&physical, 3).unwrap(),
        "=<{log.syslog.priority}>{timestamp|bsd.0+0700} {host.name} sshd[{process.pid}]: {<}Failed password for {user.name} from {source.ip} port \
         {source.port} ssh2{>}\u{1e}log.syslog.hostname~{host.name}\u{1e}log.syslog.procid~{process.pid}\u{1e}chieng.clock_skew~skew"
    );
    for gone in ["event.original", "message", "event.id", "log.syslog.hostname", "log.syslog.procid", "chieng.clock_skew"] {
        assert!(physical.column_by_name(gone).is_none(), "{gone} is kept twice");
    }
}

#[test]
fn exceptions_keep_their_values() {
    let lists = |values: &[Option<&[&str]>]| -> ArrayRef {
        let mut builder = ListBuilder::new(StringViewBuilder::new());
        for value in values {
            value.iter().for_each(|items| items.iter().for_each(|item| builder.values().append_value(item)));
            builder.append(value.is_some());
        }
        Arc::new(builder.finish())
    };
    let mut encoder = Encoder::new("t");
    let batch = |vendor: [Option<&str>; 4], ids: [Option<&str>; 4], lines: [Option<&str>; 4], messages: [Option<&str>; 4]| {
        rows(vec![
            ("timestamp", times(vec![Some(1), None, Some(i64::MAX), Some(i64::MIN)])),
            ("event.created", times(vec![Some(1), Some(2), Some(i64::MIN), None])),
            ("chieng.clock_skew", Arc::new(Int64Array::from(vec![Some(0), None, Some(i64::MAX / 1_000), Some(4)]))),
            ("event.id", texts(&ids)),
            ("event.original", texts(&lines)),
            ("message", texts(&messages)),
            ("source.ip", texts(&[Some("10.0.0.1"), Some("10.0.0.2"), None, Some("")])),
            ("source.port", Arc::new(Int64Array::from(vec![Some(0), Some(-5), None, Some(i64::MIN)]))),
            ("vendor.ip", texts(&vendor)),
            ("related.ip", lists(&[Some(&["10.0.0.1"]), Some(&[]), None, Some(&["", "x", "9"])])),
            ("event.category", lists(&[Some(&["network"]), Some(&["network", "{x}"]), Some(&["\u{1e}"]), None])),
            ("flag", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), None]))),
        ])
    };
    let same = [Some("10.0.0.1"), Some("10.0.0.2"), None, Some("")];
    let ids = [Some("t-1-0"), Some("t-01-0"), None, Some("t-9223372036854775807-1")];
    let lines = [Some("from 10.0.0.1 port 0"), Some(""), None, Some("{from} \u{1f} \u{0} \"ế\"")];
    let messages = [Some(""), Some("elsewhere"), Some("alone"), Some("from} ")];
    check(&mut encoder, &batch(same, ids, lines, messages));
    let other = [Some("10.0.0.2"), None, Some("1"), None];
    check(&mut encoder, &batch(other, [None, Some("x-1-0"), Some("t-1-0.3"), Some("t--")], messages, lines));
}

#[test]
fn vendor_lines_keep_nothing_but_columns() {
    let lines: Vec<String> = (0..50)
        .map(|at| {
            format!(
                "date=2026-11-22 time=00:00:{at:02} devname=\"FGT\" eventtime=17953056{at:02}208604000 tz=+0000 srcip=10.21.7.{at} \
                 srcport=1 dstip=5.25.{at}.73 sentbyte=1{at} rcvdbyte=12 proto=6"
            )
        })
        .collect();
    let number = |value: fn(i64) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values((0..50).map(value))) };
    let text = |value: fn(i64) -> String| -> ArrayRef { Arc::new(StringViewArray::from_iter_values((0..50).map(value))) };
    let batch = rows(vec![
        ("timestamp", times((0..50).map(|at| Some((1_795_305_600 + at) * 1_000_000 + 208_604)).collect())),
        ("event.original", Arc::new(StringViewArray::from_iter_values(&lines))),
        ("message", Arc::new(StringViewArray::from_iter_values(&lines))),
        ("host.name", text(|_| "FGT".into())),
        ("source.ip", text(|at| format!("10.21.7.{at}"))),
        ("source.port", number(|_| 1)),
        ("source.bytes", text(|at| format!("1{at}"))),
        ("destination.ip", text(|at| format!("5.25.{at}.73"))),
        ("destination.bytes", number(|_| 12)),
        ("f.srcip", text(|at| format!("10.21.7.{at}"))),
        ("f.srcport", text(|_| "1".into())),
        ("f.sentbyte", text(|at| format!("1{at}"))),
        ("f.rcvdbyte", text(|_| "12".into())),
        ("f.proto", text(|_| "6".into())),
        ("f.tz", text(|_| "+0000".into())),
    ]);
    let physical = check(&mut Encoder::new("t"), &batch);
    let shape = shape_at(&physical, 0).unwrap();
    assert!(
        shape.starts_with("={<}date={timestamp|date.0+0000} time={timestamp|clock.0+0000} devname=\"{host.name}\" "),
        "{shape}"
    );
    assert!(shape.contains("srcip={source.ip} ") && shape.contains("rcvdbyte={destination.bytes} proto={f.proto}{>}"), "{shape}");
    assert!(physical.column_by_name("_line.1").is_none_or(|slots| slots.null_count() == slots.len()), "{shape}");
}

#[test]
fn shapes_decide_most_rows() {
    let lines: Vec<String> =
        (0..90).map(|at| format!("{} for user{at} from 10.0.0.{at}", ["Accepted", "Failed", "Refused"][at % 3])).collect();
    let batch = rows(vec![
        ("event.original", Arc::new(StringViewArray::from_iter_values(&lines))),
        ("user.name", Arc::new(StringViewArray::from_iter_values((0..90).map(|at| format!("user{at}"))))),
        ("source.ip", Arc::new(StringViewArray::from_iter_values((0..90).map(|at| format!("10.0.0.{at}"))))),
    ]);
    let (physical, layout) = store(&mut Encoder::new("t"), &batch, "t");
    let shapes = layout.shapes(&physical).unwrap();
    let count = |text: &'static str| {
        let literal = search::Literal::new(text, false).unwrap();
        let proves = move |constant: &str, _: search::Edges| constant.contains(text);
        let search = shapes.search(literal, search::Texts::Both, &proves);
        let (candidates, proven) = search.candidates(&physical, shapes.codes());
        let by_shape = shapes.codes().iter().filter(|code| search.is_proven(**code)).count();
        (by_shape, proven.count_set_bits(), candidates.count_set_bits())
    };
    assert_eq!(count("Failed for"), (30, 30, 30));
    assert_eq!(count("user17 from"), (0, 1, 1));
    assert_eq!(count("for user17"), (0, 1, 1));
    // 10.0.0.80 also begins with what is left for the address.
    assert_eq!(count("r8 from 10.0.0.8"), (0, 0, 11));
    assert_eq!(count("no such"), (0, 0, 0));
}

#[test]
fn corrupt_shapes_and_variables_are_named() {
    let good = rows(vec![
        ("event.original", texts(&[Some("x 1 y"), Some("x 2 y")])),
        ("source.port", Arc::new(Int64Array::from(vec![9, 9]))),
    ]);
    let (physical, layout) = store(&mut Encoder::new("t"), &good, "t");
    let replaced = |name: &str, array: ArrayRef| {
        let columns = physical.schema_ref().fields().iter().zip(physical.columns());
        rows(
            columns
                .map(|(field, old)| (field.name().as_str(), if field.name() == name { array.clone() } else { old.clone() }))
                .collect(),
        )
    };
    for (name, array, expected) in [
        (COLUMN_SHAPE, texts(&[Some("=x {} y"), Some("=x {")]), "byte 3: an open brace"),
        (COLUMN_SHAPE, texts(&[Some("=x {} {}"), None]), "row 0: residual variable 1 is missing"),
        (COLUMN_SHAPE, texts(&[Some("={no.such}"), None]), "row 0: column no.such is null"),
        (COLUMN_SHAPE, texts(&[Some("={|rfc3339.6Z}"), None]), "row 0: the residual time is missing"),
        ("_line.1", texts(&[Some("1"), None]), "row 1: residual variable 0 is missing"),
    ] {
        let error = layout.decode("event.original", &replaced(name, array)).unwrap_err().chain();
        assert!(error.contains("segment test") && error.contains(expected), "{error}");
    }
    let bytes = vec!["x".repeat(1 << 20)];
    let bomb = rows(vec![
        (COLUMN_SHAPE, texts(&[Some(&format!("={}", "{a}".repeat(1_000)))])),
        ("a", Arc::new(StringViewArray::from_iter_values(&bytes))),
    ]);
    assert!(layout.decode("event.original", &bomb).unwrap_err().chain().contains("a line of more than"));
    for text in [
        "",
        "{}",
        r#"{"format":4,"node":"","columns":[],"derived":{}}"#,
        r#"{"format":2,"node":"","columns":[["a","b"]],"derived":{}}"#,
    ] {
        assert!(Layout::read("test", &[(LAYOUT_KEY.into(), Some(text.into()))]).is_err(), "{text}");
    }
}

/// Every line of the parsers' corpus, read as the pipe reads it.
#[test]
fn the_corpus_comes_back() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../parsers/corpus");
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut folders = vec![corpus];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "log") {
                lines.extend(std::fs::read(&path).unwrap().split(|byte| *byte == b'\n').map(<[u8]>::to_vec));
            }
        }
    }
    assert!(lines.len() > 150, "{} lines", lines.len());
    let arena = Bump::new();
    let mut event = Event::new(&arena);
    let mut builder = BlockBuilder::new();
    for (at, line) in lines.iter().enumerate() {
        let Ok(text) = std::str::from_utf8(line) else { continue };
        let received = 1_795_305_600_000_000 + at as i64;
        event.clear();
        parsers::parse(
            RawRecord::new(line, text, received, chrono_tz::Asia::Ho_Chi_Minh),
            None,
            &mut parsers::Memory::default(),
            &mut event,
        );
        event.set(field::EVENT_ORIGINAL, text);
        event.set(field::EVENT_ID, event.alloc(&format!("t-1-{at}")));
        event.set(field::EVENT_CREATED, event::Value::Time(received));
        event.set(field::CHIENG_CLOCK_SKEW, at as i64);
        builder.append(&event);
    }
    let mut encoder = Encoder::new("t");
    let (mut derived, mut all) = (0, 0);
    for batch in builder.finish() {
        // In small pieces, so that shapes made from one piece meet rows of the next.
        for from in (0..batch.batch.num_rows()).step_by(7) {
            let part = batch.batch.slice(from, 7.min(batch.batch.num_rows() - from));
            let physical = check(&mut encoder, &part);
            all += part.num_rows();
            derived +=
                (0..part.num_rows()).filter(|row| shape_at(&physical, *row).is_some_and(|shape| shape.starts_with('='))).count();
        }
    }
    // Many of these lines are there to be odd, and stand alone.
    assert!(derived * 10 > all * 6, "{derived} of {all} lines are derived");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Arbitrary lines over arbitrary columns; lines are also glued from the columns' values, so that references happen.
    #[test]
    fn whatever_goes_in_comes_out(
        values in prop::collection::vec(prop::collection::vec(prop::option::of(
            prop_oneof!["[ -~]{0,12}", "\\PC{0,6}", "[0-9]{1,6}", Just("\u{0}\u{1e}\u{1f}".to_owned()), Just("a\"b\\c\n".to_owned()), Just(String::new())]), 4), 1..12),
        glue in prop::collection::vec((0..7_usize, "[ -~]{0,3}"), 0..8),
        numbers in prop::collection::vec(prop::option::of(prop_oneof![any::<i64>(), 0..70_000_i64]), 12),
        stamps in prop::collection::vec(prop::option::of(prop_oneof![any::<i64>(), 1_700_000_000_000_000..1_800_000_000_000_000_i64]), 12),
        plain in prop::collection::vec(any::<bool>(), 12),
    ) {
        let rows_count = values.len();
        let mut lines = Vec::new();
        for (row, cells) in values.iter().enumerate() {
            let mut line = String::new();
            for (what, text) in &glue {
                line.push_str(text);
                match what {
                    0..=2 => line.push_str(cells[*what].as_deref().unwrap_or("-")),
                    3 => line.push_str(&numbers[row].map_or_else(String::new, |number| number.to_string())),
                    4 => line.push_str(&serde_json::to_string(&cells[1]).unwrap()),
                    5 => if let Some(time) = stamps[row].and_then(chrono::DateTime::from_timestamp_micros) {
                        line.push_str(&time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
                    },
                    _ => if let Some(time) = stamps[row].and_then(chrono::DateTime::from_timestamp_micros) {
                        line.push_str(&time.format("%b %e %H:%M:%S").to_string());
                    },
                }
            }
            lines.push(if plain[row] { cells[3].clone() } else { Some(line) });
        }
        let column = |at: usize| -> ArrayRef { Arc::new(StringViewArray::from_iter(values.iter().map(|cells| cells[at].as_deref()))) };
        let messages = lines.iter().zip(&plain).map(|(line, plain)| line.as_deref().map(|line| if *plain { line } else {
            let middle = (0..=line.len() / 2).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
            &line[middle..]
        }));
        let batch = rows(vec![
            ("timestamp", times(stamps[..rows_count].to_vec())),
            ("event.created", times(stamps.iter().rev().take(rows_count).copied().collect())),
            ("chieng.clock_skew", Arc::new(Int64Array::from(numbers[..rows_count].to_vec()))),
            ("event.id", column(2)),
            ("event.original", Arc::new(StringViewArray::from_iter(lines.iter().map(Option::as_deref)))),
            ("message", Arc::new(StringViewArray::from_iter(messages))),
            ("user.name", column(0)),
            ("a.b", column(1)),
            ("a.c", column(2)),
            ("a.d", column(2)),
            ("source.port", Arc::new(Int64Array::from(numbers[..rows_count].to_vec()))),
            ("a.port", Arc::new(StringViewArray::from_iter(numbers[..rows_count].iter().map(|number| number.map(|number| number.to_string()))))),
        ]);
        let mut encoder = Encoder::new("t");
        check(&mut encoder, &batch);
        // Again with everything learned, and with dictionaries for text.
        let coded = batch.schema_ref().fields().iter().zip(batch.columns()).map(|(field, array)| {
            let is_text = *field.data_type() == DataType::Utf8View && field.name() != "event.original" && field.name() != "message";
            let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            (field.name().as_str(), if is_text { arrow::compute::cast(array, &coded).unwrap() } else { array.clone() })
        });
        let (physical, layout) = store(&mut encoder, &rows(coded.collect()), "t");
        for (column, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            prop_assert_eq!(&layout.decode(column.name(), &physical).unwrap(), array, "{}", column.name());
        }
    }
}
