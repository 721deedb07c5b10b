//! `chieng ingest`: files into the store, each part once. Through the running server, or through the same pipe without one.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use event::seam::{Clock as _, Refused, Sink};
use indicatif::{ProgressBar, ProgressStyle};
use ingest::files::IngestFile;

use super::{Config, remote::Remote};
use crate::{
    clock::SystemClock,
    config::Settings,
    failure::{Failure, Result},
    formats::Known,
    wiring,
};

#[derive(Args)]
pub struct Options {
    /// Files: plain text, gzip, zstd, EVTX
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Source that the records count for; its time zone and parser hold
    #[arg(long, value_name = "NAME")]
    source: String,
    #[command(flatten)]
    config: Config,
}

pub async fn run(options: Options) -> Result {
    if !ingest::sources::is_source_name(&options.source) {
        return Err(Failure::new(format!("{:?} is no source name", options.source)).hint("1 to 64 of a–z, 0–9, _ . -"));
    }
    let settings = Settings::load(options.config.config.as_deref()).map_err(|problems| Failure::config(&problems))?;
    if let Some(remote) = Remote::connect(&settings.server.data_dir).await {
        return files(&options, &settings, remote.sink()).await;
    }
    let offline = wiring::offline(settings.clone(), Arc::new(SystemClock)).await?;
    let done = files(&options, &settings, offline.core.store.sink()).await;
    offline.close().await?;
    done
}

async fn files(options: &Options, settings: &Settings, sink: Arc<dyn Sink>) -> Result {
    all(&options.paths, &options.source, settings, sink).await
}

/// Submits files one after the other; what is wrong inside one is told after everything readable was stored.
pub async fn all(paths: &[PathBuf], source: &str, settings: &Settings, sink: Arc<dyn Sink>) -> Result {
    let formats = Known::open(settings.mappings.clone()).load();
    let parsers = |name: &str| formats.by_name(name).is_some();
    let sources = ingest::Sources::from_settings(&settings.ingest, parsers)
        .map_err(|problems| Failure::new(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
    let context =
        ingest::Context { sink: sink.clone(), clock: Arc::new(SystemClock), sources: Arc::new(sources), metrics: Arc::default() };
    let mut troubles = Vec::new();
    for path in paths {
        let opened = tokio::task::block_in_place(|| IngestFile::open(path, source, &context, &settings.ingest.files));
        let file = match opened {
            Ok(file) => file,
            Err(error) => {
                troubles.push(format!("{}: {error}", path.display()));
                continue;
            }
        };
        if let Some(trouble) = one(file, path, &sink).await? {
            troubles.push(format!("{}: {trouble}", path.display()));
        }
    }
    if troubles.is_empty() { Ok(()) } else { Err(Failure::new(troubles.join("\n"))) }
}

/// Submits one file; returns what was wrong inside it, after everything readable was stored.
async fn one(mut file: IngestFile, path: &std::path::Path, sink: &Arc<dyn Sink>) -> Result<Option<String>> {
    let style = ProgressStyle::with_template("{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    let bar = ProgressBar::new(file.progress().total_bytes).with_message(path.display().to_string());
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    loop {
        let now = SystemClock.now();
        let Some(batch) = tokio::task::block_in_place(|| file.next_batch(now)) else { break };
        submit(sink, batch).await?;
        bar.set_position(file.progress().read_bytes);
    }
    bar.finish();
    let progress = file.progress();
    eprintln!(
        "{}: {} records{}",
        path.display(),
        progress.records,
        if progress.resumed_at > 0 { ", the part before was known" } else { "" }
    );
    Ok(file.trouble().map(str::to_owned))
}

/// Submits until taken: a file waits while the store is under pressure.
async fn submit(sink: &Arc<dyn Sink>, batch: event::RawBatch) -> Result {
    loop {
        match sink.submit(batch.clone()).await {
            Ok(_) => return Ok(()),
            Err(Refused::Pressure { retry_after_ms }) => {
                tokio::time::sleep(Duration::from_millis(retry_after_ms.clamp(10, 5_000))).await
            }
            Err(refused) => {
                return Err(Failure::new(format!("the store did not take a batch: {refused}"))
                    .hint("run the command again: it goes on where it stopped"));
            }
        }
    }
}
