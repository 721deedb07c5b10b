//! `verify`: is everything that was proven still there, byte for byte?
//!
//! ```text
//! journals: checksums, chain, signatures, anchors ─▶ files: BLAKE3 of every segment, every byte of its index ─▶ rows: leaves
//! ```
//!
//! Reads only, and takes no lock: it works beside the running program, on a copy, and on a medium that cannot be written. What
//! compaction replaces or the cold path moves while it runs is noticed, and the check begins anew with what is there then.

use std::{
    collections::BTreeSet,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use event::Micros;
use proof::{
    chain::{Found, Known, Problem},
    journal::{Dropped, Journal, Record},
    root::Anchor,
};
use serde::Serialize;

use super::{keeper::Cursor, sweep::Sweep};
use crate::{
    ColdOptions, Error, Result, Segment,
    catalogue::Catalogue as _,
    cold::ColdFiles,
    index::{FileSource, Index},
    sqlite::SqliteCatalogue,
    store::blocking,
};

/// Divergences that a report names; more are counted.
const NAMED_MAX: usize = 100;
/// How often the check begins anew because files were replaced while it ran.
const TRIES: usize = 5;
const READ_BYTES: usize = 1 << 20;

/// What to check.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// The data directory.
    pub dir: PathBuf,
    /// Roots as they were seen outside.
    pub anchors: Vec<Anchor>,
    /// The public key that the auditor noted.
    pub key: Option<[u8; 32]>,
    /// Only rows received in this span; journals and anchors are checked whole.
    pub received: Option<(Micros, Micros)>,
    /// Leaves rows alone: journals, anchors and checksums of files only.
    pub files_only: bool,
    /// Where segments lie that were moved away; without it they are reported as files that cannot be read.
    pub cold: Option<ColdOptions>,
}

/// What is being done, for whoever waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// `files` (in bytes) or `rows`.
    pub step: &'static str,
    pub done: u64,
    pub total: u64,
}

pub type Watch = Arc<dyn Fn(Progress) + Send + Sync>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DivergenceKind {
    /// A journal is damaged, its chain or a signature does not fit.
    Journal,
    /// An anchor from outside does not fit.
    Anchor,
    /// A segment's file is missing or not what was written.
    File,
    /// A text index is damaged: answers stay right, searches get slower.
    Index,
    RowsMissing,
    RowsAdded,
    RowsChanged,
}

/// One place where the data are not what was proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Divergence {
    pub kind: DivergenceKind,
    pub what: String,
    /// Start of the hour of receipt, as `2026-11-23T09Z`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hour: Option<String>,
    /// Log sequences of the block: behind `.0`, through `.1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<(u64, u64)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
}

impl Divergence {
    pub(super) fn new(kind: DivergenceKind, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { kind, what, hour: None, block: None, system: None, dataset: None, files: Vec::new(), events: Vec::new() }
    }
}

/// A span of blocks that carries no signature, or rows that carry no proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    pub sequences: (u64, u64),
    pub what: String,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// In the order in which they were met: journals, files, then rows in the order of receipt.
    pub divergences: Vec<Divergence>,
    /// All of them, also those that are not named.
    pub divergences_total: u64,
    pub chain: Found,
    /// Blocks behind the last root, and events older than the proof.
    pub unsigned: Vec<Span>,
    pub files: u64,
    pub files_bytes: u64,
    pub leaves: u64,
    pub rows: u64,
    /// Leaves whose rows are gone by retention, with a record of the deletion; partly so: what is left cannot be checked.
    pub leaves_expired: u64,
    pub leaves_partly_expired: u64,
    /// Leaves whose rows lie in files that cannot be read.
    pub leaves_unreadable: u64,
    pub rows_unproven: u64,
}

impl Report {
    pub fn is_intact(&self) -> bool {
        self.divergences_total == 0
    }

    pub(super) fn add(&mut self, divergence: Divergence) {
        self.divergences_total += 1;
        if self.divergences.len() < NAMED_MAX {
            self.divergences.push(divergence);
        }
    }
}

/// What the catalogue says at one instant.
pub(super) struct Contents {
    pub cursor: Option<Cursor>,
    pub segments: Vec<Segment>,
    /// Deletions that are not in the chain yet.
    fresh: Vec<crate::Tombstone>,
}

/// Checks a data directory.
pub async fn verify(options: VerifyOptions, watch: Watch) -> Result<Report> {
    let mut contents = contents(&options.dir, options.cold.as_ref()).await?;
    for left in (0..TRIES).rev() {
        let (wanted, watch, known) = (options.clone(), Arc::clone(&watch), contents);
        let (report, gone) = blocking("checking the proof", move || check(&wanted, &known, &watch)).await?;
        if gone.is_empty() || left == 0 {
            return Ok(report);
        }
        let now = self::contents(&options.dir, options.cold.as_ref()).await?;
        // Still where it was said to be, and not there: that is the finding. Replaced or moved away: look again.
        let place = |segment: &Segment| (segment.id.clone(), segment.cold.as_ref().map(|cold| cold.url.clone()));
        let present: BTreeSet<Place> = now.segments.iter().map(place).collect();
        if gone.iter().all(|missing| present.contains(missing)) {
            return Ok(report);
        }
        contents = now;
    }
    Err(Error::Stopped("checking the proof"))
}

pub(super) async fn contents(dir: &Path, cold: Option<&ColdOptions>) -> Result<Contents> {
    let cold = cold.cloned().map(ColdFiles::open_to_read).transpose()?.map(Arc::new);
    let catalogue = SqliteCatalogue::open_to_read(&dir.join("catalogue.sqlite")).await?;
    // Segments and cursor of one instant: read again when a flush came between.
    let mut cursor = catalogue.proof_cursor().await?;
    let mut loaded = loop {
        let loaded = catalogue.load(0).await?;
        let now = catalogue.proof_cursor().await?;
        if now == cursor {
            break loaded;
        }
        cursor = now;
    };
    let cursor = cursor.map(|text| Cursor::parse(&text)).transpose()?;
    for segment in &mut loaded.segments {
        segment.path = dir.join("segments").join(&segment.location);
        if let Some(place) = &mut segment.cold {
            place.files.clone_from(&cold);
        }
    }
    let fresh = catalogue.tombstones_after(cursor.as_ref().map_or(0, |cursor| cursor.tombstones)).await?;
    catalogue.close().await;
    Ok(Contents { cursor, segments: loaded.segments, fresh })
}

/// A segment and, where it was moved away, the URL of its object.
type Place = (String, Option<String>);

/// Returns the report and the segments whose file was not there.
fn check(options: &VerifyOptions, contents: &Contents, watch: &Watch) -> Result<(Report, Vec<Place>)> {
    let mut report = Report::default();
    let dir = options.dir.join(super::FOLDER);
    let known = Known {
        committed: contents.cursor.as_ref().map(|cursor| (cursor.file.clone(), cursor.length)),
        key: options.key,
        anchors: options.anchors.clone(),
    };
    let mut dropped: Vec<Dropped> = Vec::new();
    let mut found = proof::chain::walk(&dir, &known, &mut |_, entry| {
        if let Record::Dropped(record) = &entry.record {
            dropped.push(record.clone());
        }
    })?;
    for Problem { file, offset, what } in std::mem::take(&mut found.problems) {
        let (kind, what) = match file.as_str() {
            "anchors" => (DivergenceKind::Anchor, what),
            _ if what.starts_with(&file) => (DivergenceKind::Journal, what),
            _ => (DivergenceKind::Journal, format!("byte {offset}: {what}")),
        };
        report.add(Divergence { files: vec![file], ..Divergence::new(kind, what) });
    }
    public_key(&dir, contents, &mut report);
    let fresh = contents.fresh.iter().enumerate();
    dropped.extend(fresh.map(|(at, tombstone)| super::keeper::dropped(at as u64, tombstone)));
    let signed = found.roots.last().map_or(found.sequences.0, |root| root.through);
    if signed < found.sequences.1 {
        let span = Span { sequences: (signed, found.sequences.1), what: "no root is signed yet".into() };
        report.unsigned.push(span);
    }
    report.chain = found;

    let mut unreadable = Vec::new();
    let gone = files(contents, &mut report, &mut unreadable, watch)?;
    if !options.files_only {
        rows(options, contents, &dropped, &unreadable, &dir, &mut report, watch)?;
    }
    Ok((report, gone))
}

/// The exported public key must be the one in use: an auditor copies that file.
fn public_key(dir: &Path, contents: &Contents, report: &mut Report) {
    let (path, Some(cursor)) = (dir.join(proof::key::PUBLIC_KEY_FILE), &contents.cursor) else { return };
    let expected = proof::key::public_line(&cursor.key);
    let found = std::fs::read(&path).unwrap_or_default();
    if found != expected.as_bytes() {
        let what = "the file does not hold the public key in use";
        let files = vec![proof::key::PUBLIC_KEY_FILE.to_owned()];
        report.add(Divergence { files, ..Divergence::new(DivergenceKind::Journal, what) });
    }
}

/// Compares the checksum of every file. Returns segments whose file is not there.
fn files(contents: &Contents, report: &mut Report, unreadable: &mut Vec<usize>, watch: &Watch) -> Result<Vec<Place>> {
    let size = |segment: &Segment| segment.bytes + segment.index.as_ref().map_or(0, |index| index.bytes);
    let total: u64 = contents.segments.iter().map(size).sum();
    let mut gone = Vec::new();
    let mut done = 0;
    for (at, segment) in contents.segments.iter().enumerate() {
        let url = segment.cold.as_ref().map(|cold| cold.url.clone());
        let location = url.as_ref().unwrap_or(&segment.location);
        match hash_file(segment) {
            Ok(hash) if *hash.as_bytes() == segment.checksum => {}
            Ok(hash) => {
                let expected = blake3::Hash::from_bytes(segment.checksum);
                let what = format!("checksum {} found, {} expected", hash.to_hex(), expected.to_hex());
                report.add(of_file(DivergenceKind::File, segment, location, what));
                unreadable.push(at);
            }
            Err(error) => {
                report.add(of_file(DivergenceKind::File, segment, location, format!("cannot be read: {}", error.chain())));
                if is_missing(&error) {
                    gone.push((segment.id.clone(), url));
                }
                unreadable.push(at);
            }
        }
        report.files += 1;
        if let (Some(path), Some(index)) = (segment.index_path(), &segment.index) {
            let source = File::open(path).and_then(FileSource::new).map_err(|error| error.to_string());
            let checked = source.and_then(|source| {
                let index = Index::open(Arc::new(source)).map_err(|error| error.to_string())?;
                index.verify().map_err(|error| error.to_string())
            });
            if let Err(reason) = checked {
                report.add(of_file(DivergenceKind::Index, segment, &index.location, reason));
            }
            report.files += 1;
        }
        done += size(segment);
        report.files_bytes = done;
        watch(Progress { step: "files", done, total });
    }
    Ok(gone)
}

fn of_file(kind: DivergenceKind, segment: &Segment, location: &str, what: String) -> Divergence {
    Divergence {
        hour: Some(hour_name(segment.ingested.0)),
        block: Some(segment.sequences),
        files: vec![location.to_owned()],
        ..Divergence::new(kind, what)
    }
}

/// True when nothing is there, on this machine or in the cold store's folder.
fn is_missing(error: &Error) -> bool {
    matches!(error, Error::File { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
}

fn hash_file(segment: &Segment) -> Result<blake3::Hash> {
    let mut file = segment.open()?.bytes();
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let len = file.read(&mut buffer).map_err(Error::segment("read", &segment.id))?;
        if len == 0 {
            return Ok(hasher.finalize());
        }
        hasher.update(&buffer[..len]);
    }
}

/// Makes every leaf again out of the rows that are there.
fn rows(
    options: &VerifyOptions,
    contents: &Contents,
    dropped: &[Dropped],
    unreadable: &[usize],
    dir: &Path,
    report: &mut Report,
    watch: &Watch,
) -> Result<()> {
    let first = report.chain.sequences.0;
    let mut sweep = Sweep::new(&contents.segments, unreadable, dropped, first, options.received, report, watch);
    for name in proof::journal::list(dir)? {
        let path = dir.join(name.file());
        let mut bytes = std::fs::read(&path).map_err(Error::file("read the journal", &path))?;
        if let Some(cursor) = contents.cursor.as_ref().filter(|cursor| cursor.file == name.file()) {
            bytes.truncate(usize::try_from(cursor.length).unwrap_or(usize::MAX));
        }
        // Damage was reported above; what stands before it is used.
        for entry in Journal::new(name.file(), &bytes).map_while(std::result::Result::ok) {
            match &entry.record {
                Record::Block(block) => sweep.block(block),
                Record::Start(start) => sweep.node(&start.node),
                _ => {}
            }
        }
    }
    sweep.finish();
    Ok(())
}

pub(super) fn hour_name(time: Micros) -> String {
    chrono::DateTime::from_timestamp_micros(time).unwrap_or_default().format("%Y-%m-%dT%HZ").to_string()
}
