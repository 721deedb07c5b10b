//! The store's chain of proof for the pages: what its journals say, checks and packets with the store's own functions, and the
//! path from one event to a signed root.
//!
//! Reads journals as files, like `chieng store verify`; changes nothing.

use std::{
    collections::HashMap,
    fs,
    panic::resume_unwind,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use dashboards::{
    keeping::Refusal,
    proof::{Check, EventPlace, PACKET_ROWS_MAX, Packet, Proofs, Watch},
};
use event::{Micros, Scope, seam::BoxFuture, seam::Clock};
use proof::{
    block::Block,
    codec::to_hex,
    journal::{Journal, JournalName, Record, chained},
    leaf::{COLUMNS, Leaf, LeafHasher, Place, Rows},
    root::{Anchor, SignedRoot},
};
use query::Engine;
use serde_json::{Value, json};
use store::{
    ColdOptions, Snapshot, Store,
    proof::{Attempt, ExportOptions, VerifyOptions},
};

/// Journals (days) and roots (hours) that the page lists, newest first.
const JOURNALS_SHOWN: usize = 30;
const ROOTS_SHOWN: usize = 72;
const ATTEMPTS_READ: u32 = 1_000;
const ATTEMPTS_SHOWN: usize = 50;
/// Journals behind the one of an event in which its root and the anchors are looked for.
const JOURNALS_BEHIND: usize = 4;
const DAY: Micros = 86_400_000_000;

/// The store as [`Proofs`].
pub struct StoreProofs {
    pub store: Arc<Store>,
    pub engine: Arc<Engine>,
    pub clock: Arc<dyn Clock>,
    /// The data directory.
    pub dir: PathBuf,
    pub cold: Option<ColdOptions>,
    /// Names of the places that roots are to be sent to.
    pub targets: Vec<String>,
    /// What journals held when they were so long: days that are over are read once.
    pub read: Arc<Mutex<HashMap<String, Summary>>>,
}

/// What a journal holds.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    bytes: u64,
    blocks: u64,
    rows: u64,
    anchors: u64,
    deletions: u64,
    roots: Vec<SignedRoot>,
    /// Roots that receipts in this journal name.
    receipts: Vec<u64>,
    damage: Option<String>,
}

impl StoreProofs {
    fn folder(&self) -> PathBuf {
        self.dir.join(store::proof::FOLDER)
    }

    /// Something that reads files, off the asynchronous threads.
    async fn apart<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
        tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Failed("reading the journals was broken off".into()))?
    }

    async fn read_chain(&self) -> Result<Value, Refusal> {
        let status = self.store.proof_status();
        let attempts = self.store.anchor_attempts(ATTEMPTS_READ).await.map_err(failed)?;
        let (folder, known) = (self.folder(), self.read.clone());
        let (journals, total) = self.apart(move || summaries(&folder, &known)).await?;
        let receipts: Vec<u64> = journals.iter().flat_map(|(_, one)| one.receipts.iter().copied()).collect();
        let roots = journals.iter().flat_map(|(_, one)| one.roots.iter().rev()).take(ROOTS_SHOWN);
        let roots: Vec<Value> = roots.filter_map(|root| root_json(root, &receipts)).collect();
        let node = status.line.as_deref().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
        let at = |time: Option<Micros>| time.map(time_text);
        let journals: Vec<Value> = journals
            .iter()
            .map(|(name, one)| {
                json!({
                    "file": name.file(), "day": name.day, "bytes": one.bytes, "blocks": one.blocks, "rows": one.rows,
                    "roots": one.roots.len(), "anchors": one.anchors, "deletions": one.deletions, "damage": one.damage,
                })
            })
            .collect();
        Ok(json!({
            "node": node, "key": status.key, "root": status.root, "line": status.line, "signed_at": at(status.signed_at),
            "signed_through": status.signed_through, "through": status.through, "anchored": status.anchored,
            "anchored_at": at(status.anchored_at), "unanchored_since": at(status.unanchored_since), "broken": status.broken,
            "journals": journals, "journals_total": total, "roots": roots,
            "targets": targets(&self.targets, &attempts),
            "attempts": attempts.iter().take(ATTEMPTS_SHOWN).map(attempt_json).collect::<Vec<_>>(),
        }))
    }

    async fn prove(&self, place: EventPlace) -> Result<Value, Refusal> {
        let mut answer = json!({
            "event": place.id, "ingested": time_text(place.ingested), "system": place.system, "dataset": place.dataset,
            "state": "unproven", "reason": null, "journal": null, "leaf": null, "rows": "not_checked", "block": null,
            "chain": null, "root": null, "anchors": [],
        });
        let Some(row) = Place::parse(&place.id) else {
            answer["reason"] = "the id does not say where the event stands in the log".into();
            return Ok(answer);
        };
        let (folder, wanted) = (self.folder(), place.clone());
        let path = self.apart(move || find(&folder, row.sequence, wanted.ingested)).await?;
        let Some(block) = path.block else {
            answer["state"] = if path.damage.is_some() { "damaged" } else { "waiting" }.into();
            answer["reason"] = path.damage.into();
            if row.sequence <= self.store.proof_status().through && answer["state"] == "waiting" {
                answer["state"] = "unproven".into();
                answer["reason"] = "no block of the journals holds it: it is older than the proof".into();
            }
            return Ok(answer);
        };
        answer["journal"] = path.journal.into();
        let rows = self.rows_of(&block).await?;
        // The leaf is of the system that the event had when it was flushed; adopting a sender gives it another since.
        let of_event = rows.iter().find(|one| one.places.binary_search(&row).is_ok()).map(|one| &one.leaf);
        let by_class = |leaf: &&Leaf| leaf.class.dataset == place.dataset && leaf.class.system == place.system;
        let by_set = |leaf: &&Leaf| leaf.class.dataset == place.dataset && leaf.class.system == event::UNASSIGNED;
        let chosen = match of_event {
            Some(made) => block.leaves.iter().find(|leaf| leaf.class == made.class),
            None => None,
        };
        let leaf = chosen.or_else(|| block.leaves.iter().find(by_class)).or_else(|| block.leaves.iter().find(by_set));
        let Some(leaf) = leaf else {
            answer["state"] = "damaged".into();
            answer["reason"] = "its block has no leaf of its system and log class".into();
            return Ok(answer);
        };
        let made = of_event.filter(|made| made.class == leaf.class && made.rows == leaf.rows);
        let fits = made.map(|made| made.content == leaf.content);
        answer["rows"] = fits.map_or("not_checked", |fits| if fits { "fits" } else { "differs" }).into();
        answer["leaf"] = json!({
            "system": leaf.class.system, "dataset": leaf.class.dataset, "skewed": leaf.class.skewed, "rows": leaf.rows,
            "content": to_hex(&leaf.content), "hash": to_hex(&leaf.hash()),
        });
        answer["block"] = json!({
            "after": block.after, "through": block.through, "from": time_text(block.ingested.0), "to": time_text(block.ingested.1),
            "unplaced": block.unplaced, "leaves": block.leaves.iter().map(|leaf| to_hex(&leaf.hash())).collect::<Vec<_>>(),
            "place": block.leaves.iter().position(|one| one.class == leaf.class), "hash": to_hex(&block.hash()),
        });
        let Some(root) = path.root else {
            answer["state"] = if path.damage.is_some() { "damaged" } else { "waiting" }.into();
            answer["reason"] = path.damage.into();
            return Ok(answer);
        };
        let Ok(statement) = root.read() else {
            answer["state"] = "damaged".into();
            answer["reason"] = "the root cannot be read".into();
            return Ok(answer);
        };
        let end = path.steps.iter().fold(chained(&path.before, &block.hash()), |chain, node| chained(&chain, node));
        let chain_fits = end == statement.chain;
        let signed = root.is_signed_by(&statement.key);
        answer["chain"] = json!({
            "before": to_hex(&path.before), "steps": path.steps.iter().map(|node| to_hex(node)).collect::<Vec<_>>(),
            "end": to_hex(&statement.chain), "fits": chain_fits,
        });
        answer["root"] = json!({
            "number": statement.number, "hash": to_hex(&root.hash()), "statement": root.statement,
            "signature": to_hex(&root.signature), "key": to_hex(&statement.key), "signed": signed,
            "line": Anchor::of(&statement.node, statement.number, &root.hash()).line(),
        });
        answer["anchors"] = path.anchors.into();
        answer["state"] = if chain_fits && signed && fits != Some(false) { "signed" } else { "damaged" }.into();
        Ok(answer)
    }

    /// The leaves that the rows of a block make today, of classes whose rows have their record.
    async fn rows_of(&self, block: &Block) -> Result<Vec<Made>, Refusal> {
        let scope = Scope::internal("proof");
        let sql = format!(
            "SELECT {} FROM events WHERE event.ingested >= to_timestamp_micros({}) AND event.ingested <= to_timestamp_micros({})",
            COLUMNS.join(", "),
            block.ingested.0,
            block.ingested.1
        );
        let limits = dashboards::ask::generous(self.engine.limits());
        let told = |error: query::Error| Refusal::Failed(error.to_string());
        let found = self.engine.sql(&scope, &sql, Some(limits)).await.map_err(told)?.collect().await.map_err(told)?;
        let (after, through) = (block.after, block.through);
        self.apart(move || {
            let batches: Vec<Rows<'_>> = found.batches.iter().map(Rows::new).collect();
            let mut classes: HashMap<proof::leaf::Class, Vec<(Place, usize, usize)>> = HashMap::new();
            for (at, rows) in batches.iter().enumerate() {
                for row in 0..rows.len() {
                    let Some(place) = rows.place(row) else { continue };
                    if place.sequence <= after || place.sequence > through {
                        continue;
                    }
                    let (system, dataset) = (rows.system(row).to_owned(), rows.dataset(row).to_owned());
                    let class = proof::leaf::Class { system, dataset, skewed: rows.is_skewed(row) };
                    classes.entry(class).or_default().push((place, at, row));
                }
            }
            let has_record = |rows: &[(Place, usize, usize)]| !rows.iter().any(|(_, at, row)| batches[*at].needs_fields(*row));
            let made = classes.into_iter().filter(|(_, rows)| has_record(rows)).map(|(class, mut rows)| {
                rows.sort_unstable();
                let mut hasher = LeafHasher::default();
                rows.iter().for_each(|(_, at, row)| hasher.row(|out| batches[*at].encode(*row, out)));
                Made { leaf: hasher.finish(class), places: rows.into_iter().map(|(place, ..)| place).collect() }
            });
            Ok(made.collect())
        })
        .await
    }
}

/// Snapshots that a check holds: compaction replaces files meanwhile, and what is not there any more would look like damage.
/// A replaced file stays on the disk until the check has ended.
struct Pins {
    held: Vec<Arc<Snapshot>>,
    /// Bytes of files that the last call told.
    done: u64,
}

impl Pins {
    /// The list of files that is checked was read shortly before its first file was: that is when it is held.
    fn hold(&mut self, store: &Store, progress: &store::proof::Progress) {
        if progress.step == "files" {
            if progress.done < self.done {
                self.held.push(store.snapshot());
            }
            self.done = progress.done;
        }
    }
}

/// A leaf made anew, and the places of its rows in order.
struct Made {
    leaf: Leaf,
    places: Vec<Place>,
}

impl Proofs for StoreProofs {
    fn chain(&self) -> BoxFuture<'_, Result<Value, Refusal>> {
        Box::pin(self.read_chain())
    }

    fn of_event(&self, place: EventPlace) -> BoxFuture<'_, Result<Value, Refusal>> {
        Box::pin(self.prove(place))
    }

    fn accepts(&self, wanted: &Check) -> Result<(), Refusal> {
        key(wanted)?;
        anchors(wanted).map(drop)
    }

    fn check(&self, wanted: Check, watch: Watch) -> BoxFuture<'_, Result<Option<Value>, Refusal>> {
        Box::pin(async move {
            let options = VerifyOptions {
                dir: self.dir.clone(),
                anchors: anchors(&wanted)?,
                key: key(&wanted)?,
                received: wanted.received,
                files_only: wanted.files_only,
                cold: self.cold.clone(),
            };
            let is_ended = Arc::new(AtomicBool::new(false));
            let ended = is_ended.clone();
            let pins = Mutex::new(Pins { held: vec![self.store.snapshot()], done: u64::MAX });
            let store = self.store.clone();
            let report = store::proof::verify(
                options,
                Arc::new(move |progress| {
                    pins.lock().unwrap_or_else(PoisonError::into_inner).hold(&store, &progress);
                    if !watch(progress.step, progress.done, progress.total) {
                        ended.store(true, Ordering::Relaxed);
                        // The check has no other way out: it ends its own thread, and says nothing on the way.
                        resume_unwind(Box::new("the check was broken off"));
                    }
                }),
            );
            match report.await {
                _ if is_ended.load(Ordering::Relaxed) => Ok(None),
                Ok(report) => Ok(Some(report_json(&report))),
                Err(error) => Err(failed(error)),
            }
        })
    }

    fn rows(&self, wanted: &Packet) -> BoxFuture<'_, Result<u64, Refusal>> {
        let (folder, wanted) = (self.folder(), wanted.clone());
        Box::pin(self.apart(move || {
            let (from, to) = wanted.received;
            let mut rows = 0_u64;
            for name in near(&folder, from, to)? {
                let bytes = bytes_of(&folder, &name)?;
                for entry in Journal::new(name.file(), &bytes).map_while(Result::ok) {
                    let Record::Block(block) = &entry.record else { continue };
                    if block.ingested.1 < from || block.ingested.0 >= to {
                        continue;
                    }
                    let is_own = |leaf: &&Leaf| {
                        leaf.class.system == wanted.system && wanted.dataset.as_ref().is_none_or(|set| *set == leaf.class.dataset)
                    };
                    rows += block.leaves.iter().filter(is_own).map(|leaf| leaf.rows).sum::<u64>();
                }
                if rows > PACKET_ROWS_MAX {
                    break;
                }
            }
            Ok(rows)
        }))
    }

    fn pack(&self, wanted: Packet, out: PathBuf) -> BoxFuture<'_, Result<Value, Refusal>> {
        Box::pin(async move {
            let _pin = self.store.snapshot();
            let options = ExportOptions {
                dir: self.dir.clone(),
                out,
                system: wanted.system,
                dataset: wanted.dataset,
                received: wanted.received,
                now: self.clock.now(),
                by: wanted.by,
                reason: wanted.reason,
                cold: self.cold.clone(),
            };
            let report = store::proof::export(options).await.map_err(failed)?;
            match (report.problems.first(), report.manifest) {
                (None, Some(made)) => Ok(json!({
                    "rows": made.rows, "leaves": made.leaves, "unsigned": made.leaves_unsigned, "incomplete": made.leaves_incomplete,
                })),
                (problem, _) => {
                    let problem = problem.map_or("it has no manifest", String::as_str);
                    Err(Refusal::Failed(format!("the packet does not prove its rows: {problem}; check the store")))
                }
            }
        })
    }
}

fn failed(error: store::Error) -> Refusal {
    Refusal::Failed(error.chain())
}

fn time_text(at: Micros) -> String {
    chrono::DateTime::from_timestamp_micros(at).unwrap_or_default().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

fn key(wanted: &Check) -> Result<Option<[u8; 32]>, Refusal> {
    let read = |text: &String| proof::key::parse_public("key", text).map_err(|error| Refusal::Invalid(error.to_string()));
    wanted.key.as_ref().map(read).transpose()
}

fn anchors(wanted: &Check) -> Result<Vec<Anchor>, Refusal> {
    if wanted.anchors.trim().is_empty() {
        return Ok(Vec::new());
    }
    let (anchors, bad) = proof::chain::read_anchors(&wanted.anchors);
    match bad.first() {
        Some(reason) => Err(Refusal::Invalid(format!("anchors: {reason}"))),
        None if anchors.is_empty() => Err(Refusal::Invalid("anchors: there is no line CHIENG-ROOT".into())),
        None => Ok(anchors),
    }
}

fn bytes_of(folder: &std::path::Path, name: &JournalName) -> Result<Vec<u8>, Refusal> {
    fs::read(folder.join(name.file())).map_err(|error| Refusal::Failed(format!("{}: {error}", name.file())))
}

fn list(folder: &std::path::Path) -> Result<Vec<JournalName>, Refusal> {
    proof::journal::list(folder).map_err(|error| Refusal::Failed(error.to_string()))
}

/// Journals of the days of a span, and of the days before and behind it: a block is written when it is flushed.
fn near(folder: &std::path::Path, from: Micros, to: Micros) -> Result<Vec<JournalName>, Refusal> {
    let day = |at: Micros| chrono::DateTime::from_timestamp_micros(at).map(|time| time.format("%Y-%m-%d").to_string());
    let (first, last) = (day(from.saturating_sub(DAY)), day(to.saturating_add(2 * DAY)));
    let is_near = |name: &JournalName| {
        first.as_ref().is_none_or(|first| name.day >= *first) && last.as_ref().is_none_or(|last| name.day <= *last)
    };
    Ok(list(folder)?.into_iter().filter(is_near).collect())
}

type Known = Mutex<HashMap<String, Summary>>;

/// The newest journals, newest first, and how many there are in all.
fn summaries(folder: &std::path::Path, known: &Known) -> Result<(Vec<(JournalName, Summary)>, usize), Refusal> {
    let names = list(folder)?;
    let total = names.len();
    let newest = names.last().cloned();
    let mut found = Vec::new();
    for name in names.into_iter().rev().take(JOURNALS_SHOWN) {
        let length = fs::metadata(folder.join(name.file())).map_or(0, |about| about.len());
        let held = known.lock().unwrap_or_else(PoisonError::into_inner).get(&name.file()).cloned();
        let summary = match held.filter(|held| held.bytes == length) {
            Some(held) => held,
            None => {
                let mut made = summary(&name, &bytes_of(folder, &name)?);
                // The end of the newest may be in writing; the check knows how far it is committed, this page does not.
                if newest.as_ref() == Some(&name) {
                    made.damage = None;
                }
                known.lock().unwrap_or_else(PoisonError::into_inner).insert(name.file(), made.clone());
                made
            }
        };
        found.push((name, summary));
    }
    Ok((found, total))
}

fn summary(name: &JournalName, bytes: &[u8]) -> Summary {
    let mut summary = Summary { bytes: bytes.len() as u64, ..Summary::default() };
    for entry in Journal::new(name.file(), bytes) {
        match entry.map(|entry| entry.record) {
            Ok(Record::Block(block)) => {
                summary.blocks += 1;
                summary.rows += block.rows();
            }
            Ok(Record::Root(root)) => summary.roots.push(root),
            Ok(Record::Receipt(receipt)) => {
                summary.anchors += 1;
                summary.receipts.push(receipt.root);
            }
            Ok(Record::Dropped(_)) => summary.deletions += 1,
            Ok(Record::Start(_) | Record::Key(_)) => {}
            Err(error) => summary.damage = Some(error.to_string()),
        }
    }
    summary
}

fn root_json(root: &SignedRoot, receipts: &[u64]) -> Option<Value> {
    let statement = root.read().ok()?;
    Some(json!({
        "number": statement.number, "hash": to_hex(&root.hash()), "hour": time_text(statement.hour),
        "signed_at": time_text(statement.signed_at), "blocks": statement.blocks, "rows": statement.rows,
        "signed": root.is_signed_by(&statement.key),
        "anchors": receipts.iter().filter(|number| **number >= statement.number).count(),
    }))
}

/// How each place fares: the configured ones, and others that something was sent to.
fn targets(configured: &[String], attempts: &[Attempt]) -> Vec<Value> {
    let mut names: Vec<&str> = configured.iter().map(String::as_str).collect();
    for attempt in attempts {
        if !names.contains(&attempt.target.as_str()) {
            names.push(&attempt.target);
        }
    }
    let one = |name: &&str| {
        let mine: Vec<&Attempt> = attempts.iter().filter(|attempt| attempt.target == **name).collect();
        let taken = mine.iter().find(|attempt| attempt.is_taken);
        json!({
            "target": name, "root": taken.map_or(0, |attempt| attempt.root), "taken_at": taken.map(|attempt| time_text(attempt.at)),
            "tried_at": mine.first().map(|attempt| time_text(attempt.at)),
            "failures": mine.iter().take_while(|attempt| !attempt.is_taken).count(),
            "detail": mine.first().map_or("", |attempt| attempt.detail.as_str()),
        })
    };
    names.iter().map(one).collect()
}

fn attempt_json(attempt: &Attempt) -> Value {
    json!({
        "root": attempt.root, "target": attempt.target, "at": time_text(attempt.at), "taken": attempt.is_taken,
        "detail": attempt.detail,
    })
}

fn report_json(report: &store::proof::Report) -> Value {
    let chain = &report.chain;
    let divergences: Vec<Value> = report
        .divergences
        .iter()
        .map(|one| {
            json!({
                "kind": one.kind, "what": one.what, "hour": one.hour, "from": one.block.map(|block| block.0 + 1),
                "to": one.block.map(|block| block.1), "system": one.system, "dataset": one.dataset, "files": one.files,
                "events": one.events,
            })
        })
        .collect();
    let span = |span: &store::proof::Span| json!({ "from": span.sequences.0 + 1, "to": span.sequences.1, "what": span.what });
    json!({
        "journals": chain.journals, "blocks": chain.blocks, "roots": chain.roots.len(), "anchors": chain.anchors,
        "by_outside": chain.by_outside, "files": report.files, "files_bytes": report.files_bytes, "leaves": report.leaves,
        "rows": report.rows, "leaves_expired": report.leaves_expired, "leaves_partly_expired": report.leaves_partly_expired,
        "leaves_unreadable": report.leaves_unreadable, "rows_unproven": report.rows_unproven,
        "unanchored": chain.unanchored.as_ref().map(|open| {
            json!({ "from": open.roots.0, "to": open.roots.1, "since": time_text(open.since) })
        }),
        "unsigned": report.unsigned.iter().map(span).collect::<Vec<_>>(),
        "remarks": chain.remarks, "divergences": divergences, "divergences_total": report.divergences_total,
    })
}

/// From a block to the root that signs it, and who took that root or a later one.
#[derive(Default)]
struct Path {
    journal: Option<String>,
    block: Option<Block>,
    before: proof::Hash,
    steps: Vec<proof::Hash>,
    root: Option<SignedRoot>,
    anchors: Vec<Value>,
    damage: Option<String>,
}

fn find(folder: &std::path::Path, sequence: u64, ingested: Micros) -> Result<Path, Refusal> {
    let mut path = Path::default();
    let mut number = 0;
    let mut behind = 0;
    // An event is flushed within minutes, but a server may have been stopped in between: all that follows is read until found.
    for name in near(folder, ingested, Micros::MAX)? {
        let bytes = bytes_of(folder, &name)?;
        for entry in Journal::new(name.file(), &bytes) {
            let entry = match entry {
                Ok(entry) => entry,
                // The end of the newest may be in writing.
                Err(error) => {
                    path.damage = Some(error.to_string());
                    break;
                }
            };
            match (&path.block, &path.root, &entry.record) {
                (None, _, Record::Block(block)) if block.after < sequence && sequence <= block.through => {
                    (path.journal, path.before) = (Some(name.file()), entry.before);
                    path.block = Some(block.clone());
                }
                (Some(_), None, Record::Root(root)) => {
                    number = root.read().map_or(0, |statement| statement.number);
                    path.root = Some(root.clone());
                }
                (Some(_), None, record) => path.steps.push(record.node()),
                (Some(_), Some(_), Record::Receipt(receipt)) if receipt.root >= number => {
                    let is_new = !path.anchors.iter().any(|one| one["target"] == receipt.target.as_str());
                    if is_new {
                        path.anchors.push(json!({
                            "root": receipt.root, "target": receipt.target, "at": time_text(receipt.at), "answer": receipt.answer,
                        }));
                    }
                }
                _ => {}
            }
        }
        behind += usize::from(path.root.is_some());
        if behind >= JOURNALS_BEHIND {
            break;
        }
    }
    if path.root.is_some() {
        path.damage = None;
    }
    Ok(path)
}
