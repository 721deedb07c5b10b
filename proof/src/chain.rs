//! Walks over the journals of a folder: checksums, chain, signatures, the numbering of roots, and anchors from outside.
//!
//! What is walked over is handed to the caller record by record, one file in memory at a time. Rows are not looked at here.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Serialize;

use crate::{
    Error, Hash, Result,
    codec::to_hex,
    journal::{self, Entry, Journal, JournalName, Record},
    root::{Anchor, Statement},
};

/// A place where the journals are not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub file: String,
    pub offset: u64,
    pub what: String,
}

/// A root, as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RootSeen {
    pub number: u64,
    #[serde(with = "crate::codec::hex")]
    pub hash: Hash,
    pub hour: i64,
    pub through: u64,
    pub signed_at: i64,
}

/// Roots that nobody outside is known to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unanchored {
    pub roots: (u64, u64),
    /// When the first of them was signed.
    pub since: i64,
    /// Log sequences that only they cover.
    pub sequences: (u64, u64),
}

/// What the walk found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Found {
    pub journals: u64,
    pub blocks: u64,
    pub leaves: u64,
    pub rows: u64,
    pub roots: Vec<RootSeen>,
    /// Log sequence before the first block, and of the last one.
    pub sequences: (u64, u64),
    /// What an auditor should ask about, though it need not be wrong: new keys, journals that had to be begun anew.
    pub remarks: Vec<String>,
    pub problems: Vec<Problem>,
    /// Anchors that fit.
    pub anchors: u64,
    pub unanchored: Option<Unanchored>,
    /// True when `unanchored` rests on anchors that the caller brought, false when on the server's own word.
    pub by_outside: bool,
}

/// What the caller knows from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The file that is written, and how much of it is committed.
    pub committed: Option<(String, u64)>,
    /// The public key that the first journal must name.
    pub key: Option<[u8; 32]>,
    pub anchors: Vec<Anchor>,
}

/// Walks over all journals of a folder, oldest first.
pub fn walk(dir: &Path, known: &Known, each: &mut dyn FnMut(&str, &Entry)) -> Result<Found> {
    let mut walk = Walk { known, found: Found::default(), chain: None, key: None, root: None, claimed: BTreeMap::new() };
    let names = journal::list(dir)?;
    let committed = known.committed.as_ref().map(|(file, _)| file.clone());
    if let Some(file) = committed.filter(|file| !names.iter().any(|name| name.file() == *file)) {
        walk.problem(&file, 0, "the journal that the catalogue names is not there".into());
    }
    for name in &names {
        walk.file(dir, name, each)?;
    }
    walk.anchors();
    Ok(walk.found)
}

struct Walk<'k> {
    known: &'k Known,
    found: Found,
    /// Where the chain must go on; `None` at the start and behind damage.
    chain: Option<Hash>,
    key: Option<[u8; 32]>,
    /// Number and hash of the root before; `None` at the start and behind damage.
    root: Option<(u64, Hash)>,
    /// Receipts in the journals, by root.
    claimed: BTreeMap<u64, Hash>,
}

impl Walk<'_> {
    fn problem(&mut self, file: &str, offset: u64, what: String) {
        self.found.problems.push(Problem { file: file.to_owned(), offset, what });
    }

    fn file(&mut self, dir: &Path, name: &JournalName, each: &mut dyn FnMut(&str, &Entry)) -> Result<()> {
        let file = name.file();
        let path = dir.join(&file);
        let mut bytes = fs::read(&path).map_err(Error::file("read the journal", &path))?;
        if let Some((_, length)) = self.known.committed.as_ref().filter(|(current, _)| *current == file) {
            if (bytes.len() as u64) < *length {
                self.problem(&file, bytes.len() as u64, format!("{length} bytes expected, {} found", bytes.len()));
            }
            bytes.truncate(usize::try_from(*length).unwrap_or(usize::MAX));
        }
        self.found.journals += 1;
        let mut is_whole = true;
        for entry in Journal::new(&file, &bytes) {
            match entry {
                Ok(entry) => {
                    self.entry(&file, &entry);
                    each(&file, &entry);
                    self.chain = Some(entry.after);
                }
                Err(error) => {
                    let offset = if let Error::Damaged { offset, .. } = &error { *offset } else { 0 };
                    self.problem(&file, offset, error.to_string());
                    is_whole = false;
                }
            }
        }
        if !is_whole {
            // What stood behind the damage is unknown: the next file is checked for itself.
            (self.chain, self.root) = (None, None);
        }
        Ok(())
    }

    fn entry(&mut self, file: &str, entry: &Entry) {
        let at = entry.offset;
        match &entry.record {
            Record::Start(start) => {
                match self.chain {
                    Some(chain) if chain != start.chain => {
                        let what = format!("the chain goes on from {}, {} expected", to_hex(&start.chain), to_hex(&chain));
                        self.problem(file, at, what);
                        self.root = None;
                    }
                    None if self.found.journals == 1 => self.found.sequences = (start.after, start.after),
                    _ => {}
                }
                if let Some(reason) = &start.broken {
                    self.found.remarks.push(format!("{file} was begun because the file before could not be continued: {reason}"));
                }
                let expected = self.key.or(self.known.key);
                if expected.is_some_and(|key| key != start.key) {
                    self.problem(file, at, format!("key {} found, another one expected", to_hex(&start.key)));
                }
                self.key = Some(start.key);
            }
            Record::Block(block) => {
                if self.chain.is_some() && block.after != self.found.sequences.1 {
                    let what = format!("a block behind sequence {} where {} was reached", block.after, self.found.sequences.1);
                    self.problem(file, at, what);
                }
                self.found.sequences.1 = block.through;
                self.found.blocks += 1;
                self.found.leaves += block.leaves.len() as u64;
                self.found.rows += block.rows();
            }
            Record::Root(root) => match root.read() {
                Ok(statement) => self.root(file, entry, root, &statement),
                Err(reason) => self.problem(file, at, reason),
            },
            Record::Key(change) => {
                if self.key != Some(change.from) {
                    self.problem(file, at, "a change of another key than the one in use".into());
                }
                let signed = if change.is_signed() { "signed by the old one" } else { "NOT signed by the old one" };
                self.found.remarks.push(format!("the key was changed to {}, {signed}", to_hex(&change.to)));
                self.key = Some(change.to);
            }
            Record::Receipt(receipt) => {
                self.claimed.insert(receipt.root, receipt.hash);
            }
            Record::Dropped(_) => {}
        }
    }

    fn root(&mut self, file: &str, entry: &Entry, root: &crate::root::SignedRoot, statement: &Statement) {
        let (at, number) = (entry.offset, statement.number);
        if statement.chain != entry.before {
            self.problem(file, at, format!("root {number} signs another chain than the one before it"));
        }
        if self.key.is_some_and(|key| key != statement.key || !root.is_signed_by(&key)) {
            self.problem(file, at, format!("root {number} is not signed by the key in use"));
        }
        if statement.through != self.found.sequences.1 {
            self.problem(file, at, format!("root {number} ends at another sequence than the block before it"));
        }
        match self.root {
            Some((last, hash)) if last + 1 != number || hash != statement.previous => {
                self.problem(file, at, format!("root {number} does not follow root {last}"));
            }
            None if self.found.roots.is_empty() && number != 1 && self.found.problems.is_empty() => {
                self.found.remarks.push(format!("the journals begin with root {number}: earlier ones are not there"));
            }
            _ => {}
        }
        let hash = root.hash();
        self.root = Some((number, hash));
        let seen = RootSeen { number, hash, hour: statement.hour, through: statement.through, signed_at: statement.signed_at };
        self.found.roots.push(seen);
    }

    /// Compares roots with what is known outside.
    fn anchors(&mut self) {
        let roots: BTreeMap<u64, RootSeen> = self.found.roots.iter().map(|root| (root.number, root.clone())).collect();
        let mut last = 0;
        for anchor in &self.known.anchors {
            match roots.get(&anchor.number) {
                Some(root) if anchor.fits(&root.hash) => {
                    self.found.anchors += 1;
                    last = last.max(anchor.number);
                }
                Some(_) => {
                    let what = format!("root {} was anchored outside with another hash: it was signed anew", anchor.number);
                    self.problem("anchors", 0, what);
                }
                None => {
                    let what = format!(
                        "root {} was anchored outside and is not in the journals: they were cut or begun anew",
                        anchor.number
                    );
                    self.problem("anchors", 0, what);
                }
            }
        }
        self.found.by_outside = !self.known.anchors.is_empty();
        for (number, hash) in std::mem::take(&mut self.claimed) {
            match roots.get(&number) {
                Some(root) if root.hash != hash => {
                    self.problem("anchors", 0, format!("the receipt for root {number} has another hash than the root"));
                }
                _ if self.found.by_outside => {}
                _ => last = last.max(number),
            }
        }
        let mut open = self.found.roots.iter().filter(|root| root.number > last);
        if let Some(first) = open.next() {
            let end = open.next_back().unwrap_or(first);
            let covered = roots.range(..=last).next_back().map_or(self.found.sequences.0, |(_, root)| root.through);
            self.found.unanchored =
                Some(Unanchored { roots: (first.number, end.number), since: first.signed_at, sequences: (covered, end.through) });
        }
    }
}

/// Reads anchors out of any text; gives the lines that look like one and are none as well.
pub fn read_anchors(text: &str) -> (Vec<Anchor>, Vec<String>) {
    let mut anchors = Vec::new();
    let mut bad = Vec::new();
    for found in text.lines().filter_map(Anchor::find) {
        match found {
            Ok(anchor) => anchors.push(anchor),
            Err(reason) => bad.push(reason),
        }
    }
    (anchors, bad)
}
