//! The dictionary of words: a Tantivy index with one document a row block, inside the index file.
//!
//! Terms are folded words. The files Tantivy writes are kept one after the other, with a checksum for every 16 KiB that is
//! compared on every read; Tantivy never sees a byte that was not checked. Nothing is written when reading.

use std::{
    collections::HashMap,
    fmt, io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use tantivy::{
    DocSet, HasLen, Index, SegmentReader, SingleSegmentIndexWriter, TERMINATED, TantivyDocument,
    directory::{
        Directory, FileHandle, OwnedBytes, RamDirectory, WatchCallback, WatchHandle, WritePtr,
        error::{DeleteError, OpenReadError, OpenWriteError},
    },
    index::{InvertedIndexReader, SegmentComponent},
    postings::TermInfo,
    schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions},
    store::Compressor,
    tokenizer::{TextAnalyzer, Token, TokenStream, Tokenizer},
};

use super::{
    blocks::Blocks,
    error::{Error, Result, check},
    file::{Fields, Header, Section, Source, read},
};

const FIELD: &str = "word";
const META: &str = "meta.json";
/// Bytes under one checksum.
const CHUNK: usize = 16 << 10;
/// Larger dictionaries are read piece by piece.
const WHOLE_MAX: u64 = 4 << 20;
/// Decides how large Tantivy's table of terms is at first; it grows.
const BUDGET: usize = 3 << 20;

/// What Tantivy may write for a segment of one indexed field.
const COMPONENTS: [SegmentComponent; 6] = [
    SegmentComponent::Postings,
    SegmentComponent::Positions,
    SegmentComponent::FastFields,
    SegmentComponent::FieldNorms,
    SegmentComponent::Terms,
    SegmentComponent::Store,
];

/// Builds the dictionary.
pub struct WordsWriter {
    writer: SingleSegmentIndexWriter,
    directory: RamDirectory,
    field: Field,
}

impl WordsWriter {
    pub fn new() -> Result<Self> {
        let indexing =
            TextFieldIndexing::default().set_tokenizer(FIELD).set_index_option(IndexRecordOption::Basic).set_fieldnorms(false);
        let mut schema = Schema::builder();
        let field = schema.add_text_field(FIELD, TextOptions::default().set_indexing_options(indexing));
        let directory = RamDirectory::create();
        let index = Index::builder()
            .schema(schema.build())
            .settings(tantivy::IndexSettings { docstore_compression: Compressor::None, ..Default::default() });
        let tokenizers = tantivy::tokenizer::TokenizerManager::new();
        tokenizers.register(FIELD, TextAnalyzer::builder(Lines).build());
        let writer =
            index.tokenizers(tokenizers).single_segment_index_writer(directory.clone(), BUDGET).map_err(Error::words("begin"))?;
        Ok(Self { writer, directory, field })
    }

    /// Adds the next block: its distinct words, each ended by a line feed.
    pub fn block(&mut self, words: &str) -> Result<()> {
        let mut document = TantivyDocument::default();
        document.add_text(self.field, words);
        self.writer.add_document(document).map_err(Error::words("add a block to"))
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.writer.mem_usage()
    }

    /// Returns the files and their table.
    pub fn finish(self) -> Result<(Vec<u8>, Vec<u8>)> {
        let index = self.writer.finalize().map_err(Error::words("finish"))?;
        let mut paths = vec![PathBuf::from(META)];
        for segment in index.searchable_segment_metas().map_err(Error::words("list"))? {
            paths.extend(COMPONENTS.map(|component| segment.relative_path(component)));
        }
        paths.sort();
        let mut files = Vec::new();
        let mut entries = Vec::new();
        for path in paths {
            if !self.directory.exists(&path).map_err(Error::words("find"))? {
                continue;
            }
            let bytes = match path.as_os_str() == META {
                true => self.directory.atomic_read(&path).map_err(Error::words("read back"))?,
                false => {
                    let file = self.directory.open_read(&path).map_err(Error::words("read back"))?;
                    file.read_bytes().map_err(Error::words("read back"))?.to_vec()
                }
            };
            entries.push((path.to_string_lossy().into_owned(), files.len() as u64, bytes.len() as u64));
            files.extend(bytes);
        }
        Ok((table(&entries, &files), files)).map(|(table, files)| (files, table))
    }
}

/// Number of files u16 · name length u16, name, offset u64, length u64 of each · checksums.
fn table(entries: &[(String, u64, u64)], files: &[u8]) -> Vec<u8> {
    let mut table = (entries.len() as u16).to_le_bytes().to_vec();
    for (name, offset, len) in entries {
        table.extend_from_slice(&(name.len() as u16).to_le_bytes());
        table.extend_from_slice(name.as_bytes());
        table.extend_from_slice(&offset.to_le_bytes());
        table.extend_from_slice(&len.to_le_bytes());
    }
    files.chunks(CHUNK).for_each(|chunk| table.extend_from_slice(&crc32fast::hash(chunk).to_le_bytes()));
    table
}

/// Splits a block's words at line feeds.
#[derive(Clone)]
struct Lines;

struct LineStream<'a> {
    rest: &'a str,
    token: Token,
}

impl Tokenizer for Lines {
    type TokenStream<'a> = LineStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> LineStream<'a> {
        LineStream { rest: text, token: Token::default() }
    }
}

impl TokenStream for LineStream<'_> {
    fn advance(&mut self) -> bool {
        let Some(end) = memchr::memchr(b'\n', self.rest.as_bytes()) else { return false };
        self.token.text.clear();
        self.token.text.push_str(&self.rest[..end]);
        self.token.position = self.token.position.wrapping_add(1);
        self.rest = &self.rest[end + 1..];
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

/// The dictionary, opened for one question.
pub struct Words {
    reader: Arc<InvertedIndexReader>,
}

impl Words {
    pub fn open(source: &Source, header: &Header) -> Result<Self> {
        let directory = Parts::open(source, header)?;
        let index = Index::open(directory).map_err(Error::words("open"))?;
        let field = index.schema().get_field(FIELD).map_err(Error::words("open"))?;
        let segments = index.searchable_segments().map_err(Error::words("open"))?;
        let [segment] = segments.as_slice() else {
            let (offset, found) = (header.words.offset, segments.len() as u64);
            return Err(Error::Damaged { what: "segments of words", offset, expected: 1, found });
        };
        let reader = SegmentReader::open(segment).map_err(Error::words("open"))?;
        Ok(Self { reader: reader.inverted_index(field).map_err(Error::words("open"))? })
    }

    /// Adds the blocks that hold the word.
    pub fn exact(&self, word: &str, found: &mut Blocks) -> Result<()> {
        match self.reader.terms().get(word).map_err(Error::words("look into"))? {
            Some(info) => self.add(&info, found),
            None => Ok(()),
        }
    }

    /// Adds the blocks of all words that begin with `prefix` and pass the test; `None` when there are more than `max`.
    pub fn some(&self, prefix: &str, max: usize, test: impl Fn(&[u8]) -> bool, found: &mut Blocks) -> Result<Option<()>> {
        let mut stream = self.reader.terms().range().ge(prefix).into_stream().map_err(Error::words("walk over"))?;
        let mut count = 0;
        while let Some((word, info)) = stream.next() {
            if !word.starts_with(prefix.as_bytes()) {
                break;
            }
            if test(word) {
                count += 1;
                if count > max {
                    return Ok(None);
                }
                self.add(info, found)?;
            }
        }
        Ok(Some(()))
    }

    fn add(&self, info: &TermInfo, found: &mut Blocks) -> Result<()> {
        let postings = self.reader.read_postings_from_terminfo(info, IndexRecordOption::Basic);
        let mut postings = postings.map_err(Error::words("read a list of"))?;
        while postings.doc() != TERMINATED {
            found.insert(postings.doc());
            postings.advance();
        }
        Ok(())
    }
}

/// Compares every checksum.
pub fn verify(source: &Source, header: &Header) -> Result<()> {
    let parts = Parts::open(source, header)?;
    (0..parts.checksums.len()).try_for_each(|chunk| parts.chunks(chunk..chunk + 1).map(drop))
}

/// The files as Tantivy sees them: read-only.
#[derive(Clone)]
struct Parts {
    source: Source,
    words: Section,
    files: Arc<HashMap<PathBuf, Range<usize>>>,
    checksums: Arc<[u32]>,
    whole: Option<OwnedBytes>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Parts {
    fn open(source: &Source, header: &Header) -> Result<Self> {
        let bytes = header.table.read(source.as_ref())?;
        check("table of words", header.table.offset, header.table_checksum, &bytes)?;
        let mut fields = Fields(&bytes);
        let mut files = HashMap::new();
        for _ in 0..fields.u16() {
            let len = usize::from(fields.u16()).min(fields.0.len());
            let (name, rest) = fields.0.split_at(len);
            fields = Fields(rest);
            let (offset, len) = (fields.u64(), fields.u64());
            let place = Section { offset, len };
            if place.end() > header.words.len {
                let (expected, found) = (header.words.len, place.end());
                return Err(Error::Damaged { what: "table of words", offset: header.table.offset, expected, found });
            }
            files.insert(PathBuf::from(String::from_utf8_lossy(name).into_owned()), offset as usize..place.end() as usize);
        }
        let checksums: Arc<[u32]> = fields.0.as_chunks().0.iter().map(|four| u32::from_le_bytes(*four)).collect();
        let chunks = header.words.len.div_ceil(CHUNK as u64);
        if checksums.len() as u64 != chunks {
            let (expected, found) = (chunks, checksums.len() as u64);
            return Err(Error::Damaged { what: "table of words", offset: header.table.offset, expected, found });
        }
        let mut parts = Self { source: Arc::clone(source), words: header.words, files: Arc::new(files), checksums, whole: None };
        if header.words.len <= WHOLE_MAX {
            parts.whole = Some(parts.chunks(0..parts.checksums.len())?);
        }
        Ok(parts)
    }

    /// Reads and checks chunks.
    fn chunks(&self, chunks: Range<usize>) -> Result<OwnedBytes> {
        let start = chunks.start * CHUNK;
        let end = (chunks.end * CHUNK).min(self.words.len as usize);
        let bytes = read(self.source.as_ref(), self.words.offset + start as u64, end - start)?;
        for (at, (chunk, checksum)) in bytes.chunks(CHUNK).zip(&self.checksums[chunks]).enumerate() {
            check("words", self.words.offset + (start + at * CHUNK) as u64, *checksum, chunk)?;
        }
        Ok(OwnedBytes::new(bytes.to_vec()))
    }

    fn part(&self, path: &Path) -> Result<Part, OpenReadError> {
        let range = self.files.get(path).ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_owned()))?;
        Ok(Part { parts: self.clone(), range: range.clone() })
    }
}

/// One file.
#[derive(Debug)]
struct Part {
    parts: Parts,
    range: Range<usize>,
}

impl HasLen for Part {
    fn len(&self) -> usize {
        self.range.len()
    }
}

impl FileHandle for Part {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        if range.start > range.end || range.end > self.range.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let range = self.range.start + range.start..self.range.start + range.end;
        if let Some(whole) = &self.parts.whole {
            return Ok(whole.slice(range));
        }
        let chunks = range.start / CHUNK..range.end.div_ceil(CHUNK).max(range.start / CHUNK);
        let bytes = self.parts.chunks(chunks.clone()).map_err(io::Error::other)?;
        Ok(bytes.slice(range.start - chunks.start * CHUNK..range.end - chunks.start * CHUNK))
    }
}

fn read_only() -> io::Error {
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "an index file is never changed")
}

impl Directory for Parts {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        Ok(Arc::new(self.part(path)?))
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        Err(DeleteError::IoError { io_error: Arc::new(read_only()), filepath: path.to_owned() })
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        Ok(self.files.contains_key(path))
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        Err(OpenWriteError::wrap_io_error(read_only(), path.to_owned()))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let part = self.part(path)?;
        let bytes = part.read_bytes(0..part.range.len());
        bytes.map(|bytes| bytes.to_vec()).map_err(|error| OpenReadError::wrap_io_error(error, path.to_owned()))
    }

    fn atomic_write(&self, _: &Path, _: &[u8]) -> io::Result<()> {
        Err(read_only())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn watch(&self, _: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}
