//! Runs one compaction on its thread: slices in, files out. Nothing is published here.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use arrow::datatypes::SchemaRef;
use event::Micros;

use super::{
    BlockObserver, HOUR, ObserverFactory,
    plan::Job,
    slice::{self, Facts, RowRef, Slice},
    write::{FileWriter, PAGE_ROWS, logical_rows, union},
};
use crate::{
    Error, IndexFile, Result, Segment, Store,
    line::{FORMAT_LINES, encode::Encoder},
    snapshot::Systems,
};

/// Longest pause for ingest between two row groups.
const PAUSE_MAX: Duration = Duration::from_secs(5);
const PAUSE_STEP: Duration = Duration::from_millis(20);

/// A file being written.
struct Output {
    unit: i64,
    id: String,
    location: String,
    writer: FileWriter,
    observer: Option<Box<dyn BlockObserver>>,
    systems: Systems,
    timestamp: Option<(Micros, Micros)>,
}

struct Run<'s> {
    store: &'s Store,
    job: &'s Job,
    logical: SchemaRef,
    encoder: Encoder,
    open: BTreeMap<i64, Output>,
    /// How many files a unit has so far.
    files: BTreeMap<i64, u32>,
    done: Vec<Segment>,
}

/// Writes the outputs of a job: whole, synced, under their own names. On an error what was written is removed.
pub(super) fn run(store: &Store, job: &Job, observers: Option<&ObserverFactory>) -> Result<Vec<Segment>> {
    let mut run = Run {
        store,
        job,
        logical: union(job.inputs.iter().map(|segment| &segment.schema)),
        encoder: Encoder::new(&store.options.node),
        open: BTreeMap::new(),
        files: BTreeMap::new(),
        done: Vec::new(),
    };
    let outcome = run.slices(observers);
    let Run { open, done, .. } = run;
    match outcome {
        Ok(()) => Ok(done),
        Err(error) => {
            let parts = open.into_values().map(|output| output.location);
            for location in parts.chain(done.iter().flat_map(Segment::locations)) {
                store.data.discard(&location);
            }
            Err(error)
        }
    }
}

impl Run<'_> {
    fn slices(&mut self, observers: Option<&ObserverFactory>) -> Result<()> {
        // Damage must not be carried into a file with a good checksum.
        self.job.inputs.iter().try_for_each(|segment| verify(segment))?;
        let options = &self.store.options;
        let slices = slice::plan(&self.job.inputs, options.compact_slice_rows, options.compact_slice_bytes)?;
        let expected: u64 = self.job.inputs.iter().map(|segment| segment.rows).sum();
        for (at, pieces) in slices.iter().enumerate() {
            if at > 0 {
                self.give_way();
            }
            if self.store.stopping.load(Ordering::Relaxed) {
                return Err(Error::Stopped("compaction"));
            }
            let slice = slice::read(pieces, &mut self.encoder, observers.is_some(), self.job.span)?;
            for rows in slice.rows.chunk_by(|one, two| one.unit == two.unit) {
                self.write(&slice, rows, observers)?;
            }
            // Units before the next slice's first are complete.
            let next = slices.get(at + 1).and_then(|pieces| pieces.first());
            let next = next.map(|piece| piece.ingested.unwrap_or(piece.segment.ingested).0.div_euclid(self.job.span));
            let complete: Vec<i64> = self.open.keys().copied().filter(|unit| next.is_none_or(|next| *unit < next)).collect();
            for unit in complete {
                self.finish(unit)?;
            }
        }
        let found: u64 = self.done.iter().map(|segment| segment.rows).sum();
        if found != expected {
            let segment = self.job.inputs.first().map(|segment| segment.id.clone()).unwrap_or_default();
            let source = format!("{found} rows came out, {expected} expected").into();
            return Err(Error::Segment { what: "compact", segment, source });
        }
        Ok(())
    }

    fn write(&mut self, slice: &Slice, rows: &[RowRef], observers: Option<&ObserverFactory>) -> Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        let unit = first.unit;
        let is_full = |output: &Output| {
            output.writer.rows > 0
                && output.writer.bytes().saturating_add(slice.written_max) > self.store.options.compact_file_bytes
        };
        if self.open.get(&unit).is_some_and(is_full) {
            self.finish(unit)?;
        }
        if !self.open.contains_key(&unit) {
            let output = self.create(unit, observers)?;
            self.open.insert(unit, output);
            *self.files.entry(unit).or_default() += 1;
        }
        let Some(output) = self.open.get_mut(&unit) else { return Ok(()) };
        output.writer.write_group(slice, rows, &self.encoder).map_err(Error::segment("write", &output.id))?;
        if let Some(Facts { systems, timestamp }) = slice.units.get(&unit) {
            systems.parts().iter().for_each(|part| output.systems.add(part));
            if let Some((from, to)) = timestamp {
                output.timestamp = Some(output.timestamp.map_or((*from, *to), |span| (span.0.min(*from), span.1.max(*to))));
            }
        }
        if let Some(observer) = &mut output.observer {
            let wanted = observer.columns();
            for rows in rows.chunks(PAGE_ROWS) {
                let batch = logical_rows(slice, rows, &wanted, &self.logical).map_err(Error::segment("index", &output.id))?;
                observer.rows(&batch)?;
            }
        }
        Ok(())
    }

    fn create(&self, unit: i64, observers: Option<&ObserverFactory>) -> Result<Output> {
        // The first hour, not the unit's: two runs of one day may come from a single flush.
        let first = self.job.inputs.iter().map(|segment| segment.ingested.0).min().unwrap_or(0);
        let hour = first.max(unit.saturating_mul(self.job.span)).div_euclid(HOUR);
        let started = chrono::DateTime::from_timestamp_micros(hour.saturating_mul(HOUR)).unwrap_or_default();
        let (after, through) = self.sequences();
        let part = self.files.get(&unit).map(|count| format!("-p{}", count + 1)).unwrap_or_default();
        let suffix = if self.job.skewed { "-skewed" } else { "" };
        let id = format!("{}-{after:x}-{through:x}-l{}{part}{suffix}", started.format("%Y%m%dT%H"), self.job.level);
        let location = format!("{}/{id}.parquet", started.format("%Y-%m-%d"));
        let file = self.store.data.create(&location)?;
        let writer = FileWriter::create(file, SchemaRef::clone(&self.logical), &self.store.options.node);
        Ok(Output {
            unit,
            writer: writer.map_err(Error::segment("write", &id))?,
            observer: observers.map(|factory| factory(&id)),
            id,
            location,
            systems: Systems::default(),
            timestamp: None,
        })
    }

    fn sequences(&self) -> (u64, u64) {
        let inputs = self.job.inputs.iter();
        (
            inputs.clone().map(|segment| segment.sequences.0).min().unwrap_or(0),
            inputs.map(|segment| segment.sequences.1).max().unwrap_or(0),
        )
    }

    fn finish(&mut self, unit: i64) -> Result<()> {
        let Some(output) = self.open.remove(&unit) else { return Ok(()) };
        debug_assert_eq!(output.unit, unit);
        let index = match output.observer {
            Some(observer) => observer.finish()?,
            None => None,
        };
        let finished = output.writer.finish().map_err(Error::segment("write", &output.id))?;
        let index = match index {
            Some(bytes) => {
                let location = format!("{}.index", output.location.trim_end_matches(".parquet"));
                self.store.data.put_blocking(&location, &bytes)?;
                Some(IndexFile { location, bytes: bytes.len() as u64 })
            }
            None => None,
        };
        self.store.data.keep(&output.location)?;
        let systems = output.systems.finish();
        let inputs = &self.job.inputs;
        self.done.push(Segment {
            path: self.store.data.path(&output.location),
            location: output.location,
            rows: finished.rows,
            bytes: finished.bytes,
            checksum: finished.checksum,
            sequences: self.sequences(),
            timestamp: output.timestamp,
            ingested: (
                systems.iter().map(|part| part.ingested.0).min().unwrap_or(0),
                systems.iter().map(|part| part.ingested.1).max().unwrap_or(0),
            ),
            datasets: systems.iter().map(|part| part.class.clone()).collect(),
            systems,
            schema: SchemaRef::clone(&self.logical),
            residual_keys: Arc::new(inputs.iter().flat_map(|segment| segment.residual_keys.iter().cloned()).collect()),
            residual_complete: inputs.iter().all(|segment| segment.residual_complete),
            skewed: self.job.skewed,
            level: self.job.level,
            format: FORMAT_LINES,
            index,
            cold: None,
            id: output.id,
        });
        Ok(())
    }

    /// Waits while ingest is behind, for a limited time: debt that only grows helps nobody.
    fn give_way(&self) {
        let started = Instant::now();
        let is_busy = || {
            let hot = self.store.hot_bytes.load(Ordering::Relaxed);
            hot > self.store.options.hot_bytes_max / 2 || self.store.is_behind()
        };
        while is_busy() && started.elapsed() < PAUSE_MAX && !self.store.stopping.load(Ordering::Relaxed) {
            std::thread::sleep(PAUSE_STEP);
        }
    }
}

/// Compares a file with the catalogue's checksum.
fn verify(segment: &Segment) -> Result<()> {
    let failed = || Error::file("read segment", &segment.path);
    let mut file = std::fs::File::open(&segment.path).map_err(failed())?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        let len = std::io::Read::read(&mut file, &mut buffer).map_err(failed())?;
        if len == 0 {
            break;
        }
        hasher.update(&buffer[..len]);
    }
    let found = hasher.finalize();
    if *found.as_bytes() == segment.checksum {
        return Ok(());
    }
    Err(Error::Damaged {
        segment: segment.id.clone(),
        path: segment.path.clone(),
        expected: blake3::Hash::from_bytes(segment.checksum).to_hex().to_string(),
        found: found.to_hex().to_string(),
    })
}
