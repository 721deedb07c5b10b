//! The proof for people: the seam to the store's chain, and the desk where checks are run and packets made.
//!
//! This crate knows no store; the program implements [`Proofs`]. The desk knows no hash: it takes orders, one at a time, tells
//! how far they are, and keeps what came of them.
//!
//! Invariants:
//! * One order runs at a time, for everybody: a check reads every file that there is.
//! * What the last check found, and the packets, outlive a restart; an order that a stop interrupted leaves nothing behind.
//! * A packet holds raw lines: it expires, and there are few of them.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use event::{Micros, Scope, seam::BoxFuture};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    App,
    audit::{self, Action, Line},
    error::{ApiError, Result},
    keeping::Refusal,
    time::rfc3339,
};

/// Rows of a packet at most: what a request makes the server write must have an end.
pub const PACKET_ROWS_MAX: u64 = 5_000_000;
/// Packets that are kept; the oldest goes when another is made.
const PACKETS_MAX: usize = 10;
/// How long a packet waits to be fetched.
const PACKET_KEEP: Micros = 3 * 86_400_000_000;
const LAST_CHECK: &str = "last-check.json";
const ABOUT: &str = "about.json";
/// The folder that is handed over, inside of a packet's own.
const PACKET: &str = "packet";

/// Where an event stands, as its row says.
#[derive(Clone, Debug)]
pub struct EventPlace {
    pub id: String,
    pub ingested: Micros,
    pub system: String,
    pub dataset: String,
}

/// What is to be checked.
#[derive(Clone, Debug, Default)]
pub struct Check {
    /// Only rows received in this span.
    pub received: Option<(Micros, Micros)>,
    /// Chain, signatures, anchors and checksums of files only.
    pub files_only: bool,
    /// The public key that the auditor noted, as typed.
    pub key: Option<String>,
    /// Text with lines that were received outside.
    pub anchors: String,
}

/// What is to be packed.
#[derive(Clone, Debug)]
pub struct Packet {
    pub system: String,
    pub dataset: Option<String>,
    pub received: (Micros, Micros),
    pub by: String,
    pub reason: String,
}

/// Told of progress: what is done (`files` or `rows`), how much of how much. False ends the work.
pub type Watch = Arc<dyn Fn(&'static str, u64, u64) -> bool + Send + Sync>;

/// The store's side. The values are of the shapes of the same names in `api/shapes.txt`.
pub trait Proofs: Send + Sync {
    /// `ProofChain`: how far the chain reaches, its journals, roots and anchors.
    fn chain(&self) -> BoxFuture<'_, Result<Value, Refusal>>;

    /// `EventProof`: leaf, block, chain and root of one event.
    fn of_event(&self, place: EventPlace) -> BoxFuture<'_, Result<Value, Refusal>>;

    /// Says why a check cannot be begun: a key or lines that cannot be read.
    fn accepts(&self, wanted: &Check) -> Result<(), Refusal>;

    /// `ProofReport`; `None` when the watch ended it.
    fn check(&self, wanted: Check, watch: Watch) -> BoxFuture<'_, Result<Option<Value>, Refusal>>;

    /// Rows that a packet would hold.
    fn rows(&self, wanted: &Packet) -> BoxFuture<'_, Result<u64, Refusal>>;

    /// Writes a packet into a folder that does not exist yet, and checks it; rows and leaves as `{ rows, leaves, unsigned, incomplete }`.
    fn pack(&self, wanted: Packet, out: PathBuf) -> BoxFuture<'_, Result<Value, Refusal>>;
}

/// What is known of a packet; kept beside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct About {
    pub id: u64,
    pub system: String,
    pub dataset: Option<String>,
    pub from: Micros,
    pub to: Micros,
    pub by: String,
    pub reason: String,
    pub made: Micros,
    pub rows: u64,
    pub leaves: u64,
    pub unsigned: u64,
    pub incomplete: u64,
}

/// The order that runs.
struct Running {
    kind: &'static str,
    system: Option<String>,
    by: String,
    since: Micros,
    done: AtomicU64,
    total: AtomicU64,
    step: Mutex<&'static str>,
    stop: AtomicBool,
}

/// The desk of this process.
pub struct Desk {
    dir: PathBuf,
    running: Mutex<Option<Arc<Running>>>,
    /// What the last check found, as it is kept.
    last: Mutex<Option<Value>>,
    /// Why the last packet could not be made.
    failed: Mutex<Option<Value>>,
}

impl Desk {
    /// `dir` is made when something is to be kept.
    pub fn new(dir: PathBuf) -> Self {
        let last = fs::read(dir.join(LAST_CHECK)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let desk = Self { dir, running: Mutex::default(), last: Mutex::new(last), failed: Mutex::default() };
        desk.sweep(Micros::MIN);
        desk
    }

    /// The order that runs, as far as the scope sees it.
    fn running(&self, scope: &Scope) -> Value {
        let Some(running) = held(&self.running).clone() else { return Value::Null };
        let is_seen = running.system.as_deref().is_none_or(|system| scope.sees(system));
        let (done, total) = (running.done.load(Ordering::Relaxed), running.total.load(Ordering::Relaxed));
        json!({
            "kind": running.kind, "system": running.system.as_ref().filter(|_| is_seen), "by": running.by,
            "since": rfc3339(running.since), "step": *held(&running.step),
            "permille": (done.saturating_mul(1_000)).checked_div(total).map(|part| part.min(1_000)),
            "stopping": running.stop.load(Ordering::Relaxed),
        })
    }

    /// What the last check found; divergences of systems outside the scope are left out of the list, not of the count.
    fn last(&self, scope: &Scope) -> Value {
        let mut last = held(&self.last).clone().unwrap_or(Value::Null);
        if let Some(found) = last.pointer_mut("/report/divergences").and_then(Value::as_array_mut)
            && !scope.sees_all()
        {
            found.retain(|one| one["system"].as_str().is_some_and(|system| scope.sees(system)));
        }
        last
    }

    fn folder(&self, id: u64) -> PathBuf {
        self.dir.join("packets").join(id.to_string())
    }

    /// Where a packet's files lie.
    pub fn files(&self, id: u64) -> PathBuf {
        self.folder(id).join(PACKET)
    }

    /// Packets, newest first.
    fn packets(&self) -> Vec<About> {
        let Ok(folders) = fs::read_dir(self.dir.join("packets")) else { return Vec::new() };
        let mut packets: Vec<About> = folders.flatten().filter_map(|folder| about(&folder.path())).collect();
        packets.sort_by_key(|packet| std::cmp::Reverse(packet.id));
        packets
    }

    /// A packet that this scope may take.
    pub fn packet(&self, scope: &Scope, id: u64) -> Option<About> {
        about(&self.folder(id)).filter(|packet| packet.id == id && scope.sees(&packet.system))
    }

    pub fn remove(&self, id: u64) {
        let _ = fs::remove_dir_all(self.folder(id));
    }

    /// Removes what is unfinished (nothing runs), too old, or too much.
    fn sweep(&self, now: Micros) {
        let Ok(folders) = fs::read_dir(self.dir.join("packets")) else { return };
        for folder in folders.flatten().map(|folder| folder.path()).filter(|folder| about(folder).is_none()) {
            let _ = fs::remove_dir_all(folder);
        }
        for (at, packet) in self.packets().into_iter().enumerate() {
            if at >= PACKETS_MAX || packet.made.saturating_add(PACKET_KEEP) < now {
                self.remove(packet.id);
            }
        }
    }

    /// Asks what runs to stop; false when nothing that may be stopped runs.
    pub fn stop(&self) -> bool {
        match &*held(&self.running) {
            Some(running) if running.kind == "check" => {
                running.stop.store(true, Ordering::Relaxed);
                true
            }
            _ => false,
        }
    }

    fn begin(&self, kind: &'static str, system: Option<String>, by: &str, now: Micros) -> Result<Arc<Running>> {
        let mut running = held(&self.running);
        if running.is_some() {
            return Err(ApiError::new(
                axum::http::StatusCode::CONFLICT,
                "busy",
                "a check or a packet is under way; one runs at a time",
            ));
        }
        let mine = Arc::new(Running {
            kind,
            system,
            by: by.to_owned(),
            since: now,
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            step: Mutex::new(kind),
            stop: AtomicBool::new(false),
        });
        *running = Some(mine.clone());
        Ok(mine)
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn about(folder: &Path) -> Option<About> {
    serde_json::from_slice(&fs::read(folder.join(ABOUT)).ok()?).ok()
}

/// Frees the place when the work ends, however it ends.
struct Place(App);

impl Drop for Place {
    fn drop(&mut self) {
        *held(&self.0.proof_desk.running) = None;
    }
}

/// The page: the chain, what runs, what was found, what can be fetched.
pub async fn page(app: &App, scope: &Scope) -> Result<Value> {
    let desk = &app.proof_desk;
    let mut chain = app.proofs.chain().await?;
    if !scope.sees_all() {
        // Addresses of the auditors' mail are nobody else's business; what kind of place it is stays.
        for list in ["targets", "attempts"] {
            for one in chain[list].as_array_mut().into_iter().flatten() {
                let kind = one["target"].as_str().and_then(|target| target.split(' ').next()).unwrap_or_default().to_owned();
                one["target"] = kind.into();
                one["detail"] = "".into();
            }
        }
    }
    let packets: Vec<Value> = match may_pack(scope) {
        true => desk.packets().iter().filter(|packet| scope.sees(&packet.system)).map(packet_json).collect(),
        false => Vec::new(),
    };
    let failed = held(&desk.failed).clone().filter(|_| may_pack(scope));
    Ok(json!({
        "chain": chain, "running": desk.running(scope), "checked": desk.last(scope), "packets": packets,
        "packet_failed": failed, "may": { "check": may_check(scope), "pack": may_pack(scope) },
    }))
}

/// A check reads everything there is: for those whose office it is.
pub fn may_check(scope: &Scope) -> bool {
    matches!(scope.role, event::Role::Admin | event::Role::Auditor)
}

/// A packet holds lines unmasked.
pub fn may_pack(scope: &Scope) -> bool {
    matches!(scope.role, event::Role::Admin | event::Role::Auditor)
}

fn packet_json(packet: &About) -> Value {
    json!({
        "id": packet.id, "system": packet.system, "dataset": packet.dataset, "from": rfc3339(packet.from), "to": rfc3339(packet.to),
        "by": packet.by, "reason": packet.reason, "made": rfc3339(packet.made), "expires": rfc3339(packet.made.saturating_add(PACKET_KEEP)),
        "rows": packet.rows, "leaves": packet.leaves, "unsigned": packet.unsigned, "incomplete": packet.incomplete,
    })
}

/// Begins a check in the background.
pub fn check(app: &App, by: &str, wanted: Check) -> Result<()> {
    app.proofs.accepts(&wanted)?;
    let began = app.clock.now();
    let running = app.proof_desk.begin("check", None, by, began)?;
    let (app, by) = (app.clone(), by.to_owned());
    tokio::spawn(async move {
        let place = Place(app.clone());
        let watched = running.clone();
        let watch: Watch = Arc::new(move |step, done, total| {
            *held(&watched.step) = step;
            watched.done.store(done, Ordering::Relaxed);
            watched.total.store(total, Ordering::Relaxed);
            !watched.stop.load(Ordering::Relaxed)
        });
        let found = app.proofs.check(wanted.clone(), watch).await;
        let (outcome, reason, report) = match found {
            Ok(Some(report)) if report["divergences_total"] == 0 => ("intact", None, report),
            Ok(Some(report)) => ("not_intact", None, report),
            Ok(None) => ("cancelled", None, Value::Null),
            Err(refusal) => ("failed", Some(refusal.to_string()), Value::Null),
        };
        let last = json!({
            "at": rfc3339(began), "ended": rfc3339(app.clock.now()), "by": by, "outcome": outcome, "reason": reason,
            "files_only": wanted.files_only, "from": wanted.received.map(|span| rfc3339(span.0)),
            "to": wanted.received.map(|span| rfc3339(span.1)), "with_key": wanted.key.is_some(),
            "with_anchors": !wanted.anchors.trim().is_empty(), "report": report,
        });
        app.proof_desk.keep(last);
        let line = Line::new(Action::ProofCheck, &by, format!("the proof was checked: {outcome}"));
        audit::record(&app, if outcome == "intact" { line } else { line.failed() }).await;
        drop(place);
    });
    Ok(())
}

impl Desk {
    /// Keeps what a check found; one that was broken off does not take the place of one that was not.
    fn keep(&self, last: Value) {
        let mut kept = held(&self.last);
        if last["outcome"] == "cancelled" && kept.is_some() {
            return;
        }
        let written = fs::create_dir_all(&self.dir).and_then(|()| fs::write(self.dir.join(LAST_CHECK), last.to_string()));
        if let Err(error) = written {
            tracing::warn!(%error, "what a check of the proof found could not be kept");
        }
        *kept = Some(last);
    }
}

/// Begins a packet in the background; returns its number. The audit event is durable before the first line is copied.
pub async fn pack(app: &App, line: Line, wanted: Packet) -> Result<u64> {
    let rows = app.proofs.rows(&wanted).await?;
    if rows > PACKET_ROWS_MAX {
        let message = format!("{rows} rows are more than the {PACKET_ROWS_MAX} of one packet; take a shorter span");
        return Err(ApiError::bad("too_large", message));
    }
    let desk = &app.proof_desk;
    let now = app.clock.now();
    desk.begin("packet", Some(wanted.system.clone()), &wanted.by, now)?;
    let place = Place(app.clone());
    *held(&desk.failed) = None;
    desk.sweep(now);
    let id = desk.packets().first().map_or(1, |newest| newest.id + 1);
    audit::record(app, line).await;
    let app = app.clone();
    tokio::spawn(async move {
        let (desk, folder) = (&app.proof_desk, app.proof_desk.folder(id));
        let outcome = match fs::create_dir_all(&folder) {
            Ok(()) => app.proofs.pack(wanted.clone(), desk.files(id)).await,
            Err(error) => Err(Refusal::Failed(error.to_string())),
        };
        let number = |made: &Value, key: &str| made[key].as_u64().unwrap_or_default();
        let kept = outcome.and_then(|made| {
            let about = About {
                id,
                system: wanted.system.clone(),
                dataset: wanted.dataset.clone(),
                from: wanted.received.0,
                to: wanted.received.1,
                by: wanted.by.clone(),
                reason: wanted.reason.clone(),
                made: app.clock.now(),
                rows: number(&made, "rows"),
                leaves: number(&made, "leaves"),
                unsigned: number(&made, "unsigned"),
                incomplete: number(&made, "incomplete"),
            };
            let text = serde_json::to_vec(&about).unwrap_or_default();
            fs::write(folder.join(ABOUT), text).map_err(|error| Refusal::Failed(error.to_string()))
        });
        if let Err(refusal) = kept {
            desk.remove(id);
            *held(&desk.failed) = Some(json!({ "at": rfc3339(app.clock.now()), "reason": refusal.to_string() }));
        }
        drop(place);
    });
    Ok(id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use event::{Role, Systems};

    use super::*;

    fn desk(name: &str) -> Desk {
        let dir = std::env::temp_dir().join(format!("chieng-desk-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        Desk::new(dir)
    }

    fn about_of(id: u64, system: &str, made: Micros) -> About {
        About {
            id,
            system: system.into(),
            dataset: None,
            from: 0,
            to: 1,
            by: "a".into(),
            reason: "r".into(),
            made,
            rows: 1,
            leaves: 1,
            unsigned: 0,
            incomplete: 0,
        }
    }

    fn put(desk: &Desk, about: &About) {
        fs::create_dir_all(desk.files(about.id)).unwrap();
        fs::write(desk.folder(about.id).join(ABOUT), serde_json::to_vec(about).unwrap()).unwrap();
    }

    fn owner(system: &str) -> Scope {
        Scope { actor: "a".into(), role: Role::Owner, systems: Systems::Only(BTreeSet::from([system.to_owned()])) }
    }

    #[test]
    fn one_order_runs_at_a_time_and_only_a_check_can_be_stopped() {
        let desk = desk("one");
        assert!(!desk.stop());
        desk.begin("packet", Some("dvc".into()), "lan", 5).unwrap();
        assert_eq!(desk.begin("check", None, "minh", 6).err().map(|error| error.status), Some(axum::http::StatusCode::CONFLICT));
        assert!(!desk.stop());
        assert_eq!(desk.running(&owner("mail"))["system"], Value::Null, "whose packet it is stays unsaid");
        assert_eq!(desk.running(&owner("dvc"))["system"], "dvc");
        *held(&desk.running) = None;
        let running = desk.begin("check", None, "minh", 6).unwrap();
        assert!(desk.stop() && running.stop.load(Ordering::Relaxed));
    }

    #[test]
    fn an_owner_reads_of_the_own_system_only_and_a_broken_off_check_replaces_none() {
        let desk = desk("keep");
        let found = json!({ "outcome": "not_intact", "report": { "divergences_total": 2, "divergences": [{ "system": "dvc" }, { "system": null }] } });
        desk.keep(found.clone());
        desk.keep(json!({ "outcome": "cancelled", "report": null }));
        assert_eq!(desk.last(&Scope::internal("test")), found);
        assert_eq!(desk.last(&owner("dvc"))["report"]["divergences"].as_array().map(Vec::len), Some(1));
        assert_eq!(desk.last(&owner("mail"))["report"]["divergences_total"], 2, "the number is not hidden");
        assert_eq!(Desk::new(desk.dir.clone()).last(&Scope::internal("test")), found, "it outlives a restart");
        fs::remove_dir_all(&desk.dir).unwrap();
    }

    #[test]
    fn packets_expire_are_few_and_unfinished_ones_go() {
        let desk = desk("packets");
        (1..=12).for_each(|id| put(&desk, &about_of(id, "dvc", 1_000)));
        fs::create_dir_all(desk.files(13)).unwrap();
        desk.sweep(2_000);
        let ids: Vec<u64> = desk.packets().iter().map(|packet| packet.id).collect();
        assert_eq!(ids, (3..=12).rev().collect::<Vec<_>>());
        assert!(!desk.files(13).exists(), "nothing says what it is");
        assert!(desk.packet(&owner("dvc"), 12).is_some() && desk.packet(&owner("mail"), 12).is_none());
        desk.sweep(2_000 + PACKET_KEEP);
        assert!(desk.packets().is_empty());
        fs::remove_dir_all(&desk.dir).unwrap();
    }
}
