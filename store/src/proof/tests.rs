//! Proof end to end: what is proven at the flush is found again whatever compaction, crashes and retention do; whatever a
//! hand does to the files is found as well.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

use event::{Event, Micros, field};
use proof::{HOUR, chain::read_anchors};

use super::{Attempt, DivergenceKind, Report, VerifyOptions, verify};
use crate::{
    Disk, Options, RetentionPolicy, SKEW_MAX, Store,
    tests::{
        durability::{LOSE_ALL, LOSE_ANSWER, REFUSE, faulty},
        support::*,
    },
};

/// Rows with records, without any (as flows are), skewed ones, bytes, rare names, lists.
fn mixed<'r>(event: &mut Event<'r>, number: u64) {
    event.set(field::HOST_NAME, event.alloc(&format!("host-{}", number % 7)));
    event.set(field::LOG_SOURCE_ADDRESS, "192.0.2.1");
    event.set_ip(field::RELATED_IP, event.alloc(&format!("10.0.{}.{}", number % 5, number % 251)));
    event.set(field::SOURCE_PORT, (number * 7919 % 65_536) as i64);
    if number.is_multiple_of(5) {
        event.remove(field::EVENT_ORIGINAL);
        event.set_extra("netflow.", "flags", (number % 3) as i64);
    }
    if number.is_multiple_of(29) {
        event.remove(field::EVENT_ORIGINAL);
        event.set(field::EVENT_ORIGINAL_BYTES, event.alloc(&format!("ff{number:04x}")));
    }
    if number % 100 == 40 {
        event.set_extra("vendor.", "rare", "a \"quoted\" text");
        event.set(field::TIMESTAMP, START - 3 * SKEW_MAX);
    }
}

async fn filled(store: &Arc<Store>, flushes: u64) {
    let mut tail = store.tail_from(store.snapshot().through);
    for _ in 0..flushes {
        let from = store.snapshot().rows();
        for part in 0..2 {
            store.sink().submit(batch("s", from + part * 50, from + part * 50 + 50)).await.unwrap();
            drain(store, &mut tail, mixed).await;
        }
        store.flush().await.unwrap();
    }
}

async fn checked(dir: &Path) -> Report {
    check_with(VerifyOptions { dir: dir.to_owned(), ..VerifyOptions::default() }).await
}

async fn check_with(options: VerifyOptions) -> Report {
    verify(options, Arc::new(|_| {})).await.unwrap()
}

fn assert_intact(report: &Report, rows: u64, when: &str) {
    assert!(report.is_intact(), "{when}: {:#?}", report.divergences);
    assert_eq!((report.rows, report.chain.rows, report.rows_unproven), (rows, rows, 0), "{when}");
}

fn kinds(report: &Report) -> Vec<DivergenceKind> {
    report.divergences.iter().map(|divergence| divergence.kind).collect()
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn leaves_are_made_again_from_any_file() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { compact_slice_rows: 170, ..options(dir.path()) };
    let store = Store::open(options.clone(), TestClock::new(), Arc::new(Disk)).await.unwrap();
    assert!(
        verify(VerifyOptions { dir: dir.path().into(), ..VerifyOptions::default() }, Arc::new(|_| {})).await.unwrap().is_intact()
    );
    filled(&store, 3).await;
    assert_intact(&checked(dir.path()).await, 300, "flushed");
    store.compact_all().await.unwrap();
    filled(&store, 1).await;
    let report = checked(dir.path()).await;
    assert_intact(&report, 400, "compacted");
    assert_eq!(report.unsigned.len(), 1, "no root yet: {:?}", report.unsigned);
    assert!(store.close_root(true).await.unwrap());
    assert!(!store.close_root(true).await.unwrap(), "nothing came since");
    drop(store);

    let store = Store::open(options, TestClock::new(), Arc::new(Disk)).await.unwrap();
    assert_eq!(store.proof_status().broken, None);
    filled(&store, 1).await;
    store.compact_all().await.unwrap();
    assert!(store.close_root(true).await.unwrap());
    let report = checked(dir.path()).await;
    assert_intact(&report, 500, "restarted");
    assert_eq!((report.chain.roots.len(), report.unsigned.len()), (2, 0));
    assert_eq!(report.chain.unanchored.as_ref().unwrap().roots, (1, 2));
    assert!(report.leaves > 5 * 4, "two systems, two datasets, and skewed ones apart");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_commit_leaves_one_chain() {
    for fault in [REFUSE, LOSE_ANSWER, LOSE_ALL] {
        let dir = tempfile::tempdir().unwrap();
        let (store, mode) = faulty(dir.path()).await;
        filled(&store, 1).await;
        let mut tail = store.tail_from(store.snapshot().through);
        store.sink().submit(batch("s", 100, 150)).await.unwrap();
        drain(&store, &mut tail, mixed).await;
        mode.store(fault, Ordering::Relaxed);
        assert_eq!(store.flush().await.is_ok(), fault == LOSE_ANSWER, "fault {fault}");
        if fault == LOSE_ALL {
            // Killed before anybody could ask: the next start knows.
            drop((store, tail));
            let store = open(dir.path()).await;
            assert_eq!(store.proof_status().broken, None);
            assert!(store.close_root(true).await.unwrap());
            assert_intact(&checked(dir.path()).await, 150, "restarted");
            continue;
        }
        // A root meets the same faults.
        assert_eq!(store.close_root(true).await.is_ok(), fault == LOSE_ANSWER, "fault {fault}");
        mode.store(0, Ordering::Relaxed);
        store.flush().await.unwrap();
        filled(&store, 1).await;
        assert!(store.close_root(true).await.unwrap());
        let report = checked(dir.path()).await;
        assert_intact(&report, 250, "went on");
        assert_eq!(report.chain.roots.len(), if fault == LOSE_ANSWER { 2 } else { 1 }, "fault {fault}");
        drop(store);
        assert_eq!(open(dir.path()).await.proof_status().broken, None, "fault {fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_and_days_are_closed_by_what_comes_after_or_by_time() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = Store::open(options(dir.path()), Arc::clone(&clock) as _, Arc::new(Disk)).await.unwrap();
    let hour = START.div_euclid(HOUR) * HOUR;
    let mut tail = store.tail();
    // One flush that reaches over two ends of hours, then one a day later.
    for (at, now) in [0, HOUR - 1, HOUR + 1, 2 * HOUR, 26 * HOUR].into_iter().enumerate() {
        clock.set(hour + now);
        store.sink().submit(batch("s", at as u64 * 10, at as u64 * 10 + 10)).await.unwrap();
        drain(&store, &mut tail, plain).await;
        if at > 2 {
            store.flush().await.unwrap();
        }
    }
    let roots = |report: &Report| -> Vec<Micros> { report.chain.roots.iter().map(|root| (root.hour - hour) / HOUR).collect() };
    let report = checked(dir.path()).await;
    assert_intact(&report, 50, "open");
    assert_eq!((roots(&report), report.chain.journals), (vec![0, 1, 2], 2));
    assert!(!store.close_root(false).await.unwrap(), "the hour is not over");
    clock.set(hour + 27 * HOUR + super::GRACE);
    assert!(store.close_root(false).await.unwrap());
    let report = checked(dir.path()).await;
    assert_eq!(roots(&report), [0, 1, 2, 26]);
    drop(store);
    // Only what was received in a span.
    let received = Some((hour + HOUR, hour + 2 * HOUR));
    let report = check_with(VerifyOptions { dir: dir.path().into(), received, ..VerifyOptions::default() }).await;
    assert!(report.is_intact(), "{:#?}", report.divergences);
    assert_eq!(report.rows, 10);
}

struct Nothing;

impl RetentionPolicy for Nothing {
    fn keep(&self, system: &str, _: &str) -> Option<Micros> {
        (system == "even" || system == "odd").then_some(0)
    }

    fn actor(&self) -> String {
        "test".into()
    }

    fn reason(&self) -> String {
        "rule 1".into()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_retention_removed_is_said_by_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = Store::open(options(dir.path()), Arc::clone(&clock) as _, Arc::new(Disk)).await.unwrap();
    filled(&store, 2).await;
    clock.set(START + 10);
    assert!(!store.apply_retention(&Nothing, START + 10).await.unwrap().is_empty());
    let report = checked(dir.path()).await;
    assert!(report.is_intact(), "before the chain knows: {:#?}", report.divergences);
    assert_eq!((report.rows, report.leaves), (0, 0));
    filled(&store, 1).await;
    let report = checked(dir.path()).await;
    assert!(report.is_intact(), "{:#?}", report.divergences);
    assert_eq!(report.rows, 100);
    assert!(report.leaves_expired > 8 && report.leaves_partly_expired == 0);
    drop(store);

    // A deletion that only the catalogue knows is none: its record in the chain is missing.
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    filled(&store, 2).await;
    let gone = store.snapshot().segments[0].clone();
    drop(store);
    sql(dir.path(), &format!("DELETE FROM segment WHERE id = '{}'", gone.id)).await;
    let report = checked(dir.path()).await;
    assert!(kinds(&report).iter().all(|kind| *kind == DivergenceKind::RowsMissing) && !report.is_intact());
    let first = &report.divergences[0];
    assert_eq!((first.block, first.system.as_deref()), (Some((0, 2)), Some("even")));
}

async fn sql(dir: &Path, statement: &str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.join("catalogue.sqlite"));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&pool).await.unwrap();
    pool.close().await;
}

/// Writes a segment's file again with another original in one row, and makes the catalogue believe it.
async fn forge(dir: &Path, segment: &crate::Segment, row: usize) -> String {
    use arrow::array::{Array, AsArray, StringViewArray};
    let batches = segment_rows(&segment.path);
    let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), batches[0].schema(), None).unwrap();
    let mut id = String::new();
    for batch in &batches {
        let at = batch.schema().index_of("event.original").unwrap();
        let lines = batch.column(at).as_string_view();
        let row = (row..batch.num_rows()).find(|row| lines.is_valid(*row)).unwrap();
        id = batch.column_by_name("event.id").unwrap().as_string_view().value(row).to_owned();
        let forged: StringViewArray =
            lines.iter().enumerate().map(|(at, line)| if at == row { Some("forged") } else { line }).collect();
        let mut columns = batch.columns().to_vec();
        columns[at] = Arc::new(forged);
        writer.write(&arrow::record_batch::RecordBatch::try_new(batch.schema(), columns).unwrap()).unwrap();
    }
    let bytes = writer.into_inner().unwrap();
    fs::write(&segment.path, &bytes).unwrap();
    let checksum = blake3::hash(&bytes).to_hex();
    let (len, id_of) = (bytes.len(), &segment.id);
    sql(dir, &format!("UPDATE segment SET bytes = {len}, checksum = x'{checksum}', format = 1 WHERE id = '{id_of}'")).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_line_is_named_though_every_checksum_fits() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    filled(&store, 2).await;
    let segment = store.snapshot().segments[0].clone();
    drop(store);
    let id = forge(dir.path(), &segment, 7).await;
    let report = checked(dir.path()).await;
    assert_eq!(kinds(&report), [DivergenceKind::RowsChanged], "{:#?}", report.divergences);
    let found = &report.divergences[0];
    assert_eq!(found.files, std::slice::from_ref(&segment.location));
    assert_eq!(found.block, Some((0, 2)));
    assert!(found.hour.is_some() && found.system.is_some() && found.dataset.is_some());
    // The event lies between the two that are named.
    let place = |id: &str| proof::leaf::Place::parse(id).unwrap();
    assert!(
        place(&found.events[0]) <= place(&id) && place(&id) <= place(found.events.last().unwrap()),
        "{id}: {:?}",
        found.events
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_anew_does_not_fit_the_anchors() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(dir.path()).await;
    filled(&store, 1).await;
    store.close_root(true).await.unwrap();
    let line = store.proof_status().line.unwrap();
    let (anchor, hash) = store.last_root().unwrap();
    let attempt = |target: &str, is_taken| Attempt {
        root: anchor.number,
        hash,
        target: target.into(),
        at: START + 5,
        is_taken,
        detail: "said so".into(),
    };
    store.note_anchor(attempt("mail", false)).await.unwrap();
    assert_eq!(store.proof_status().anchored, 0, "a failed attempt anchors nothing");
    assert!(store.proof_status().unanchored_since.is_some());
    store.note_anchor(attempt("syslog", true)).await.unwrap();
    let status = store.proof_status();
    assert_eq!((status.anchored, status.anchored_at, status.unanchored_since), (1, Some(START + 5), None));
    assert_eq!(store.anchor_attempts(10).await.unwrap(), [attempt("syslog", true), attempt("mail", false)]);
    filled(&store, 1).await;
    store.close_root(true).await.unwrap();
    let (anchors, bad) = read_anchors(&format!("received: <110>1 host - {line}\nother text\n"));
    assert_eq!((anchors.len(), bad.len()), (1, 0));
    let options = |dir: &Path| VerifyOptions { dir: dir.to_owned(), anchors: anchors.clone(), ..VerifyOptions::default() };
    let report = check_with(options(dir.path())).await;
    assert!(report.is_intact(), "{:#?}", report.divergences);
    assert_eq!((report.chain.anchors, report.chain.unanchored.as_ref().unwrap().roots), (1, (2, 2)));
    drop(store);

    // Somebody with the key writes another history.
    fs::create_dir_all(other.path().join("proof")).unwrap();
    fs::copy(dir.path().join("proof/signing-key"), other.path().join("proof/signing-key")).unwrap();
    let store = open(other.path()).await;
    let mut tail = store.tail();
    store.sink().submit(batch("s", 500, 600)).await.unwrap();
    drain(&store, &mut tail, plain).await;
    store.flush().await.unwrap();
    let report = check_with(options(other.path())).await;
    assert_eq!(kinds(&report), [DivergenceKind::Anchor], "no root yet");
    store.close_root(true).await.unwrap();
    assert!(checked(other.path()).await.is_intact(), "by itself it fits");
    let report = check_with(options(other.path())).await;
    assert_eq!(kinds(&report), [DivergenceKind::Anchor]);
    assert!(report.divergences[0].what.contains("signed anew"), "{}", report.divergences[0].what);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_journal_is_left_and_a_new_one_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    filled(&store, 2).await;
    store.close_root(true).await.unwrap();
    drop(store);
    let journal = walk(&dir.path().join("proof")).into_iter().find(|path| path.extension().is_some()).unwrap();
    let mut bytes = fs::read(&journal).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&journal, &bytes).unwrap();
    let store = open(dir.path()).await;
    assert!(store.proof_status().broken.is_some());
    filled(&store, 1).await;
    store.close_root(true).await.unwrap();
    assert_eq!(fs::read(&journal).unwrap(), bytes, "evidence is not overwritten");
    let report = checked(dir.path()).await;
    assert_eq!(kinds(&report)[0], DivergenceKind::Journal);
    assert_eq!((report.chain.journals, report.chain.remarks.len()), (2, 1), "{:?}", report.chain.remarks);
    drop(store);
    assert_eq!(open(dir.path()).await.proof_status().broken, None, "the new one goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_signed_by_the_old_one_where_that_is_there() {
    for is_kept in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path()).await;
        filled(&store, 1).await;
        store.close_root(true).await.unwrap();
        let first = store.proof_status().key;
        drop(store);
        let folder = dir.path().join("proof");
        if is_kept {
            fs::rename(folder.join("signing-key"), folder.join("signing-key.previous")).unwrap();
        } else {
            fs::remove_file(folder.join("signing-key")).unwrap();
        }
        let store = open(dir.path()).await;
        assert_ne!(store.proof_status().key, first);
        filled(&store, 1).await;
        store.close_root(true).await.unwrap();
        let report = checked(dir.path()).await;
        assert_intact(&report, 200, "with another key");
        let [remark] = report.chain.remarks.as_slice() else { panic!("{:?}", report.chain.remarks) };
        assert_eq!(remark.contains("NOT signed"), !is_kept, "{remark}");
        let key = proof::key::parse_public("first", &first).unwrap();
        let report = check_with(VerifyOptions { dir: dir.path().into(), key: Some(key), ..VerifyOptions::default() }).await;
        assert!(report.is_intact(), "the chain begins with the key that the auditor noted: {:#?}", report.divergences);
    }
}

/// `CHIENG_FLIPS=1000` for more.
#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_is_always_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    filled(&store, 3).await;
    store.compact_all().await.unwrap();
    filled(&store, 2).await;
    store.close_root(true).await.unwrap();
    drop(store);
    assert_intact(&checked(dir.path()).await, 500, "before");
    let mut files = walk(&dir.path().join("segments"));
    files.extend(walk(&dir.path().join("proof")));
    files.retain(|path| !path.ends_with("signing-key"));
    let sizes: Vec<u64> = files.iter().map(|path| fs::metadata(path).unwrap().len()).collect();
    let count = std::env::var("CHIENG_FLIPS").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let mut hit = std::collections::BTreeSet::new();
    for round in 0..count {
        // Every other flip by size, the rest by file: small files are hit as well.
        let at = if round % 2 == 0 {
            let mut place = next() % sizes.iter().sum::<u64>();
            sizes
                .iter()
                .position(|size| {
                    place < *size || {
                        place -= size;
                        false
                    }
                })
                .unwrap()
        } else {
            next() as usize % files.len()
        };
        let place = (next() % sizes[at]) as usize;
        let whole = fs::read(&files[at]).unwrap();
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (next() % 8);
        fs::write(&files[at], &flipped).unwrap();
        let report = checked(dir.path()).await;
        let name = files[at].strip_prefix(dir.path()).unwrap().display().to_string();
        assert!(!report.is_intact(), "byte {place} of {name}");
        let named = report.divergences.iter().flat_map(|divergence| &divergence.files).any(|file| name.ends_with(file.as_str()));
        assert!(named, "byte {place} of {name}: {:#?}", report.divergences);
        fs::write(&files[at], &whole).unwrap();
        hit.insert(at);
    }
    assert!(hit.len() == files.len(), "{} of {} files were hit", hit.len(), files.len());
    assert_intact(&checked(dir.path()).await, 500, "after");
}

/// Applies a change to one file and gives what the check says; the file is put back.
fn tampered(packet: &Path, file: &str, change: impl FnOnce(&mut Vec<u8>)) -> proof::packet::PacketReport {
    let path = packet.join(file);
    let whole = fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    change(&mut bytes);
    fs::write(&path, bytes).unwrap();
    let report = proof::packet::check(packet, None, &[]).unwrap();
    fs::write(&path, whole).unwrap();
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_proves_its_rows_to_somebody_else() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let clock = TestClock::new();
    let store = Store::open(options(dir.path()), Arc::clone(&clock) as _, Arc::new(Disk)).await.unwrap();
    filled(&store, 2).await;
    store.compact_all().await.unwrap();
    clock.set(START + HOUR);
    filled(&store, 1).await;
    store.close_root(true).await.unwrap();
    let line = store.proof_status().line.unwrap();
    clock.set(START + 2 * HOUR);
    filled(&store, 1).await;
    let packet = out.path().join("packet");
    let wanted = super::ExportOptions {
        dir: dir.path().into(),
        out: packet.clone(),
        system: "odd".into(),
        dataset: None,
        received: (START - HOUR, START + 3 * HOUR),
        now: START,
        by: "auditor".into(),
        reason: "case 7".into(),
        cold: None,
    };
    let report = super::export(wanted.clone()).await.unwrap();
    assert!(report.is_intact(), "{:#?}", report.problems);
    let manifest = report.manifest.clone().unwrap();
    assert_eq!((report.rows, manifest.rows), (150, 150), "half of what is signed");
    assert!(manifest.leaves_unsigned > 0 && manifest.leaves_incomplete == 0, "{manifest:?}");
    assert_eq!((report.roots, report.root_needed, report.anchored_by), (Some((1, 2)), Some(2), None));
    let (anchors, _) = read_anchors(&line);
    let key = proof::key::parse_public("", &store.proof_status().key).unwrap();
    let report = proof::packet::check(&packet, Some(key), &anchors).unwrap();
    assert!(report.is_intact() && report.remarks.is_empty(), "{:?}", report.remarks);
    assert_eq!(report.anchored_by, Some(2));
    let chain = fs::read_to_string(packet.join(proof::packet::CHAIN)).unwrap();
    assert!(chain.contains("odd") && !chain.contains("even"), "systems of others are not shown");

    // A row that is left out, a root of another key, a leaf that says less: all with a manifest that fits.
    let mut other = anchors.clone();
    other[0].hash[0] ^= 1;
    assert!(!proof::packet::check(&packet, Some(key), &other).unwrap().is_intact(), "another anchor");
    assert!(!proof::packet::check(&packet, Some([7; 32]), &[]).unwrap().is_intact(), "another key");
    for file in &manifest.files {
        let report = tampered(&packet, &file.path, |bytes| {
            let middle = bytes.len() / 2;
            if let Some(byte) = bytes.get_mut(middle) { *byte ^= 4 } else { bytes.push(b' ') }
        });
        assert!(!report.is_intact(), "{}", file.path);
    }
    let report = tampered(&packet, proof::packet::MANIFEST, |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap().replacen("\"rows\": 150", "\"rows\": 149", 1);
        *bytes = text.into_bytes();
    });
    assert!(!report.is_intact());
    // An edited chain under a manifest with the right checksums still does not lead to the signed root.
    let edited = chain.replacen("\"rows\":", "\"rows\":1", 1);
    fs::write(packet.join(proof::packet::CHAIN), &edited).unwrap();
    let mut forged = manifest.clone();
    for file in &mut forged.files {
        if file.path == proof::packet::CHAIN {
            (file.bytes, file.blake3) = (edited.len() as u64, *blake3::hash(edited.as_bytes()).as_bytes());
        }
    }
    fs::write(packet.join(proof::packet::MANIFEST), serde_json::to_vec(&forged).unwrap()).unwrap();
    let report = proof::packet::check(&packet, None, &[]).unwrap();
    assert!(report.problems.iter().any(|problem| problem.contains("does not lead")), "{:?}", report.problems);
    assert!(super::export(wanted.clone()).await.is_err(), "a folder with something in it is not written over");

    // By dataset and span.
    let narrow = super::ExportOptions {
        out: out.path().join("narrow"),
        dataset: Some("b.log".into()),
        received: (START + HOUR, START + 2 * HOUR),
        ..wanted
    };
    let report = super::export(narrow).await.unwrap();
    assert!(report.is_intact(), "{:#?}", report.problems);
    assert!(report.rows > 0 && report.rows < 50, "{}", report.rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_moved_away_is_checked_and_packed_where_it_lies() {
    let (dir, away, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let url = format!("file://{}", away.path().display());
    let cold = crate::ColdOptions { url, after: HOUR, bytes_per_second_max: 1 << 30, options: Vec::new() };
    let clock = TestClock::new();
    let options = crate::Options { cold: Some(cold.clone()), ..options(dir.path()) };
    let store = Store::open(options, Arc::clone(&clock) as _, Arc::new(Disk)).await.unwrap();
    filled(&store, 2).await;
    store.compact_all().await.unwrap();
    clock.set(START + 2 * HOUR);
    store.close_root(true).await.unwrap();
    while store.move_cold_once().await.unwrap().is_some() {}
    assert!(store.stats().cold_segments > 0);
    let moved = fs::read_dir(away.path()).unwrap().next().unwrap().unwrap().path();

    let with = VerifyOptions { dir: dir.path().into(), cold: Some(cold.clone()), ..VerifyOptions::default() };
    let report = check_with(with.clone()).await;
    assert!(report.is_intact() && report.rows > 0, "{report:#?}");
    let report = check_with(VerifyOptions { cold: None, ..with.clone() }).await;
    assert!(report.divergences[0].what.contains("no cold store is configured"), "{report:#?}");
    // The folder itself is not there: its files are missing, the rest is checked.
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(away.path(), &elsewhere).unwrap();
    let report = check_with(with.clone()).await;
    assert!(report.divergences.iter().any(|found| found.kind == DivergenceKind::File), "{report:#?}");
    assert!(report.divergences.iter().all(|found| !found.what.contains("no cold store is configured")), "{report:#?}");
    fs::rename(&elsewhere, away.path()).unwrap();

    let wanted = super::ExportOptions {
        dir: dir.path().into(),
        out: out.path().join("packet"),
        system: "odd".into(),
        dataset: None,
        received: (START - HOUR, START + 3 * HOUR),
        now: START,
        by: "auditor".into(),
        reason: "case 8".into(),
        cold: Some(cold),
    };
    let packet = super::export(wanted).await.unwrap();
    assert!(packet.is_intact() && packet.rows > 0, "{:#?}", packet.problems);

    let mut file = moved.clone();
    while file.is_dir() {
        file = fs::read_dir(&file).unwrap().next().unwrap().unwrap().path();
    }
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let report = check_with(with.clone()).await;
    assert_eq!(report.divergences[0].kind, DivergenceKind::File);
    assert!(report.divergences[0].files[0].starts_with("file://"), "the object is named: {report:#?}");
    fs::remove_file(&file).unwrap();
    let report = check_with(with).await;
    assert!(report.divergences[0].what.contains("No such file"), "{report:#?}");
}
