//! Paste-hunt beside a naive reading of the same rows: hot, flushed, compacted with an index; in scope; masked.

use std::{collections::BTreeMap, sync::Arc};

use event::{Micros, Role, Scope, seam::Clock};
use store::{Disk, Options, Processed, Store};

use super::{Finding, IndicatorKind, PasteAnswer, PasteRequest, Verdict};
use crate::{
    Engine, HuntRequest, Limits,
    tests::world::{DAY, Row, START, World, admin, batches, only, rows, run},
};

/// Words put behind the lines of some rows, one after the other.
const PLANTED: [&str; 8] = [
    "http://cdn.evil.example/a.php?x=1",
    "query=evil.example",
    "evil.example.vn",
    "to=<an@evil.example>",
    "MD5=D41D8CD98F00B204E9800998ECF8427E",
    "198.51.100.9:443",
    "198.51.100.99",
    "evil.example/a.php",
];

const PASTE: &str = "203.0.113.7 10.1.2.3 198.51.100[.]9 2001:db8::1 10.0.0.0/8 192.168.0.0/16 evil[.]example an[at]evil.example \
                     d41d8cd98f00b204e9800998ecf8427e hxxp://evil.example/a.php hxxp://cdn.evil.example/a.php 192.0.2.200 nothing.example";

fn planted(count: usize) -> Vec<Row> {
    let mut made = rows(count, 5);
    for (at, row) in made.iter_mut().enumerate().filter(|(at, _)| at % 7 == 0) {
        row.original = format!("{} {} end", row.original, PLANTED[at / 7 % PLANTED.len()]);
    }
    made
}

/// Whether an indicator stands in a row, written down word by word.
fn naive(kind: IndicatorKind, value: &str, row: &Row) -> bool {
    let words: Vec<&str> =
        row.original.split_whitespace().chain(row.message.iter().flat_map(|text| text.split_whitespace())).collect();
    let has = |all: &[&str]| words.iter().any(|word| all.contains(word));
    let addresses = || row.ip.iter().chain(&row.related);
    match (kind, value) {
        (IndicatorKind::Address, "198.51.100.9") => has(&["198.51.100.9:443"]),
        (IndicatorKind::Address, value) => has(&[value]) || addresses().any(|ip| ip == value),
        (IndicatorKind::Network, "10.0.0.0/8") => addresses().any(|ip| ip.starts_with("10.")),
        (IndicatorKind::Network, _) => addresses().any(|ip| ip.starts_with("192.168.")),
        (IndicatorKind::Domain, "evil.example") => has(&[PLANTED[0], PLANTED[1], PLANTED[3], PLANTED[7]]),
        (IndicatorKind::Domain, _) => false,
        (IndicatorKind::Mail, _) => has(&[PLANTED[3]]),
        (IndicatorKind::Hash, _) => has(&[PLANTED[4]]),
        (IndicatorKind::Url, "evil.example/a.php") => has(&[PLANTED[7]]),
        (IndicatorKind::Url, _) => has(&[PLANTED[0]]),
    }
}

fn request(from: Micros, to: Micros) -> PasteRequest {
    PasteRequest { text: PASTE.to_owned(), from, to }
}

fn whole() -> PasteRequest {
    request(START, START + 4 * DAY)
}

/// Holds every finding against the rows that the asker sees.
fn check(answer: &PasteAnswer, seen: &[&Row], what: &str) {
    assert_eq!(answer.findings.len(), 13, "{what}");
    for Finding { indicator, count, first, last, systems, verdict, .. } in &answer.findings {
        let hits: Vec<&&Row> = seen.iter().filter(|row| naive(indicator.kind, &indicator.value, row)).collect();
        let what = format!("{what}: {} {}", indicator.kind.name(), indicator.value);
        assert_eq!(*count, hits.len() as u64, "{what}");
        assert_eq!(*first, hits.iter().map(|row| row.timestamp).min(), "{what}");
        assert_eq!(*last, hits.iter().map(|row| row.timestamp).max(), "{what}");
        let mut by_system: BTreeMap<&str, u64> = BTreeMap::new();
        for row in &hits {
            *by_system.entry(if row.system == event::UNASSIGNED { "" } else { row.system }).or_default() += 1;
        }
        let found: BTreeMap<&str, u64> = systems.iter().map(|(system, count)| (system.as_str(), *count)).collect();
        assert_eq!(found, by_system, "{what}");
        assert_eq!(*verdict == Verdict::Hit, *count > 0, "{what}");
    }
}

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Micros {
        START
    }
}

#[test]
fn a_paste_finds_what_a_person_would_find_hot_flushed_and_indexed() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { dir: dir.path().join("data"), compact_rows: 1, ..Options::default() };
    run(async {
        let store = Store::open(options, Arc::new(Fixed), Arc::new(Disk)).await.unwrap();
        let mut batch = event::RawBatch::new("test", None, START);
        batch.push(b"one line");
        let receipt = store.sink().submit(batch).await.unwrap();
        let made = planted(5_000);
        let all: Vec<&Row> = made.iter().collect();
        store.publish(Processed { through: receipt.sequence, batches: batches(&made), ledger: vec![] });
        let engine = Engine::new(store.clone(), vec![], Limits::default(), [1; 32]).unwrap();
        check(&engine.paste(&admin(), whole()).await.unwrap(), &all, "hot");
        store.flush().await.unwrap();
        check(&engine.paste(&admin(), whole()).await.unwrap(), &all, "flushed");
        assert_eq!(store.compact_once().await.unwrap().map(|done| done.rows), Some(5_000));
        let answer = engine.paste(&admin(), whole()).await.unwrap();
        check(&answer, &all, "compacted");
        assert!(answer.complete && answer.reason.is_none());
        let oldest = made.iter().map(|row| row.timestamp).min().unwrap();
        let needle = PasteRequest { text: "evil.example.vn 192.0.2.200".to_owned(), from: oldest, ..whole() };
        let found = engine.paste(&admin(), needle).await.unwrap().findings;
        assert_eq!((found[0].verdict, found[1].verdict), (Verdict::Hit, Verdict::None));
        drop(engine);
        store.close().await.unwrap();
    });
}

#[test]
fn a_system_owner_finds_only_what_is_theirs() {
    run(async {
        let world = World::new(planted(600));
        let scope = only(Role::Owner, &["portal"]);
        let seen: Vec<&Row> = world.rows.iter().filter(|row| row.system == "portal").collect();
        check(&world.engine.paste(&scope, whole()).await.unwrap(), &seen, "owner");
        let nobody = only(Role::Owner, &[]);
        let answer = world.engine.paste(&nobody, whole()).await.unwrap();
        assert!(answer.findings.iter().all(|found| found.verdict == Verdict::NotSearchable && found.count == 0));
        assert_eq!(answer.kept_since, None);
    });
}

/// What is masked is not an oracle: neither hits nor "none" are said of fields that the asker may not read.
#[test]
fn an_auditor_is_told_what_cannot_be_searched() {
    run(async {
        let world = World::new(planted(600));
        let auditor = Scope { role: Role::Auditor, ..admin() };
        let answer = world.engine.paste(&auditor, whole()).await.unwrap();
        assert!(answer.findings.iter().all(|found| found.count == 0 && found.verdict == Verdict::NotSearchable));
        let of = |kind| answer.coverage.iter().find(|coverage| coverage.kind == kind).unwrap();
        assert!(of(IndicatorKind::Address).hidden.contains(&event::field::SOURCE_IP));
        assert_eq!(of(IndicatorKind::Mail).fields, []);
    });
}

#[test]
fn none_is_said_only_of_the_time_that_is_kept() {
    run(async {
        let world = World::new(planted(600));
        let verdict = async |from, to| {
            let answer = world.engine.paste(&admin(), request(from, to)).await.unwrap();
            let none = answer.findings.iter().find(|found| found.indicator.value == "nothing.example").unwrap().verdict;
            (none, answer.kept_since)
        };
        let oldest = world.rows.iter().map(|row| row.timestamp).min().unwrap();
        assert_eq!(verdict(oldest, START + 4 * DAY).await, (Verdict::None, Some(oldest)));
        assert_eq!(verdict(START - 30 * DAY, START + 4 * DAY).await, (Verdict::NoneSince(oldest), Some(oldest)));
        let error = world.engine.paste(&admin(), request(START, START)).await.unwrap_err();
        assert_eq!(error.kind, crate::ErrorKind::Invalid);
        let answer = world.engine.paste(&admin(), PasteRequest { text: "chỉ là chữ".to_owned(), ..whole() }).await.unwrap();
        assert!(answer.findings.is_empty() && answer.pasted.unreadable_total == 3);
    });
}

/// The link to Hunt shows the events that were counted.
#[test]
fn the_search_of_a_finding_shows_its_events() {
    run(async {
        let world = World::new(planted(600));
        for found in world.engine.paste(&admin(), whole()).await.unwrap().findings {
            let request =
                HuntRequest { q: found.q.clone(), from: Some(START), to: Some(START + 4 * DAY), limit: 5_000, before: None };
            let shown = world.engine.hunt(&admin(), request).await.unwrap_or_else(|error| panic!("{}: {error}", found.q));
            let shown: usize = shown.rows.iter().map(|batch| batch.num_rows()).sum();
            // A name that goes on (`evil.example.vn`) is no hit, and the search language has no word for that.
            let is_looser = matches!(found.indicator.kind, IndicatorKind::Domain | IndicatorKind::Url);
            assert!(
                shown as u64 == found.count || is_looser && shown as u64 > found.count,
                "{}: {shown} of {}",
                found.q,
                found.count
            );
        }
    });
}

#[test]
fn a_pass_that_runs_out_of_time_says_from_when_on_it_is_whole() {
    run(async {
        let limits = Limits { time: std::time::Duration::ZERO, ..Limits::default() };
        let world = World::with(planted(600), limits, vec![]);
        let answer = world.engine.paste(&admin(), whole()).await.unwrap();
        assert!(!answer.complete && answer.reason.is_some());
        let newest = world.rows.iter().map(|row| row.timestamp).max().unwrap();
        assert_eq!(answer.searched_from, newest + 1);
        let none = answer.findings.iter().find(|found| found.count == 0).unwrap();
        assert_eq!(none.verdict, Verdict::NoneSince(newest + 1), "nothing was looked at but the empty end");
    });
}
