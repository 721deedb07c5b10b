//! Files ingested once: plain, gzip, zstd (nested a little), EVTX. Resumable and exactly-once by [`SourceCursor`].
//!
//! | Content | File id | Offset |
//! |---|---|---|
//! | plain lines | device, inode, hash of the first line | bytes |
//! | compressed lines | hash of the file's bytes | decompressed bytes |
//! | EVTX | hash of the file's bytes | records |
//!
//! A file known by the hash of its bytes cannot grow: once read to its end its offset is [`OFFSET_DONE`], and a second
//! attempt, under whatever name, has nothing to do. What a cap cuts or a broken archive hides is counted as refused, and
//! [`IngestFile::trouble`] says what it was.

use std::{
    collections::VecDeque,
    fs::{File, Metadata},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use event::{Micros, RawBatch, SourceCursor, raw::RefusedReason, seam::Sink};
use evtx::{EvtxParser, IntoIterChunks, ParserSettings};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    Context, Error,
    decompress::Cut,
    framing::{Frame, Framer},
    metrics::{Counters, add, one},
    settings::FileSettings,
    submit::submit_patiently,
    unpack::{UnpackCaps, Unpacked, broken, unpack},
};

/// The offset of a file that was read to its end and cannot grow.
pub const OFFSET_DONE: u64 = i64::MAX as u64;

/// Records of one batch together: large, because every batch waits for the disk.
const BATCH_BYTES: usize = 1 << 20;
const READ_BYTES: usize = 256 << 10;
/// What tells plain files on one inode apart: their first line, up to so many bytes.
const FIRST_LINE_BYTES: usize = 256;
/// How often one inode may begin anew with the same first line and still be told apart.
const GENERATIONS_MAX: u32 = 1_000;

/// How far a file has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the file as it lies on disk.
    pub read_bytes: u64,
    pub total_bytes: u64,
    /// Records of this run.
    pub records: u64,
    /// Where an earlier run had left off, in the unit of the file's offset; [`OFFSET_DONE`] when nothing was left to do.
    pub resumed_at: u64,
}

/// A file being read, batch by batch. It blocks: use it on a thread where that does no harm.
pub struct IngestFile {
    source: String,
    id: String,
    content: Content,
    /// Shares its position with the reader, whichever layers lie between.
    file: File,
    is_sealed: bool,
    is_over: bool,
    trouble: Option<String>,
    /// A refusal that the next batch must carry.
    unbooked: Option<RefusedReason>,
    progress: Progress,
    offset: u64,
    record_max: usize,
    counters: Arc<Counters>,
}

enum Content {
    Lines { reader: Box<dyn Read + Send>, framer: Framer, buffer: Vec<u8> },
    Evtx { chunks: Box<dyn Iterator<Item = Chunk> + Send>, ready: VecDeque<Result<String, String>>, skip: u64 },
    Nothing,
}

/// The records of one EVTX chunk, each as JSON or as the reason why not.
type Chunk = VecDeque<Result<String, String>>;

impl IngestFile {
    /// Opens a file where an earlier run left off.
    pub fn open(path: &Path, source: &str, context: &Context, settings: &FileSettings) -> Result<Self, Error> {
        let failed = |source| Error::Open { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(io::Error::from(io::ErrorKind::IsADirectory)));
        }
        let caps =
            UnpackCaps { bytes_max: settings.unpacked_max.0, ratio_max: settings.ratio_max, nesting_max: settings.nesting_max };
        let unpacked = unpack(file.try_clone().map_err(failed)?, caps);
        let is_sealed = !matches!(unpacked, Ok(Unpacked::Plain(_)));
        let (id, offset) = if is_sealed {
            let id = content_id(path).map_err(failed)?;
            let offset = context.sink.file_offset(source, &id);
            (id, offset)
        } else {
            let base = plain_id(&metadata, &first_line(&file).map_err(failed)?);
            generation(&*context.sink, source, &base, metadata.len())
        };
        let mut this = Self {
            source: source.to_owned(),
            id,
            content: Content::Nothing,
            is_sealed,
            is_over: offset >= OFFSET_DONE,
            trouble: None,
            unbooked: None,
            progress: Progress { total_bytes: metadata.len(), resumed_at: offset, ..Progress::default() },
            offset,
            record_max: settings.line_max.len(),
            counters: context.metrics.of("file", source),
            file: file.try_clone().map_err(failed)?,
        };
        if this.is_over {
            file.seek(SeekFrom::End(0)).map_err(failed)?;
            return Ok(this);
        }
        let evtx = |error: evtx::err::EvtxError| Error::Evtx { path: path.to_owned(), reason: error.to_string() };
        this.content = match unpacked {
            Ok(Unpacked::Plain(mut file)) => {
                file.seek(SeekFrom::Start(offset)).map_err(failed)?;
                this.lines(Box::new(file))
            }
            Ok(Unpacked::Lines(mut reader)) => {
                // What an earlier run read is unpacked again and passed over.
                match io::copy(&mut reader.by_ref().take(offset), &mut io::sink()) {
                    Ok(_) => this.lines(reader),
                    Err(error) => {
                        this.spoil(&broken(error));
                        Content::Nothing
                    }
                }
            }
            Ok(Unpacked::Evtx(file)) => records(EvtxParser::from_read_seek(file).map_err(evtx)?.into_chunks(), offset),
            Ok(Unpacked::EvtxBytes(bytes)) => records(EvtxParser::from_buffer(bytes).map_err(evtx)?.into_chunks(), offset),
            Err(cut) => {
                this.spoil(&cut);
                Content::Nothing
            }
        };
        Ok(this)
    }

    fn lines(&self, reader: Box<dyn Read + Send>) -> Content {
        let framer = Framer::lines(self.record_max, self.offset);
        Content::Lines { reader, framer, buffer: vec![0; READ_BYTES] }
    }

    pub fn progress(&mut self) -> Progress {
        let position = self.file.stream_position().unwrap_or(0);
        self.progress.read_bytes = if self.is_over { self.progress.total_bytes } else { position };
        self.progress
    }

    /// Why the file was not read to its end, or what in it could not be read; `None` when all is well.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Reads on. `None` at the end; the last batch may carry nothing but the end of the file and what was refused.
    pub fn next_batch(&mut self, received: Micros) -> Option<RawBatch> {
        if self.is_over {
            return None;
        }
        let mut batch = RawBatch::new(&self.source, None, received);
        match std::mem::replace(&mut self.content, Content::Nothing) {
            Content::Lines { reader, framer, buffer } => self.read_lines(reader, framer, buffer, &mut batch),
            Content::Evtx { chunks, ready, skip } => self.read_evtx(chunks, ready, skip, &mut batch),
            Content::Nothing => self.is_over = true,
        }
        if let Some(reason) = self.unbooked.take() {
            refuse(&mut batch, reason, 1);
        }
        for (reason, n) in &batch.refused {
            self.counters.refuse(*reason, *n);
        }
        if self.is_over && self.is_sealed {
            self.offset = OFFSET_DONE;
        }
        add(&self.counters.received, batch.len() as u64);
        add(&self.counters.received_bytes, batch.data.len() as u64);
        self.progress.records += batch.len() as u64;
        batch.cursor = Some(SourceCursor { file: self.id.clone(), offset: self.offset });
        Some(batch)
    }

    fn read_lines(&mut self, mut reader: Box<dyn Read + Send>, mut framer: Framer, mut buffer: Vec<u8>, batch: &mut RawBatch) {
        let mut end = self.offset;
        let counters = Arc::clone(&self.counters);
        let mut push = |frame: Frame<'_>| {
            if frame.cut > 0 {
                one(&counters.cut);
                add(&counters.cut_bytes, frame.cut);
            }
            batch.push(frame.bytes);
            end = frame.end;
            batch.data.len()
        };
        let mut len = 0;
        while len < BATCH_BYTES && !self.is_over {
            match reader.read(&mut buffer) {
                Ok(0) => {
                    framer.finish(|frame| len = push(frame));
                    self.is_over = true;
                }
                Ok(n) => framer.feed(&buffer[..n], |frame| len = push(frame)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    framer.finish(|frame| len = push(frame));
                    self.spoil(&broken(error));
                    self.is_over = true;
                }
            }
        }
        self.offset = end;
        self.content = Content::Lines { reader, framer, buffer };
    }

    fn read_evtx(
        &mut self,
        mut chunks: Box<dyn Iterator<Item = Chunk> + Send>,
        mut ready: Chunk,
        mut skip: u64,
        batch: &mut RawBatch,
    ) {
        while batch.data.len() < BATCH_BYTES {
            let Some(record) = ready.pop_front() else {
                match chunks.next() {
                    Some(more) => ready = more,
                    None => {
                        self.is_over = true;
                        break;
                    }
                }
                continue;
            };
            if skip > 0 {
                skip -= 1;
                continue;
            }
            self.offset += 1;
            match record {
                Ok(json) if json.len() <= self.record_max => batch.push(json.as_bytes()),
                Ok(_) => refuse(batch, RefusedReason::Limit, 1),
                Err(reason) => {
                    self.trouble.get_or_insert(reason);
                    refuse(batch, RefusedReason::Malformed, 1);
                }
            }
        }
        self.content = Content::Evtx { chunks, ready, skip };
    }

    /// Notes why reading ends early.
    fn spoil(&mut self, cut: &Cut) {
        self.unbooked = Some(if cut.is_limit() { RefusedReason::Limit } else { RefusedReason::Malformed });
        self.trouble = Some(cut.to_string());
    }
}

fn refuse(batch: &mut RawBatch, reason: RefusedReason, n: u64) {
    match batch.refused.iter_mut().find(|(have, _)| *have == reason) {
        Some((_, count)) => *count += n,
        None => batch.refused.push((reason, n)),
    }
}

/// The records of an EVTX file, chunk by chunk, without those an earlier run read.
fn records<T: Read + Seek + Send + 'static>(chunks: IntoIterChunks<T>, skip: u64) -> Content {
    Content::Evtx { chunks: Box::new(read_chunks(chunks)), ready: Chunk::new(), skip }
}

/// The records of an EVTX file in memory, each as JSON or as the reason why not.
pub fn evtx_records(bytes: Vec<u8>) -> Result<impl Iterator<Item = Result<String, String>>, Error> {
    let failed = |error: evtx::err::EvtxError| Error::Evtx { path: "standard input".into(), reason: error.to_string() };
    Ok(read_chunks(EvtxParser::from_buffer(bytes).map_err(failed)?.into_chunks()).flatten())
}

fn read_chunks<T: Read + Seek + Send + 'static>(chunks: IntoIterChunks<T>) -> impl Iterator<Item = Chunk> + Send {
    let settings = Arc::new(ParserSettings::new().num_threads(1).indent(false));
    chunks.map(move |chunk| {
        let mut data = match chunk {
            Ok(data) => data,
            Err(error) => return Chunk::from([Err(format!("unreadable chunk: {error}"))]),
        };
        match data.parse(Arc::clone(&settings)) {
            Ok(mut chunk) => {
                let json = |record: Result<evtx::EvtxRecord<'_>, _>| record.and_then(evtx::EvtxRecord::into_json);
                chunk.iter().map(|record| json(record).map(|r| r.data).map_err(|e| format!("unreadable record: {e}"))).collect()
            }
            Err(error) => Chunk::from([Err(format!("unreadable chunk: {error}"))]),
        }
    })
}

/// The first line of a file, as far as it is there; a file's own position is not moved.
pub(crate) fn first_line(file: &File) -> io::Result<Vec<u8>> {
    let mut first = vec![0; FIRST_LINE_BYTES];
    let mut n = 0;
    while n < first.len() {
        match file.read_at(&mut first[n..], n as u64)? {
            0 => break,
            more => n += more,
        }
    }
    let end = memchr::memchr(b'\n', &first[..n]).map_or(n, |at| at + 1);
    first.truncate(end);
    Ok(first)
}

/// True when a first line tells its file apart: it has ended, or is as long as we look.
pub(crate) fn is_telling(first: &[u8]) -> bool {
    first.len() == FIRST_LINE_BYTES || first.last() == Some(&b'\n')
}

/// The identity of a plain file, before its generation is known.
pub(crate) fn plain_id(metadata: &Metadata, first_line: &[u8]) -> String {
    let hash = blake3::hash(first_line).to_hex();
    format!("{:x}-{:x}-{}", metadata.dev(), metadata.ino(), &hash[..16])
}

/// Which time the inode begins with this first line, and where to read on. A file that is shorter than what was read of it
/// was emptied and filled anew: that is the next generation.
pub(crate) fn generation(sink: &dyn Sink, source: &str, base: &str, len: u64) -> (String, u64) {
    let name = |n: u32| if n == 0 { base.to_owned() } else { format!("{base}-{n}") };
    let known = (0..GENERATIONS_MAX).take_while(|&n| sink.file_offset(source, &name(n)) > 0).count() as u32;
    let latest = known.saturating_sub(1);
    let offset = sink.file_offset(source, &name(latest));
    if offset <= len { (name(latest), offset) } else { (name(latest + 1), 0) }
}

/// The identity of a file that cannot grow: the hash of its bytes.
fn content_id(path: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(format!("b3-{}", &hasher.finalize().to_hex()[..40]))
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub path: PathBuf,
    pub progress: Progress,
    /// Records or parts of the file that could not be kept, by reason.
    pub refused: Vec<(RefusedReason, u64)>,
    pub trouble: Option<String>,
}

/// Ingests one file to its end: batch after batch in order, each durable before its cursor counts. Pressure is waited out.
/// Stopping between two batches leaves a file that the next call resumes.
pub async fn ingest(
    path: &Path,
    source: &str,
    context: &Context,
    settings: &FileSettings,
    stop: &CancellationToken,
    mut progress: impl FnMut(Progress),
) -> Result<Summary, Error> {
    let (sender, mut batches) = mpsc::channel::<(RawBatch, Progress)>(2);
    let reader = {
        let (path, source, context, settings) = (path.to_owned(), source.to_owned(), context.clone(), settings.clone());
        tokio::task::spawn_blocking(move || -> Result<IngestFile, Error> {
            let mut file = IngestFile::open(&path, &source, &context, &settings)?;
            while let Some(batch) = file.next_batch(context.clock.now()) {
                let progress = file.progress();
                if sender.blocking_send((batch, progress)).is_err() {
                    break;
                }
            }
            Ok(file)
        })
    };
    let counters = context.metrics.of("file", source);
    let mut refused = RawBatch::default();
    let mut stored = Progress::default();
    let mut failure = None;
    while let Some((batch, at)) = batches.recv().await {
        for (reason, n) in &batch.refused {
            refuse(&mut refused, *reason, *n);
        }
        if stop.is_cancelled() {
            failure = Some(event::seam::Refused::Closing);
        } else if let Err(why) = submit_patiently(&context.sink, batch, &counters, stop).await {
            failure = Some(why);
        }
        if failure.is_some() {
            break;
        }
        stored = at;
        progress(at);
    }
    drop(batches);
    let file = reader.await;
    if let Some(source) = failure {
        return Err(Error::Refused { what: path.display().to_string(), source });
    }
    // A panic of the EVTX reader over a hostile file costs that file, not the program.
    let reason = || Error::Evtx { path: path.to_owned(), reason: "the reader gave up".into() };
    let mut file = file.map_err(|_| reason())??;
    if stored == Progress::default() {
        stored = file.progress();
    }
    Ok(Summary { path: path.to_owned(), progress: stored, refused: refused.refused, trouble: file.trouble })
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
