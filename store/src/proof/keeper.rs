//! Writes the journals: one step at a time, each synced before the catalogue hears of it.
//!
//! Invariants:
//! * The file of the committed cursor holds exactly what the cursor says, then at most one step that is not committed yet.
//! * A step that was not committed is cut off, before the next one and at the next start.
//! * A journal that cannot be continued (damage, a lost file) is left as it is; the next file says so in its first record, and
//!   starts from the chain that the catalogue remembers.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use arrow::record_batch::RecordBatch;
use ed25519_dalek::{Signer as _, SigningKey};
use event::{
    Micros,
    seam::{Storage, StorageFile},
};
use proof::{
    Hash,
    block::{Block, blocks_of},
    codec::to_hex,
    journal::{self, Dropped, DroppedClass, Journal, JournalName, KeyChange, Position, Receipt, Record, Start},
    key,
    root::{SignedRoot, Statement},
};
use serde::{Deserialize, Serialize};

use super::Attempt;
use crate::{Error, HotBatch, Result, Tombstone, locked};

/// How far the journal is committed; one row in the catalogue, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The file that is written, and how long it is.
    pub file: String,
    pub length: u64,
    #[serde(with = "proof::codec::hex")]
    pub chain: Hash,
    /// Log sequence of the last block.
    pub through: u64,
    #[serde(with = "proof::codec::hex")]
    pub key: [u8; 32],
    /// Number and hash of the last root, the sequence through which it reaches, and when it was signed.
    pub root: u64,
    #[serde(with = "proof::codec::hex")]
    pub root_hash: Hash,
    pub root_through: u64,
    pub signed_at: Option<Micros>,
    /// Since the last root: hour of the first block, blocks and rows.
    pub hour: Option<Micros>,
    pub blocks: u64,
    pub rows: u64,
    /// Tombstones that are in the chain.
    pub tombstones: u64,
    pub anchored: u64,
    pub anchored_at: Option<Micros>,
    pub unanchored_since: Option<Micros>,
}

impl Cursor {
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            Error::Proof(proof::Error::Damaged {
                file: "the catalogue".into(),
                offset: 0,
                expected: "the proof's cursor".into(),
                found: error.to_string(),
            })
        })
    }
}

/// Keeps the journals of one data directory.
pub(crate) struct Keeper {
    dir: PathBuf,
    node: String,
    storage: Arc<dyn Storage>,
    key: SigningKey,
    broken: Option<String>,
    inner: Mutex<Inner>,
}

struct Inner {
    committed: State,
    pending: Option<Pending>,
    /// Open at the end of the committed cursor's file, when nothing went wrong since.
    file: Option<Box<dyn StorageFile>>,
}

#[derive(Clone)]
struct State {
    cursor: Cursor,
    position: Position,
    /// What must be written before anything else: the first record of a new file.
    start: Option<Fresh>,
}

/// Why and where a new file starts.
#[derive(Clone)]
struct Fresh {
    number_min: u32,
    broken: Option<String>,
}

struct Pending {
    text: String,
    state: State,
    file: Box<dyn StorageFile>,
}

impl Keeper {
    /// Opens the folder and checks the file that is written against what the catalogue says. `through` is the store cursor.
    pub fn open(data: &Path, node: &str, storage: Arc<dyn Storage>, cursor: Option<&str>, through: u64) -> Result<Self> {
        let dir = data.join(super::FOLDER);
        fs::create_dir_all(&dir).map_err(Error::file("create the proof folder", &dir))?;
        let key = key::load_or_create(&dir)?;
        let public = key::public_line(&key.verifying_key().to_bytes());
        let path = dir.join(key::PUBLIC_KEY_FILE);
        if fs::read(&path).ok().as_deref() != Some(public.as_bytes()) {
            fs::write(&path, public).map_err(Error::file("write the public key", &path))?;
        }
        storage.sync_dir(&dir).map_err(Error::file("sync the proof folder", &dir))?;
        let mut broken = None;
        let committed = match cursor {
            None => {
                remove_uncommitted(&dir, &*storage, "")?;
                // What is left was committed to a catalogue that is not here any more.
                let last = list(&dir, &*storage)?.into_iter().max_by_key(|name| name.number);
                let number_min = last.as_ref().map_or(1, |name| name.number + 1);
                broken = last.map(|name| format!("the catalogue does not know of {}", name.file()));
                let key = key.verifying_key().to_bytes();
                let cursor = Cursor { through, root_through: through, key, ..Cursor::default() };
                State { cursor, position: Position::default(), start: Some(Fresh { number_min, broken: broken.clone() }) }
            }
            Some(text) => {
                let cursor = Cursor::parse(text)?;
                let current = JournalName::parse(&cursor.file);
                remove_uncommitted(&dir, &*storage, &cursor.file)?;
                match check(&dir, &*storage, &cursor) {
                    Ok(position) => State { cursor, position, start: None },
                    Err(error) => {
                        let reason = error.chain();
                        tracing::error!(error = reason, "a journal of the proof cannot be continued; a new one is begun");
                        broken = Some(reason.clone());
                        let number_min = current.map_or(1, |current| current.number) + 1;
                        let position = Position::new(cursor.chain);
                        State { cursor, position, start: Some(Fresh { number_min, broken: Some(reason) }) }
                    }
                }
            }
        };
        let inner = Mutex::new(Inner { committed, pending: None, file: None });
        Ok(Self { dir, node: node.to_owned(), storage, key, broken, inner })
    }

    pub fn cursor(&self) -> Cursor {
        locked(&self.inner).committed.cursor.clone()
    }

    pub fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    pub fn broken(&self) -> Option<String> {
        self.broken.clone()
    }

    pub fn is_pending(&self) -> bool {
        locked(&self.inner).pending.is_some()
    }

    /// Ends a step: it happened when the catalogue has its cursor. Returns whether it did.
    pub fn settle(&self, found: Option<&str>) -> bool {
        let mut inner = locked(&self.inner);
        let Some(pending) = inner.pending.take() else { return false };
        let happened = found == Some(pending.text.as_str());
        if happened {
            inner.committed = pending.state;
            inner.file = Some(pending.file);
        }
        happened
    }

    /// Begins the first journal, or the one after a broken one; does nothing where a journal goes on. Blocking.
    pub fn start(&self, now: Micros) -> Result<Option<String>> {
        if locked(&self.inner).committed.start.is_none() {
            return Ok(None);
        }
        self.step(now)?.finish()
    }

    /// Writes the blocks of a flush, the roots of hours that ended in it, and what retention removed since. Blocking.
    pub fn extend(
        &self,
        hot: &[Arc<HotBatch>],
        (after, through): (u64, u64),
        tombstones: &[Tombstone],
        now: Micros,
    ) -> Result<String> {
        let mut step = self.step(now)?;
        for tombstone in tombstones {
            let number = step.state.cursor.tombstones + 1;
            step.push(&Record::Dropped(dropped(number, tombstone)));
            step.state.cursor.tombstones = number;
        }
        let mut start = after;
        for group in groups(hot) {
            let last = group.last().map_or(start, |hot| hot.through);
            let batches: Vec<&RecordBatch> = group.iter().map(|hot| &hot.batch).collect();
            for block in blocks_of(&batches, start, last) {
                step.block(&block)?;
            }
            start = last;
        }
        if start < through {
            step.block(&Block { after: start, through, ..Block::default() })?;
        }
        step.finish().map(|text| text.unwrap_or_default())
    }

    /// Signs a root when `is_due` says so. Blocking.
    pub fn close(&self, now: Micros, is_due: impl Fn(&Cursor) -> bool) -> Result<Option<String>> {
        if !is_due(&self.cursor()) {
            return Ok(None);
        }
        let mut step = self.step(now)?;
        step.root();
        step.finish()
    }

    /// Writes down that a root was taken outside. Blocking.
    pub fn receive(&self, attempt: &Attempt) -> Result<Option<String>> {
        let mut step = self.step(attempt.at)?;
        step.push(&Record::Receipt(Receipt {
            root: attempt.root,
            hash: attempt.hash,
            target: attempt.target.clone(),
            at: attempt.at,
            answer: attempt.detail.clone(),
        }));
        let cursor = &mut step.state.cursor;
        if attempt.root >= cursor.anchored {
            cursor.anchored = attempt.root;
            cursor.anchored_at = Some(attempt.at);
            if attempt.root >= cursor.root {
                cursor.unanchored_since = None;
            }
        }
        step.finish()
    }

    /// Begins a step at the end of what is committed.
    fn step(&self, now: Micros) -> Result<Step<'_>> {
        let mut inner = locked(&self.inner);
        // A step that was never settled was never committed: its bytes are cut off below.
        let file = if inner.pending.take().is_some() { None } else { inner.file.take() };
        let state = inner.committed.clone();
        drop(inner);
        if file.is_none() {
            // The step before may have begun a file and failed.
            remove_uncommitted(&self.dir, &*self.storage, &state.cursor.file)?;
        }
        let mut step = Step { keeper: self, state, file, out: Vec::new(), now };
        if let Some(fresh) = step.state.start.take() {
            // A clock that jumped back must not put the file before the one it continues.
            let day = JournalName::parse(&step.state.cursor.file).map_or_else(String::new, |last| last.day).max(day_of(now));
            step.begin(JournalName { day, number: fresh.number_min }, fresh.broken)?;
        } else if step.file.is_none() {
            let (path, length) = (self.dir.join(&step.state.cursor.file), step.state.cursor.length);
            step.file = Some(self.storage.open_at(&path, length).map_err(Error::file("open the journal", &path))?);
        }
        let public = self.public_key();
        if step.state.cursor.key != public {
            let from = step.state.cursor.key;
            step.push(&Record::Key(self.key_change(from, now)?));
            step.state.cursor.key = public;
        }
        Ok(step)
    }

    fn key_change(&self, from: [u8; 32], at: Micros) -> Result<KeyChange> {
        let to = self.public_key();
        let old = key::load(&self.dir.join(key::KEY_FILE_PREVIOUS))?.filter(|old| old.verifying_key().to_bytes() == from);
        if old.is_none() {
            tracing::warn!("the signing key of the proof was changed, and the old one is not there to sign for the new one");
        }
        Ok(KeyChange { from, to, at, signature: old.map(|old| to_hex(&old.sign(&to).to_bytes())) })
    }
}

/// Journals, oldest first.
fn list(dir: &Path, storage: &dyn Storage) -> Result<Vec<JournalName>> {
    let listed = storage.list(dir).map_err(Error::file("list", dir))?;
    let mut names: Vec<JournalName> = listed.iter().filter_map(|name| JournalName::parse(name)).collect();
    names.sort();
    Ok(names)
}

/// Removes journals behind the committed one, for good: a step that was not committed began them. Before the first commit these
/// are the ones without a block or a root.
fn remove_uncommitted(dir: &Path, storage: &dyn Storage, committed: &str) -> Result<()> {
    let committed = JournalName::parse(committed);
    let mut orphans = Vec::new();
    for name in list(dir, storage)? {
        let path = dir.join(name.file());
        let is_orphan = match &committed {
            Some(committed) => name > *committed,
            None => proves_nothing(&storage.read(&path).map_err(Error::file("read the journal", &path))?),
        };
        if is_orphan {
            orphans.push(path);
        }
    }
    for path in &orphans {
        storage.remove(path).map_err(Error::file("remove an uncommitted journal", path))?;
    }
    if orphans.is_empty() {
        return Ok(());
    }
    // Else a power cut brings it back, between two that are committed.
    storage.sync_dir(dir).map_err(Error::file("sync the proof folder", dir))
}

/// True for a journal without a block or a root.
fn proves_nothing(bytes: &[u8]) -> bool {
    let entries = Journal::new("a journal", bytes).map_while(std::result::Result::ok);
    entries.into_iter().all(|entry| !matches!(entry.record, Record::Block(_) | Record::Root(_)))
}

/// Reads the file of a cursor and compares it.
fn check(dir: &Path, storage: &dyn Storage, cursor: &Cursor) -> Result<Position> {
    let path = dir.join(&cursor.file);
    let bytes = storage.read(&path).map_err(Error::file("read the journal", &path))?;
    let damaged = |expected: String, found: String| {
        Error::Proof(proof::Error::Damaged { file: cursor.file.clone(), offset: cursor.length, expected, found })
    };
    let length = usize::try_from(cursor.length).unwrap_or(usize::MAX);
    let Some(committed) = bytes.get(..length) else {
        return Err(damaged(format!("{length} bytes"), format!("{} bytes", bytes.len())));
    };
    let mut journal = Journal::new(&cursor.file, committed);
    for entry in journal.by_ref() {
        entry?;
    }
    match journal.into_position() {
        Some(position) if position.chain == cursor.chain => Ok(position),
        Some(position) => Err(damaged(format!("chain {}", to_hex(&cursor.chain)), to_hex(&position.chain))),
        None => Err(damaged("a journal".into(), "nothing".into())),
    }
}

/// Runs of processing blocks that make a proof block: whole ones, until there are enough rows.
fn groups(hot: &[Arc<HotBatch>]) -> Vec<&[Arc<HotBatch>]> {
    let mut groups = Vec::new();
    let (mut start, mut rows) = (0, 0);
    for (at, batch) in hot.iter().enumerate() {
        rows += batch.batch.num_rows();
        let ends = hot.get(at + 1).is_none_or(|next| next.through != batch.through);
        if ends && rows >= proof::BLOCK_ROWS {
            groups.push(&hot[start..=at]);
            (start, rows) = (at + 1, 0);
        }
    }
    if start < hot.len() {
        groups.push(&hot[start..]);
    }
    groups
}

pub(super) fn dropped(number: u64, tombstone: &Tombstone) -> Dropped {
    let class = |part: &crate::TombstoneSystem| DroppedClass {
        system: part.system.clone(),
        dataset: part.class.clone(),
        rows: part.rows,
    };
    Dropped {
        tombstone: number,
        segment: tombstone.segment.clone(),
        sequences: tombstone.sequences,
        ingested: tombstone.ingested,
        skewed: tombstone.segment.ends_with("-skewed"),
        classes: tombstone.systems.iter().map(class).collect(),
        at: tombstone.dropped_at,
        actor: tombstone.actor.clone(),
        reason: tombstone.reason.clone(),
    }
}

fn day_of(time: Micros) -> String {
    chrono::DateTime::from_timestamp_micros(time).unwrap_or_default().format("%Y-%m-%d").to_string()
}

/// One step in the making.
struct Step<'k> {
    keeper: &'k Keeper,
    state: State,
    file: Option<Box<dyn StorageFile>>,
    /// Records that are not in the file yet.
    out: Vec<u8>,
    now: Micros,
}

impl Step<'_> {
    fn push(&mut self, record: &Record) {
        self.state.position.push(record, &mut self.out);
    }

    /// Adds a block; closes the hour before it when it is of a later one, and begins a file when it is of a later day.
    fn block(&mut self, block: &Block) -> Result<()> {
        if !block.leaves.is_empty() {
            if self.state.cursor.hour.is_some_and(|hour| block.hour() > hour) {
                self.root();
            }
            let day = day_of(block.hour());
            let current = JournalName::parse(&self.state.cursor.file);
            if current.is_none_or(|current| current.day < day) {
                self.seal()?;
                self.begin(JournalName { day, number: 1 }, None)?;
            }
            self.state.cursor.hour.get_or_insert(block.hour());
        }
        self.push(&Record::Block(block.clone()));
        let cursor = &mut self.state.cursor;
        cursor.through = block.through;
        cursor.blocks += 1;
        cursor.rows += block.rows();
        Ok(())
    }

    fn root(&mut self) {
        let cursor = &mut self.state.cursor;
        let statement = Statement {
            version: 1,
            node: self.keeper.node.clone(),
            number: cursor.root + 1,
            hour: cursor.hour.unwrap_or(0),
            after: cursor.root_through,
            through: cursor.through,
            blocks: cursor.blocks,
            rows: cursor.rows,
            chain: self.state.position.chain,
            previous: cursor.root_hash,
            signed_at: self.now,
            key: self.keeper.public_key(),
        };
        let root = SignedRoot::sign(&statement, &self.keeper.key);
        cursor.root = statement.number;
        cursor.root_hash = root.hash();
        cursor.root_through = cursor.through;
        cursor.signed_at = Some(self.now);
        cursor.unanchored_since.get_or_insert(self.now);
        (cursor.hour, cursor.blocks, cursor.rows) = (None, 0, 0);
        self.push(&Record::Root(root));
    }

    /// Begins a file; a left-over of that name that was never committed is cut to nothing.
    fn begin(&mut self, name: JournalName, broken: Option<String>) -> Result<()> {
        let file = name.file();
        let path = self.keeper.dir.join(&file);
        let storage = &self.keeper.storage;
        let created = match storage.create(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => storage.open_at(&path, 0),
            other => other,
        };
        self.file = Some(created.map_err(Error::file("create the journal", &path))?);
        let dir = &self.keeper.dir;
        storage.sync_dir(dir).map_err(Error::file("sync the proof folder", dir))?;
        let cursor = &mut self.state.cursor;
        let start = Start {
            version: journal::VERSION,
            node: self.keeper.node.clone(),
            chain: self.state.position.chain,
            after: cursor.through,
            key: cursor.key,
            broken,
        };
        (cursor.file, cursor.length) = (file, 0);
        self.state.position = Position::new(start.chain);
        self.out.extend_from_slice(journal::MAGIC);
        self.push(&Record::Start(start));
        Ok(())
    }

    /// Ends a file: nothing will be cut off it again, so what was cut off before must not come back after a crash either.
    fn seal(&mut self) -> Result<()> {
        self.write()?;
        let path = self.keeper.dir.join(&self.state.cursor.file);
        self.file.as_mut().map_or(Ok(()), |file| file.sync()).map_err(Error::file("sync the journal", path))
    }

    /// Makes what was added durable.
    fn write(&mut self) -> Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let Some(file) = &mut self.file else { return Err(Error::Stopped("the journal")) };
        let path = self.keeper.dir.join(&self.state.cursor.file);
        file.append(&self.out).and_then(|()| file.sync()).map_err(Error::file("write the journal", path))?;
        self.state.cursor.length += self.out.len() as u64;
        self.out.clear();
        Ok(())
    }

    /// Writes the step and leaves it pending; gives its cursor for the catalogue, or `None` when nothing was added.
    fn finish(mut self) -> Result<Option<String>> {
        if self.out.is_empty() {
            let mut inner = locked(&self.keeper.inner);
            inner.file = self.file.take();
            return Ok(None);
        }
        self.write()?;
        self.state.cursor.chain = self.state.position.chain;
        let text = serde_json::to_string(&self.state.cursor).unwrap_or_default();
        let Some(file) = self.file.take() else { return Err(Error::Stopped("the journal")) };
        locked(&self.keeper.inner).pending = Some(Pending { text: text.clone(), state: self.state, file });
        Ok(Some(text))
    }
}
