//! The engine beside truth tables that another evaluator made (pySigma's parser, its own matching).

use std::{collections::BTreeMap, fs};

use detect::{EventClass, Options, Route, RuleSource, flat, load};
use serde_json::Value;

use crate::shared;

fn lines(path: &std::path::Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn event(value: &Value) -> flat::FlatEvent {
    value.as_object().unwrap().clone()
}

/// Random rules on random events, over all modifiers: each verdict is known.
#[test]
fn cases_of_random_rules() {
    let Some(path) = shared::data("sigma-truth/cases.ndjson") else { return };
    let (mut right, mut wrong) = (0, Vec::new());
    for case in lines(&path) {
        let text = case["rule"].as_str().unwrap().to_owned();
        let loaded = load(vec![RuleSource { path: "case.yml".into(), text: text.clone() }], &Options::default());
        let events: Vec<_> = case["events"].as_array().unwrap().iter().map(event).collect();
        let expected: Vec<bool> = case["expect"].as_array().unwrap().iter().map(|flag| flag.as_bool().unwrap()).collect();
        assert!(loaded.rejected.is_empty(), "{:?}\n{text}", loaded.rejected);
        let mut got = vec![false; events.len()];
        for found in loaded.set.match_batch_by(&flat::batch("test", &events), Route::Everything) {
            got[found.row as usize] = true;
        }
        for (row, (got, expected)) in got.iter().zip(&expected).enumerate() {
            if got == expected {
                right += 1;
            } else {
                let shown = serde_json::to_string(&events[row]).unwrap();
                wrong.push(format!("{} row {row}: got {got}\n{text}\n{shown}", case["id"]));
            }
        }
    }
    eprintln!("cases: {right} right, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{} wrong, first:\n{}", wrong.len(), wrong[..wrong.len().min(5)].join("\n\n"));
}

/// Events built so that each SigmaHQ rule fires, and near misses: all rules at once must name exactly the expected ones.
#[test]
fn events_built_for_each_rule() {
    let (Some(path), Some(loaded)) = (shared::data("sigma-truth/synth.ndjson"), shared::sigmahq()) else { return };
    let mut batches: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in lines(&path) {
        batches.entry(line["logsource"].to_string()).or_default().push(line);
    }
    let rules = loaded.set.rules();
    let (mut events_right, mut hits, mut missing, mut extra) = (0, 0, Vec::new(), Vec::new());
    for events in batches.values() {
        let source = &events[0]["logsource"];
        let one = |value: &Value| value.as_str().map(str::to_owned).into_iter().collect();
        let class = EventClass {
            products: one(&source["product"]),
            categories: source["category"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
            services: one(&source["service"]),
        };
        let flat: Vec<_> = events.iter().map(|line| event(&line["event"])).collect();
        let mut got: Vec<Vec<&str>> = vec![Vec::new(); events.len()];
        for found in loaded.set.match_batch_by(&flat::batch("test", &flat), Route::As(&class)) {
            got[found.row as usize].push(&rules[found.rule as usize].id);
        }
        for (line, got) in events.iter().zip(&got) {
            let expected: Vec<&str> = line["expect"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            hits += expected.len();
            let before = missing.len() + extra.len();
            missing.extend(
                expected.iter().filter(|id| !got.contains(id)).map(|id| format!("{} wants {id}: {}", line["id"], line["event"])),
            );
            extra.extend(
                got.iter().filter(|id| !expected.contains(id)).map(|id| format!("{} got {id}: {}", line["id"], line["event"])),
            );
            events_right += usize::from(missing.len() + extra.len() == before);
        }
    }
    eprintln!("synth: {events_right} events right, {hits} hits expected, {} missing, {} extra", missing.len(), extra.len());
    let shown: Vec<_> = missing.iter().take(5).chain(extra.iter().take(5)).cloned().collect();
    assert!(missing.is_empty() && extra.is_empty(), "{} missing, {} extra:\n{}", missing.len(), extra.len(), shown.join("\n"));
}
