//! `export`: the rows of one system and span, with what proves them, in a folder that anybody can check.
//!
//! Works beside the running program and without it, and changes nothing. Rows come in whole leaves: a leaf is exported when its
//! hour is signed and all its rows are there. The packet is checked before it is given out.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use arrow::{array::BooleanArray, compute::filter_record_batch, record_batch::RecordBatch};
use event::Micros;
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use proof::{
    Hash,
    block::Block,
    journal::{Journal, Record},
    leaf::{COLUMNS, Class, Rows},
    packet::{self, ChainLine, FileEntry, Manifest, PacketReport, RootLine},
};

use super::{
    packet_page,
    read::SegmentFile,
    verify::{Contents, contents},
};
use crate::{ColdOptions, Error, Result, Segment, store::blocking};

/// What to export.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// The data directory.
    pub dir: PathBuf,
    /// A folder that does not exist yet, or is empty.
    pub out: PathBuf,
    pub system: String,
    pub dataset: Option<String>,
    /// Span of `event.ingested`: from, to before.
    pub received: (Micros, Micros),
    pub now: Micros,
    /// Who asked, and why: it stands in the packet.
    pub by: String,
    pub reason: String,
    /// Where segments lie that were moved away; without it an export that needs them fails.
    pub cold: Option<ColdOptions>,
}

/// Writes a packet and checks it.
pub async fn export(options: ExportOptions) -> Result<PacketReport> {
    let contents = contents(&options.dir, options.cold.as_ref()).await?;
    blocking("writing the packet", move || Export { options, contents, files: Vec::new() }.run()).await
}

/// Leaves of the export by the last sequence of their block: first sequence, and the rows of each class.
type Wanted = BTreeMap<u64, (u64, HashMap<Class, u64>)>;

struct Export {
    options: ExportOptions,
    contents: Contents,
    files: Vec<FileEntry>,
}

/// Takes row groups of a segment.
type Each<'e> = &'e mut dyn FnMut(&Segment, &SegmentFile<'_>, &[usize]) -> Result<()>;

impl Export {
    fn run(mut self) -> Result<PacketReport> {
        let out = self.options.out.clone();
        let is_taken = fs::read_dir(&out).is_ok_and(|mut entries| entries.next().is_some());
        if is_taken {
            let full = std::io::Error::new(std::io::ErrorKind::AlreadyExists, "the folder is not empty");
            return Err(Error::file("write the packet to", &out)(full));
        }
        for folder in ["rows", "proof"] {
            let path = out.join(folder);
            fs::create_dir_all(&path).map_err(Error::file("create", &path))?;
        }
        let (mut wanted, leaves_unsigned) = self.wanted()?;
        let leaves_incomplete = self.complete(&mut wanted)?;
        let leaves = wanted.values().map(|(_, own)| own.len() as u64).sum();
        let rows = self.rows(&wanted)?;
        let key = self.proof(&wanted)?;
        self.file(packet::PUBLIC_KEY, proof::key::public_line(&key).as_bytes())?;
        let mut manifest = Manifest {
            format: packet::FORMAT,
            program: concat!("chieng ", env!("CARGO_PKG_VERSION")).into(),
            node: self.node()?,
            system: self.options.system.clone(),
            dataset: self.options.dataset.clone(),
            received: self.options.received,
            exported_at: self.options.now,
            exported_by: self.options.by.clone(),
            reason: self.options.reason.clone(),
            rows,
            leaves,
            leaves_unsigned,
            leaves_incomplete,
            files: self.files.clone(),
        };
        let page = packet_page::page(&manifest, &proof::codec::to_hex(&key));
        self.file(packet::REPORT, page.as_bytes())?;
        manifest.files = self.files.clone();
        let text = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
        self.file(packet::MANIFEST, &text)?;
        Ok(packet::check(&out, None, &[])?)
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.options.out.join(name);
        fs::write(&path, bytes).map_err(Error::file("write", &path))?;
        self.note(name, bytes.len() as u64, *blake3::hash(bytes).as_bytes());
        Ok(())
    }

    fn note(&mut self, name: &str, bytes: u64, blake3: Hash) {
        self.files.push(FileEntry { path: name.to_owned(), bytes, blake3 });
    }

    fn folder(&self) -> PathBuf {
        self.options.dir.join(super::FOLDER)
    }

    fn node(&self) -> Result<String> {
        let mut node = String::new();
        self.records(&mut |entry| {
            if let Record::Start(start) = &entry.record {
                start.node.clone_into(&mut node);
            }
            Ok(())
        })?;
        Ok(node)
    }

    /// Walks over all records, in order. Damage ends the export: a packet must not rest on it.
    fn records(&self, each: &mut dyn FnMut(&proof::journal::Entry) -> Result<()>) -> Result<()> {
        let dir = self.folder();
        for name in proof::journal::list(&dir)? {
            let path = dir.join(name.file());
            let mut bytes = fs::read(&path).map_err(Error::file("read the journal", &path))?;
            if let Some(cursor) = self.contents.cursor.as_ref().filter(|cursor| cursor.file == name.file()) {
                bytes.truncate(usize::try_from(cursor.length).unwrap_or(usize::MAX));
            }
            for entry in Journal::new(name.file(), &bytes) {
                each(&entry?)?;
            }
        }
        Ok(())
    }

    fn is_own(&self, class: &Class) -> bool {
        class.system == self.options.system && self.options.dataset.as_ref().is_none_or(|dataset| *dataset == class.dataset)
    }

    fn is_in_span(&self, span: (Micros, Micros)) -> bool {
        let (from, to) = self.options.received;
        span.1 >= from && span.0 < to
    }

    fn own<'b>(&self, block: &'b Block) -> impl Iterator<Item = &'b proof::leaf::Leaf> {
        let is_in_span = !block.leaves.is_empty() && self.is_in_span(block.ingested);
        block.leaves.iter().filter(move |leaf| is_in_span && self.is_own(&leaf.class)).collect::<Vec<_>>().into_iter()
    }

    /// The leaves of signed blocks in the span, and how many wait for their root.
    fn wanted(&self) -> Result<(Wanted, u64)> {
        let (mut wanted, mut waiting) = (Wanted::new(), Wanted::new());
        self.records(&mut |entry| {
            match &entry.record {
                Record::Block(block) => {
                    let own: HashMap<Class, u64> = self.own(block).map(|leaf| (leaf.class.clone(), leaf.rows)).collect();
                    if !own.is_empty() {
                        waiting.insert(block.through, (block.after, own));
                    }
                }
                Record::Root(_) => wanted.append(&mut waiting),
                _ => {}
            }
            Ok(())
        })?;
        let unsigned = waiting.values().map(|(_, own)| own.len() as u64).sum();
        Ok((wanted, unsigned))
    }

    /// Segments and row groups that may hold rows of the export.
    fn groups(&self, wanted: &Wanted, each: Each<'_>) -> Result<()> {
        for segment in &self.contents.segments {
            let has_system = segment.systems.iter().any(|part| {
                part.system == self.options.system && self.options.dataset.as_ref().is_none_or(|dataset| *dataset == part.class)
            });
            let has_blocks =
                wanted.range(segment.sequences.0 + 1..).next().is_some_and(|(_, (after, _))| *after < segment.sequences.1);
            // A block may begin before the span or end behind it, by less than an hour.
            let near = |(from, to): (Micros, Micros)| self.is_in_span((from - proof::HOUR, to + proof::HOUR));
            if !has_system || !has_blocks || !near(segment.ingested) {
                continue;
            }
            let file = SegmentFile::open(segment)?;
            let groups: Vec<usize> = file.groups().iter().filter(|group| near(group.ingested)).map(|group| group.at).collect();
            each(segment, &file, &groups)?;
        }
        Ok(())
    }

    /// Takes out leaves of which rows are gone; returns how many.
    fn complete(&self, wanted: &mut Wanted) -> Result<u64> {
        let mut counts: HashMap<(u64, Class), u64> = HashMap::new();
        self.groups(wanted, &mut |_, file, groups| {
            for group in groups {
                file.read(*group, Some(&COLUMNS), &mut |batch| {
                    for (_, key) in self.own_rows(batch, wanted) {
                        *counts.entry(key).or_default() += 1;
                    }
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        let mut gone = 0;
        for (through, (_, own)) in wanted.iter_mut() {
            let before = own.len();
            own.retain(|class, rows| counts.get(&(*through, class.clone())) == Some(rows));
            gone += (before - own.len()) as u64;
        }
        wanted.retain(|_, (_, own)| !own.is_empty());
        Ok(gone)
    }

    /// Rows of a batch that belong to a leaf of the export.
    fn own_rows(&self, batch: &RecordBatch, wanted: &Wanted) -> Vec<(usize, (u64, Class))> {
        let rows = Rows::new(batch);
        let own = |row: usize| {
            if rows.system(row) != self.options.system {
                return None;
            }
            let place = rows.place(row)?;
            let (through, (after, own)) = wanted.range(place.sequence..).next()?;
            let class =
                Class { system: rows.system(row).to_owned(), dataset: rows.dataset(row).to_owned(), skewed: rows.is_skewed(row) };
            (*after < place.sequence && own.contains_key(&class)).then_some((row, (*through, class)))
        };
        (0..rows.len()).filter_map(own).collect()
    }

    /// Writes the rows: a file for each segment that has some, with its own columns.
    fn rows(&mut self, wanted: &Wanted) -> Result<u64> {
        let (mut total, mut written) = (0, Vec::new());
        self.groups(wanted, &mut |_, file, groups| {
            let mut output: Option<(String, ArrowWriter<Hashing>)> = None;
            for group in groups {
                file.read(*group, None, &mut |batch| {
                    let own = self.own_rows(batch, wanted);
                    if own.is_empty() {
                        return Ok(());
                    }
                    let mut kept = vec![false; batch.num_rows()];
                    own.iter().for_each(|(row, _)| kept[*row] = true);
                    let batch = filter_record_batch(batch, &BooleanArray::from(kept)).map_err(failed)?;
                    total += batch.num_rows() as u64;
                    let (_, writer) = match &mut output {
                        Some(output) => output,
                        none => {
                            let name = format!("rows/{:04}.parquet", written.len() + 1);
                            let writer = ArrowWriter::try_new(
                                Hashing::create(&self.options.out.join(&name))?,
                                batch.schema(),
                                Some(properties()),
                            );
                            none.insert((name, writer.map_err(failed)?))
                        }
                    };
                    writer.write(&batch).map_err(failed)
                })?;
            }
            if let Some((name, writer)) = output {
                let (bytes, hash) = writer.into_inner().map_err(failed)?.finish(&self.options.out.join(&name))?;
                written.push((name, bytes, hash));
            }
            Ok(())
        })?;
        for (name, bytes, hash) in written {
            self.note(&name, bytes, hash);
        }
        Ok(total)
    }

    /// Writes chain, roots and receipts. Returns the public key with which the roots begin.
    fn proof(&mut self, wanted: &Wanted) -> Result<[u8; 32]> {
        let first_wanted = wanted.first_key_value().map_or(u64::MAX, |(through, _)| *through);
        let (mut chain, mut roots, mut receipts) = (Vec::new(), Vec::new(), Vec::new());
        // Since the last root: where the chain stood, and the lines so far.
        let (mut from, mut span, mut is_needed) = (None, Vec::new(), false);
        let mut key = None;
        let mut first_key = None;
        self.records(&mut |entry| {
            match &entry.record {
                Record::Start(start) => key = key.or(Some(start.key)),
                Record::Key(change) => {
                    key = Some(change.to);
                    if first_key.is_some() {
                        put(&mut roots, &RootLine::Key(change.clone()));
                    }
                }
                Record::Receipt(receipt) => put(&mut receipts, receipt),
                _ => {}
            }
            from = from.or(Some(entry.before));
            match &entry.record {
                Record::Block(block) => {
                    let own = wanted.get(&block.through);
                    is_needed |= own.is_some();
                    span.push(ChainLine::block(block, |leaf| own.is_some_and(|(_, own)| own.contains_key(&leaf.class))));
                }
                Record::Root(root) => {
                    let statement = root.read().map_err(|reason| failed(std::io::Error::other(reason)))?;
                    if is_needed {
                        put(&mut chain, &ChainLine::From { chain: from.unwrap_or_default() });
                        span.iter().for_each(|line| put(&mut chain, line));
                        put(&mut chain, &ChainLine::Root { number: statement.number, hash: root.hash() });
                    }
                    if statement.through >= first_wanted {
                        first_key = first_key.or(Some(statement.key));
                        put(&mut roots, &RootLine::Root(root.clone()));
                    }
                    (from, is_needed) = (Some(entry.after), false);
                    span.clear();
                }
                _ => span.push(ChainLine::Other { node: entry.record.node() }),
            }
            Ok(())
        })?;
        self.file(packet::CHAIN, &chain)?;
        self.file(packet::ROOTS, &roots)?;
        self.file(packet::ANCHORS, &receipts)?;
        Ok(first_key.or(key).unwrap_or_default())
    }
}

fn put(out: &mut Vec<u8>, line: &impl serde::Serialize) {
    // Into memory: the serialiser of plain structs cannot fail.
    let _ = serde_json::to_writer(&mut *out, line);
    out.push(b'\n');
}

fn failed<E>(error: E) -> Error
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    Error::segment("export", "rows")(error)
}

fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).expect("3 is a zstd level")))
        .set_created_by(concat!("chieng ", env!("CARGO_PKG_VERSION")).to_owned())
        .build()
}

/// A file that is hashed as it is written.
struct Hashing {
    file: BufWriter<File>,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Hashing {
    fn create(path: &Path) -> Result<Self> {
        let file = File::create_new(path).map_err(Error::file("create", path))?;
        Ok(Self { file: BufWriter::new(file), hasher: blake3::Hasher::new(), bytes: 0 })
    }

    fn finish(mut self, path: &Path) -> Result<(u64, Hash)> {
        self.file.flush().map_err(Error::file("write", path))?;
        Ok((self.bytes, *self.hasher.finalize().as_bytes()))
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let len = self.file.write(bytes)?;
        self.hasher.update(&bytes[..len]);
        self.bytes += len as u64;
        Ok(len)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
