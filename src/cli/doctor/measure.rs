//! What logs take on disk, measured: they go through the same pipe into a store of their own, which is compacted, measured and
//! thrown away.
//!
//! A class of a few hundred events pays for the file's footer and comes out too big; the number of events stands beside it.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use event::seam::Clock as _;
use serde_json::Value;

use crate::{
    cli::ingest,
    clock::SystemClock,
    config::Settings,
    demo,
    failure::{Failure, Result},
    sizing::Row,
    wiring::{self, Offline},
};

/// Files of one folder at most.
const FILES_MAX: usize = 10_000;

/// Measures each path by itself, then the demo, when it is asked for; in order of class and origin.
pub(super) async fn run(settings: &Settings, paths: &[PathBuf], demo_lines_wanted: Option<u32>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for path in paths {
        let files = files(path)?;
        let origin = path.file_name().map_or_else(|| "files".into(), |name| name.to_string_lossy().into_owned());
        let fill =
            async |offline: &Offline| ingest::all(&files, "measure", &offline.core.settings, offline.core.store.sink()).await;
        rows.extend(one(settings, &origin, fill).await?);
    }
    if let Some(lines) = demo_lines_wanted {
        let fill = async |offline: &Offline| demo_lines(offline, lines).await;
        let mut settings = settings.clone();
        settings.ingest.sources = demo::estate::sources();
        rows.extend(one(&settings, "demo", fill).await?);
    }
    rows.sort_by(|one, two| (&one.class, &one.origin).cmp(&(&two.class, &two.origin)));
    Ok(rows)
}

async fn one(settings: &Settings, origin: &str, fill: impl AsyncFnOnce(&Offline) -> Result) -> Result<Vec<Row>> {
    let dir = Scratch::new()?;
    let mut settings = settings.clone();
    settings.server.data_dir = dir.0.clone();
    settings.store.cold = None;
    let offline = wiring::offline(settings, Arc::new(SystemClock)).await?;
    // What could not be read is told; the rest was stored.
    if let Err(failure) = fill(&offline).await {
        failure.report();
    }
    let measured = measure(&offline, origin).await;
    offline.close().await?;
    measured
}

async fn measure(offline: &Offline, origin: &str) -> Result<Vec<Row>> {
    offline.settle().await;
    let failed = |error: store::Error| Failure::of("failed to measure", &error);
    let store = &offline.core.store;
    store.flush().await.map_err(failed)?;
    store.compact_all().await.map_err(failed)?;
    let raw = raw_bytes(offline).await?;
    let sizes = store.class_sizes(usize::MAX).await.map_err(failed)?;
    let row = |size: store::ClassSize| Row {
        raw: raw.get(&size.class).copied(),
        events: size.rows,
        stored: size.per_event(),
        class: size.class,
        origin: origin.to_owned(),
    };
    // The program's own audit events are nobody's logs.
    Ok(sizes.into_iter().filter(|size| size.class != respond::audit::SOURCE).map(row).collect())
}

/// Mean length of the line, by class.
async fn raw_bytes(offline: &Offline) -> Result<HashMap<String, f64>> {
    let sql = "SELECT event.dataset AS class, avg(octet_length(coalesce(event.original, event.original_bytes))) AS raw \
               FROM events GROUP BY event.dataset";
    let mut text = Vec::new();
    offline
        .query(sql, "ndjson", |piece| {
            text.extend_from_slice(piece);
            Ok(())
        })
        .await?;
    let rows = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let row = |line: &[u8]| {
        let value: Value = serde_json::from_slice(line).ok()?;
        Some((value["class"].as_str()?.to_owned(), value["raw"].as_f64()?))
    };
    Ok(rows.filter_map(row).collect())
}

/// Lines of the invented province, as fast as they go in: the files are full ones, as of a busy server.
async fn demo_lines(offline: &Offline, lines: u32) -> Result {
    let now = SystemClock.now();
    let options = demo::Options { days: 0, dense: u64::from(lines), ..demo::Options::at(now) };
    let sink = offline.core.store.sink();
    let loaded = demo::load::load(demo::History::new(options), sink, |_| {}, |_| {}).await;
    loaded.map(|_| ()).map_err(|error| Failure::of("failed to load the demo's lines", &error))
}

/// A file, or the files of a folder and those below it, in the order of their names.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error: std::io::Error| Failure::of(format!("failed to read {}", path.display()), &error);
    if !path.is_dir() {
        std::fs::metadata(path).map_err(failed)?;
        return Ok(vec![path.to_owned()]);
    }
    let (mut found, mut folders) = (Vec::new(), vec![path.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            match entry.file_type().map_err(failed)? {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() && found.len() < FILES_MAX => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A folder that goes when this does.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let name = dashboards::random_token().map_err(|error| Failure::of("failed to get randomness from the system", &error))?;
        let dir = std::env::temp_dir().join(format!("chieng-measure-{}", &name[..16]));
        std::fs::create_dir(&dir).map_err(|error| Failure::of(format!("failed to create {}", dir.display()), &error))?;
        Ok(Self(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
