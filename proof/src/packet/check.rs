//! Checks a packet with nothing but its files, the public key and, where the auditor has them, anchors.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Component, Path, PathBuf},
};

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::{Serialize, de::DeserializeOwned};

use super::{CHAIN, ChainLine, FORMAT, FileEntry, MANIFEST, Manifest, PUBLIC_KEY, ROOTS, RootLine};
use crate::{
    Error, Hash, Result,
    block::{Block, block_hash},
    codec::to_hex,
    journal::{chained, root_node},
    key,
    leaf::{Class, Leaf, LeafHasher, Place, Rows},
    root::Anchor,
};

const READ_BYTES: usize = 1 << 20;
/// Bytes of a line of JSON; a packet that has longer ones is none of ours.
const LINE_BYTES_MAX: u64 = 64 << 20;
const MANIFEST_BYTES_MAX: u64 = 256 << 20;
/// Problems that are named.
const NAMED_MAX: usize = 100;

/// What the check found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PacketReport {
    pub manifest: Option<Manifest>,
    /// Rows and leaves that are as they were signed.
    pub rows: u64,
    pub leaves: u64,
    /// First and last root.
    pub roots: Option<(u64, u64)>,
    /// The last root that signs rows of the packet.
    pub root_needed: Option<u64>,
    /// The first anchor from outside that covers all of them.
    pub anchored_by: Option<u64>,
    #[serde(with = "crate::codec::hex")]
    pub key: [u8; 32],
    /// True when the caller brought the key; otherwise it is the packet's own word.
    pub is_key_known: bool,
    pub problems: Vec<String>,
    pub problems_total: u64,
    pub remarks: Vec<String>,
}

impl PacketReport {
    pub fn is_intact(&self) -> bool {
        self.problems_total == 0
    }

    fn problem(&mut self, what: impl Into<String>) {
        self.problems_total += 1;
        if self.problems.len() < NAMED_MAX {
            self.problems.push(what.into());
        }
    }
}

/// Checks the packet in a folder. An error means that it could not be checked; what is wrong with it is in the report.
pub fn check(dir: &Path, key: Option<[u8; 32]>, anchors: &[Anchor]) -> Result<PacketReport> {
    let mut report = PacketReport::default();
    let path = dir.join(MANIFEST);
    let manifest = read_capped(&path, MANIFEST_BYTES_MAX)?;
    let manifest: Manifest = match serde_json::from_slice(&manifest) {
        Ok(manifest) => manifest,
        Err(error) => {
            report.problem(format!("{MANIFEST} cannot be read: {error}"));
            return Ok(report);
        }
    };
    if manifest.format != FORMAT {
        return Err(Error::Version { file: MANIFEST.into(), found: manifest.format.into(), known: FORMAT.into() });
    }
    let parquet = files(dir, &manifest, &mut report);
    let own = fs::read_to_string(dir.join(PUBLIC_KEY)).map_err(Error::file("read", dir.join(PUBLIC_KEY)))?;
    let own = key::parse_public(PUBLIC_KEY, &own);
    report.is_key_known = key.is_some();
    match (key, own) {
        (Some(key), Ok(own)) if key != own => report.problem(format!("{PUBLIC_KEY} holds another key than the one you gave")),
        (_, Err(error)) => report.problem(error.to_string()),
        _ => {}
    }
    report.key = match key {
        Some(key) => key,
        None => {
            fs::read_to_string(dir.join(PUBLIC_KEY)).ok().and_then(|text| key::parse_public("", &text).ok()).unwrap_or_default()
        }
    };
    let roots = roots(dir, &mut report)?;
    let leaves = chain(dir, &roots, &mut report)?;
    rows(&parquet, leaves, &mut report);
    outside(&roots, anchors, &mut report);
    if (manifest.rows, manifest.leaves) != (report.rows, report.leaves) && report.is_intact() {
        report.problem(format!("{MANIFEST} names {} rows, {} are here", manifest.rows, report.rows));
    }
    report.manifest = Some(manifest);
    Ok(report)
}

fn read_capped(path: &Path, max: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Error::file("open", path))?;
    file.take(max).read_to_end(&mut bytes).map_err(Error::file("read", path))?;
    Ok(bytes)
}

/// Compares every file with the manifest; gives the Parquet files.
fn files(dir: &Path, manifest: &Manifest, report: &mut PacketReport) -> Vec<(String, PathBuf)> {
    let mut parquet = Vec::new();
    let mut known: BTreeSet<PathBuf> = BTreeSet::from([PathBuf::from(MANIFEST)]);
    for FileEntry { path, bytes, blake3 } in &manifest.files {
        let relative = Path::new(path);
        if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
            report.problem(format!("{MANIFEST} names a file outside of the packet: {path:?}"));
            continue;
        }
        known.insert(relative.to_owned());
        match hash_file(&dir.join(relative)) {
            Ok((len, hash)) if len == *bytes && hash == *blake3 => {}
            Ok((len, hash)) => {
                report.problem(format!(
                    "{path}: {len} bytes with BLAKE3 {} found, {bytes} with {} expected",
                    to_hex(&hash),
                    to_hex(blake3)
                ));
            }
            Err(error) => report.problem(format!("{path} cannot be read: {error}")),
        }
        if relative.extension().is_some_and(|extension| extension == "parquet") {
            parquet.push((path.clone(), dir.join(relative)));
        }
    }
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let relative = path.strip_prefix(dir).unwrap_or(&path);
            if path.is_dir() {
                folders.push(path);
            } else if !known.contains(relative) {
                report.remarks.push(format!("{} does not belong to the packet", relative.display()));
            }
        }
    }
    for name in [CHAIN, ROOTS, PUBLIC_KEY] {
        if !known.contains(Path::new(name)) {
            report.problem(format!("{MANIFEST} does not name {name}"));
        }
    }
    parquet
}

fn hash_file(path: &Path) -> std::io::Result<(u64, Hash)> {
    let mut file = File::open(path)?;
    let (mut hasher, mut buffer, mut bytes) = (blake3::Hasher::new(), vec![0; READ_BYTES], 0);
    loop {
        let len = file.read(&mut buffer)?;
        if len == 0 {
            return Ok((bytes, *hasher.finalize().as_bytes()));
        }
        bytes += len as u64;
        hasher.update(&buffer[..len]);
    }
}

/// Hands the lines of a JSON file over; says where one cannot be read.
fn lines<T: DeserializeOwned>(
    dir: &Path,
    name: &str,
    report: &mut PacketReport,
    mut each: impl FnMut(T, &mut PacketReport),
) -> Result<()> {
    let path = dir.join(name);
    let mut reader = BufReader::new(File::open(&path).map_err(Error::file("open", &path))?);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(Error::file("read", &path))?;
        if read == 0 {
            break;
        }
        match serde_json::from_slice(&line) {
            Ok(value) => each(value, report),
            Err(error) => {
                report.problem(format!("{name}, line {number} cannot be read: {error}"));
                break;
            }
        }
    }
    Ok(())
}

/// A root that is signed and follows the one before.
struct Root {
    hash: Hash,
    chain: Hash,
}

fn roots(dir: &Path, report: &mut PacketReport) -> Result<BTreeMap<u64, Root>> {
    let mut found: BTreeMap<u64, Root> = BTreeMap::new();
    let mut key = report.key;
    lines(dir, ROOTS, report, |line: RootLine, report| match line {
        RootLine::Key(change) => {
            if change.from != key {
                report.problem(format!("{ROOTS}: a change of another key than the one in use"));
            }
            let signed = if change.is_signed() { "signed by the old one" } else { "NOT signed by the old one" };
            report.remarks.push(format!("the key was changed to {}, {signed}", to_hex(&change.to)));
            key = change.to;
        }
        RootLine::Root(root) => {
            let statement = match root.read() {
                Ok(statement) => statement,
                Err(reason) => return report.problem(format!("{ROOTS}: {reason}")),
            };
            let number = statement.number;
            if statement.key != key || !root.is_signed_by(&key) {
                report.problem(format!("root {number} is not signed by the key"));
            }
            if let Some((last, before)) = found.last_key_value()
                && (last + 1 != number || before.hash != statement.previous)
            {
                report.problem(format!("root {number} does not follow root {last}"));
            }
            found.insert(number, Root { hash: root.hash(), chain: statement.chain });
        }
    })?;
    report.roots = found.first_key_value().zip(found.last_key_value()).map(|(first, last)| (*first.0, *last.0));
    Ok(found)
}

/// Leaves that rows must make again, by the last sequence of their block.
type Leaves = BTreeMap<u64, (u64, HashMap<Class, Leaf>)>;

fn chain(dir: &Path, roots: &BTreeMap<u64, Root>, report: &mut PacketReport) -> Result<Leaves> {
    let mut leaves: Leaves = BTreeMap::new();
    let mut chain: Option<Hash> = None;
    let mut unsigned = 0_u64;
    lines(dir, CHAIN, report, |line: ChainLine, report| {
        let node = match &line {
            ChainLine::From { chain: from } => {
                chain = Some(*from);
                return;
            }
            ChainLine::Other { node } => *node,
            ChainLine::Block { after, through, ingested, unplaced, leaves: shown } => {
                let head =
                    Block { after: *after, through: *through, ingested: *ingested, unplaced: *unplaced, leaves: Vec::new() };
                let own = shown.iter().filter_map(|leaf| leaf.leaf()).map(|leaf| (leaf.class.clone(), leaf));
                let own: HashMap<Class, Leaf> = own.collect();
                unsigned += own.len() as u64;
                if !own.is_empty() {
                    leaves.insert(*through, (*after, own));
                }
                block_hash(&head, shown.iter().map(super::ShownLeaf::hash))
            }
            ChainLine::Root { number, hash } => {
                match (roots.get(number), chain) {
                    (Some(root), Some(chain)) if root.hash == *hash && root.chain == chain => {}
                    _ => report.problem(format!("{CHAIN} does not lead to what root {number} signs")),
                }
                if unsigned > 0 {
                    report.root_needed = report.root_needed.max(Some(*number));
                }
                unsigned = 0;
                root_node(hash)
            }
        };
        match &mut chain {
            Some(chain) => *chain = chained(chain, &node),
            None => report.problem(format!("{CHAIN} does not say where the chain stood")),
        }
    })?;
    if unsigned > 0 {
        report.problem(format!("{CHAIN} ends with {unsigned} leaves that no root signs"));
    }
    Ok(leaves)
}

/// Rows of a leaf that are there so far.
type Gathered = HashMap<(u64, Class), Vec<(Place, Vec<u8>)>>;

fn rows(parquet: &[(String, PathBuf)], mut leaves: Leaves, report: &mut PacketReport) {
    let mut gathered = Gathered::new();
    for (name, path) in parquet {
        // Damaged files make some decoders panic; the checksum has told of the damage already.
        let outcome = catch_unwind(AssertUnwindSafe(|| read_rows(path, &mut leaves, &mut gathered, report)));
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => report.problem(format!("{name}: {reason}")),
            Err(_) => report.problem(format!("{name}: the decoder gave up")),
        }
    }
    for (through, (after, rest)) in leaves {
        let mut rest: Vec<_> = rest.into_values().collect();
        rest.sort_unstable_by(|one, two| one.class.cmp(&two.class));
        for leaf in rest {
            let found = gathered.get(&(through, leaf.class.clone())).map_or(0, Vec::len);
            let Class { system, dataset, .. } = &leaf.class;
            report.problem(format!("{found} of {} rows of {system} {dataset} are here, sequences {after}–{through}", leaf.rows));
        }
    }
}

fn read_rows(path: &Path, leaves: &mut Leaves, gathered: &mut Gathered, report: &mut PacketReport) -> Result<(), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.with_batch_size(8_192).build());
    for batch in reader.map_err(|error| error.to_string())? {
        let batch = batch.map_err(|error| error.to_string())?;
        let rows = Rows::new(&batch);
        for row in 0..rows.len() {
            let id = rows.id(row).unwrap_or_default();
            let Some(place) = rows.place(row) else {
                report.problem(format!("a row without a place in the log: event.id {id:?}"));
                continue;
            };
            let class =
                Class { system: rows.system(row).to_owned(), dataset: rows.dataset(row).to_owned(), skewed: rows.is_skewed(row) };
            let block = leaves.range_mut(place.sequence..).next().filter(|(_, (after, _))| *after < place.sequence);
            let Some((through, (_, own))) = block.filter(|(_, (_, own))| own.contains_key(&class)) else {
                report.problem(format!("no leaf covers event {id}"));
                continue;
            };
            let key = (*through, class);
            let mut bytes = Vec::new();
            rows.encode(row, &mut bytes);
            let so_far = gathered.entry(key.clone()).or_default();
            so_far.push((place, bytes));
            if own.get(&key.1).is_some_and(|leaf| leaf.rows == so_far.len() as u64)
                && let Some(leaf) = own.remove(&key.1)
            {
                finish(&leaf, gathered.remove(&key).unwrap_or_default(), report);
            }
        }
    }
    Ok(())
}

fn finish(leaf: &Leaf, mut rows: Vec<(Place, Vec<u8>)>, report: &mut PacketReport) {
    rows.sort();
    let mut hasher = LeafHasher::default();
    rows.iter().for_each(|(_, bytes)| hasher.row(|out| out.extend_from_slice(bytes)));
    if hasher.finish(leaf.class.clone()) == *leaf {
        report.rows += leaf.rows;
        report.leaves += 1;
        return;
    }
    let (first, last) = (rows.first().map(|row| row.0), rows.last().map(|row| row.0));
    let place = |place: Option<Place>| place.map_or_else(String::new, |place| format!("{}-{}", place.sequence, place.index));
    report.problem(format!(
        "rows of {} {} were changed: one or more of {} between {} and {}",
        leaf.class.system,
        leaf.class.dataset,
        leaf.rows,
        place(first),
        place(last)
    ));
}

fn outside(roots: &BTreeMap<u64, Root>, anchors: &[Anchor], report: &mut PacketReport) {
    for anchor in anchors {
        match roots.get(&anchor.number) {
            Some(root) if anchor.fits(&root.hash) && report.root_needed.is_some_and(|needed| needed <= anchor.number) => {
                report.anchored_by = Some(report.anchored_by.map_or(anchor.number, |known| known.min(anchor.number)));
            }
            Some(root) if anchor.fits(&root.hash) => {}
            Some(_) => {
                report.problem(format!("root {} was anchored outside with another hash: it was signed anew", anchor.number))
            }
            None => {}
        }
    }
    if report.anchored_by.is_none() {
        let needed = report.root_needed.map_or_else(String::new, |number| format!(" {number} or later"));
        report.remarks.push(format!("no anchor from outside covers the packet: give one of root{needed}"));
    }
    if !report.is_key_known {
        report.remarks.push("the public key is the packet's own: compare it with the one you noted".into());
    }
}
