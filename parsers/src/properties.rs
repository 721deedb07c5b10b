//! Properties over arbitrary input: nothing panics, output is valid JSON with dotted keys, columns can be built of it.

use bumpalo::Bump;
use chrono_tz::Tz;
use event::{BlockBuilder, Event, RawRecord};
use proptest::prelude::*;

use crate::{Memory, PARSERS, fuzzing, render, testing};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzzing::records(&bytes);
        fuzzing::payloads(&bytes);
    }

    #[test]
    fn arbitrary_text_is_kept_and_rendered(text in "\\PC{0,200}", pri in 0u16..400) {
        let line = format!("<{pri}>{text}");
        let json: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&testing::run(None, &line)).unwrap();
        prop_assert!(json.contains_key("event.dataset") && json.contains_key("event.kind"));
        for (key, value) in &json {
            prop_assert!(!value.is_object(), "{key} is nested");
            prop_assert!(!key.is_empty());
        }
    }

    /// A parser fixed by configuration gives an event or a reason for any text, never a half-filled event.
    #[test]
    fn fixed_parsers_are_total(text in "[ -~é]{0,120}", which in 0usize..PARSERS.len()) {
        let json: serde_json::Value = serde_json::from_str(&testing::run(Some(PARSERS[which]), &text)).unwrap();
        if json["event.kind"] == "pipeline_error" {
            prop_assert!(!json["error.message"].as_str().unwrap().is_empty());
            prop_assert_eq!(&json["event.dataset"], "unparsed");
        }
    }
}

/// The whole corpus becomes columns.
#[test]
fn corpus_builds_batches() {
    let lines: Vec<String> = testing::corpus().iter().flat_map(|(_, path)| testing::lines(path)).collect();
    let arena = Bump::new();
    let mut event = Event::new(&arena);
    let mut builder = BlockBuilder::new();
    let mut memory = Memory::default();
    for line in &lines {
        event.clear();
        let raw = RawRecord::new(line.as_bytes(), line, testing::RECEIVED, Tz::Asia__Ho_Chi_Minh);
        crate::parse(raw, None, &mut memory, &mut event);
        builder.append(&event);
    }
    let batches = builder.finish();
    assert_eq!(batches.iter().map(|batch| batch.batch.num_rows()).sum::<usize>(), lines.len());
    assert!(batches.len() > 15);
}

/// A record cannot set what the pipeline says about it.
#[test]
fn provenance_cannot_be_forged() {
    for name in [
        "event.id",
        "event.dataset",
        "event.ingested",
        "event.created",
        "system.id",
        "system.level",
        "organization.id",
        "related.system",
        "chieng.parser",
        "log.source.address",
        "event.original",
    ] {
        let json: serde_json::Value =
            serde_json::from_str(&testing::run(None, &format!(r#"{{"{name}":"forged","a":1}}"#))).unwrap();
        assert_eq!(json[format!("reported.{name}")], "forged", "{name}");
        assert_ne!(json[name], "forged", "{name}");
    }
    let _ = render::time(0);
}
