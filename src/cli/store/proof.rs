//! `chieng store verify|anchor|proof|export`: the proof, for operators and auditors.
//!
//! All of these read the data directory, beside a running server or without one; only `anchor --now` writes.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime};
use clap::{Args, Subcommand};
use event::{Micros, seam::Clock as _};
use store::proof::{ExportOptions, Progress, Report, Status, VerifyOptions};

use crate::{
    cli::{Config, remote::Remote},
    clock::SystemClock,
    config::Settings,
    failure::{Failure, Result},
    wiring,
};

/// Could not be checked: neither good nor bad.
const UNCHECKED: u8 = 2;

#[derive(Subcommand)]
pub enum Command {
    /// Check that everything is what it was when it was received; exit 0 intact, 1 not, 2 could not be checked
    ///
    /// Compares the chain and its signatures, anchors from outside, the checksum of every file, and every row. Takes no lock:
    /// works beside the running server, without it, and on a copy.
    Verify(Verify),
    /// Print the last root as one line to write down, print or send; it can be given back to `verify --anchors`
    Anchor(Anchor),
    /// Show how far the proof reaches: last root, last anchor, since when nothing was anchored
    Proof(Proof),
    /// Write the rows of a system with what proves them into a folder that `chieng-verify` checks and DuckDB opens
    Export(Export),
}

#[derive(Args)]
pub struct Verify {
    /// Any text with lines `CHIENG-ROOT …`: mails, a syslog file, typed notes
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,
    /// The public key that was noted: 64 digits, or a file
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Only rows received from this day or time on (2026-11-23, or 2026-11-23T08:00:00+07:00)
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only rows received before this day or time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Leave rows alone: chain, signatures, anchors and checksums of files only
    #[arg(long)]
    files_only: bool,
    /// Print the whole report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: Config,
}

#[derive(Args)]
pub struct Anchor {
    /// Sign a root over everything there is, now; only while no server runs
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    config: Config,
}

#[derive(Args)]
pub struct Proof {
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: Config,
}

#[derive(Args)]
pub struct Export {
    /// The system whose rows are exported; `unassigned` for those of unknown senders
    #[arg(long)]
    system: String,
    /// Only this log class
    #[arg(long)]
    dataset: Option<String>,
    /// Received from this day or time on
    #[arg(long, value_name = "TIME")]
    from: String,
    /// Received before this day or time
    #[arg(long, value_name = "TIME")]
    to: String,
    /// A folder that does not exist yet, or is empty
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Why: for the packet's first page and the audit log
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    config: Config,
}

pub async fn run(command: Command) -> Result {
    match command {
        Command::Verify(options) => verify(options).await,
        Command::Anchor(options) => anchor(options).await,
        Command::Proof(options) => status(&options).await,
        Command::Export(options) => export(options).await,
    }
}

fn settings(config: &Config) -> Result<Settings> {
    Settings::load(config.config.as_deref()).map_err(|problems| Failure::config(&problems))
}

async fn verify(options: Verify) -> Result {
    let settings = settings(&options.config)?;
    let unchecked = |failure: Failure| failure.code(UNCHECKED);
    let cold = settings.store.cold.as_ref().map(wiring::keeping::cold_options).transpose().map_err(unchecked)?;
    let wanted = VerifyOptions {
        cold,
        dir: settings.server.data_dir,
        anchors: options.anchors.as_deref().map_or_else(|| Ok(Vec::new()), read_anchors).map_err(unchecked)?,
        key: options.key.as_deref().map(read_key).transpose().map_err(unchecked)?,
        received: span(options.from.as_deref(), options.to.as_deref()).map_err(unchecked)?,
        files_only: options.files_only,
    };
    let report = store::proof::verify(wanted, watch()).await;
    let report = report.map_err(|error| unchecked(Failure::of("the proof could not be checked", &error)))?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report).unwrap_or_default());
    } else {
        tell(&report);
    }
    if report.is_intact() {
        return Ok(());
    }
    let count = report.divergences_total;
    Err(Failure::new(format!("NOT INTACT: {count} place(s) are not what was proven"))
        .hint("keep the data directory as it is, copy it, and compare with the anchors before anything is repaired"))
}

fn read_anchors(path: &Path) -> Result<Vec<proof::root::Anchor>> {
    let bytes = std::fs::read(path).map_err(|error| Failure::of(format!("failed to read {}", path.display()), &error))?;
    let (anchors, bad) = proof::chain::read_anchors(&String::from_utf8_lossy(&bytes));
    if let Some(reason) = bad.first() {
        return Err(Failure::new(format!("{}: {reason}", path.display())));
    }
    if anchors.is_empty() {
        return Err(Failure::new(format!("{} has no line CHIENG-ROOT", path.display())));
    }
    Ok(anchors)
}

fn read_key(text: &str) -> Result<[u8; 32]> {
    let text = std::fs::read_to_string(text).unwrap_or_else(|_| text.to_owned());
    proof::key::parse_public("--key", &text).map_err(|error| Failure::new(error.to_string()))
}

fn span(from: Option<&str>, to: Option<&str>) -> Result<Option<(Micros, Micros)>> {
    if from.is_none() && to.is_none() {
        return Ok(None);
    }
    let from = from.map_or(Ok(Micros::MIN), time)?;
    let to = to.map_or(Ok(Micros::MAX), time)?;
    if from < to { Ok(Some((from, to))) } else { Err(Failure::new("--from must lie before --to")) }
}

/// A day (its first moment, Vietnamese time) or an RFC 3339 time.
fn time(text: &str) -> Result<Micros> {
    const VIETNAM: i32 = 7 * 3_600;
    if let Ok(day) = text.parse::<NaiveDate>() {
        let zone = FixedOffset::east_opt(VIETNAM);
        let start = zone.and_then(|zone| day.and_time(NaiveTime::MIN).and_local_timezone(zone).single());
        return start.map(|start| start.timestamp_micros()).ok_or_else(|| Failure::new(format!("no such day: {text}")));
    }
    match DateTime::parse_from_rfc3339(text) {
        Ok(time) => Ok(time.timestamp_micros()),
        Err(_) => Err(Failure::new(format!("{text:?} is neither a day (2026-11-23) nor a time (2026-11-23T08:00:00+07:00)"))),
    }
}

/// Shows progress on a terminal, a line at most twice a second.
fn watch() -> store::proof::Watch {
    if !std::io::stderr().is_terminal() {
        return Arc::new(|_| {});
    }
    let last = Mutex::new(Instant::now());
    Arc::new(move |Progress { step, done, total }| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if done == total || last.elapsed() >= Duration::from_millis(500) {
            *last = Instant::now();
            eprint!("\r{step}: {:>3} %\x1b[K", (done * 100).checked_div(total).unwrap_or(100));
            if done == total {
                eprint!("\r\x1b[K");
            }
        }
    })
}

fn tell(report: &Report) {
    let chain = &report.chain;
    println!(
        "journals    {}, {} blocks, {} roots, {} anchors fit",
        chain.journals,
        chain.blocks,
        chain.roots.len(),
        chain.anchors
    );
    println!("files       {}, {} bytes", report.files, report.files_bytes);
    println!("rows        {} in {} leaves are as they were received", report.rows, report.leaves);
    let others = [
        (report.leaves_expired, "leaves were removed by retention, with a record"),
        (report.leaves_partly_expired, "leaves were removed in part by retention: the rest cannot be checked"),
        (report.leaves_unreadable, "leaves lie in files that cannot be read"),
    ];
    for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
        println!("            {count} {what}");
    }
    for span in &report.unsigned {
        println!("not proven  sequences {}–{}: {}", span.sequences.0 + 1, span.sequences.1, span.what);
    }
    if let Some(open) = &chain.unanchored {
        let word = if chain.by_outside { "the anchors given" } else { "the server's own word" };
        let sequences = format!("sequences {}–{}", open.sequences.0 + 1, open.sequences.1);
        println!("unanchored  roots {}–{} since {}, {sequences}, by {word}", open.roots.0, open.roots.1, shown(open.since));
    }
    for remark in &chain.remarks {
        println!("note        {}", plain(remark));
    }
    for found in &report.divergences {
        let parts = [
            found.hour.clone(),
            found.block.map(|(after, through)| format!("sequences {}–{through}", after + 1)),
            found.system.clone(),
            found.dataset.clone(),
            (!found.files.is_empty()).then(|| found.files.join(", ")),
            (!found.events.is_empty()).then(|| format!("events {}", found.events.join(", "))),
        ];
        let place: Vec<String> = parts.into_iter().flatten().collect();
        println!("NOT INTACT  {}: {}", plain(&found.what), plain(&place.join(" · ")));
    }
    if report.divergences_total > report.divergences.len() as u64 {
        println!("            … and {} more", report.divergences_total - report.divergences.len() as u64);
    }
    println!("{}", if report.is_intact() { "intact" } else { "NOT INTACT" });
}

/// Without control characters: systems and datasets are other people's text, and this goes to a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{FFFD}' } else { letter }).collect()
}

fn shown(at: Micros) -> String {
    DateTime::from_timestamp_micros(at).unwrap_or_default().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

async fn read_status(settings: &Settings) -> Result<Status> {
    let status = store::proof::status_of(&settings.server.data_dir, &settings.server.node).await;
    status.map_err(|error| Failure::of("failed to read the state of the proof", &error))
}

async fn anchor(options: Anchor) -> Result {
    let settings = settings(&options.config)?;
    if options.now {
        if Remote::connect(&settings.server.data_dir).await.is_some() {
            return Err(Failure::new("a server runs on this data directory: it signs every hour by itself")
                .hint("leave --now out to print the last root, or stop the server"));
        }
        let offline = wiring::offline(settings.clone(), Arc::new(SystemClock)).await?;
        let failed = |error: store::Error| Failure::of("failed to sign a root", &error);
        let signed = match offline.core.store.flush().await {
            Ok(()) => offline.core.store.close_root(true).await,
            Err(error) => Err(error),
        };
        offline.close().await?;
        signed.map_err(failed)?;
    }
    match read_status(&settings).await?.line {
        Some(line) => {
            println!("{line}");
            Ok(())
        }
        None => Err(Failure::new("there is no root yet: the first one is signed when the first hour with events is over")
            .hint("`chieng store anchor --now` signs one at once while no server runs")),
    }
}

async fn status(options: &Proof) -> Result {
    let status = read_status(&settings(&options.config)?).await?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&status).unwrap_or_default());
        return Ok(());
    }
    let when = |at: Option<Micros>| at.map_or_else(|| "–".to_owned(), shown);
    println!("public key        {}", status.key);
    println!("last root         {} signed {}", status.root, when(status.signed_at));
    println!("signed            through sequence {} of {}", status.signed_through, status.through);
    println!("last anchor       root {} at {}", status.anchored, when(status.anchored_at));
    println!("unanchored since  {}", when(status.unanchored_since));
    if let Some(line) = &status.line {
        println!("line              {line}");
    }
    Ok(())
}

async fn export(options: Export) -> Result {
    let settings = settings(&options.config)?;
    let received = span(Some(&options.from), Some(&options.to))?.unwrap_or((Micros::MIN, Micros::MAX));
    let by = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default();
    let wanted = ExportOptions {
        cold: settings.store.cold.as_ref().map(wiring::keeping::cold_options).transpose()?,
        dir: settings.server.data_dir.clone(),
        out: options.out.clone(),
        system: options.system.clone(),
        dataset: options.dataset,
        received,
        now: SystemClock.now(),
        by: by.clone(),
        reason: options.reason.clone(),
    };
    audit(&settings.server.data_dir, &options.system, &by, &options.reason).await;
    let report = store::proof::export(wanted).await.map_err(|error| Failure::of("failed to export", &error))?;
    if !report.is_intact() {
        let first = report.problems.first().map(|problem| plain(problem)).unwrap_or_default();
        return Err(Failure::new(format!("the packet does not prove its rows: {first}"))
            .hint("run `chieng store verify`: the data are not what was proven"));
    }
    let Some(manifest) = report.manifest else { return Err(Failure::new("the packet has no manifest")) };
    println!("{} rows in {} leaves written to {}", manifest.rows, manifest.leaves, options.out.display());
    if manifest.leaves_unsigned > 0 {
        println!(
            "{} leaves are not signed yet and were left out: export again when their hour is over",
            manifest.leaves_unsigned
        );
    }
    if manifest.leaves_incomplete > 0 {
        println!("{} leaves were left out: some of their rows are gone", manifest.leaves_incomplete);
    }
    if manifest.rows == 0 {
        println!("note: nothing of system {:?} in that span", plain(&manifest.system));
    }
    Ok(())
}

/// Notes in the audit log that lines left the house; before they do.
async fn audit(dir: &Path, system: &str, by: &str, reason: &str) {
    let Some(remote) = Remote::connect(dir).await else {
        eprintln!("note: no server runs, so that this export does not stand in its audit log");
        return;
    };
    let now = SystemClock.now();
    let record = serde_json::json!({
        "@timestamp": shown(now),
        "event.kind": "event",
        "event.category": ["configuration"],
        "event.type": ["access"],
        "event.module": "chieng",
        "event.dataset": respond::audit::SOURCE,
        "event.provider": "cli",
        "event.action": "evidence.export",
        "user.name": by,
        "related.system": [system],
        "message": reason,
    });
    let mut batch = event::RawBatch::new(respond::audit::SOURCE, None, now);
    batch.push(record.to_string().as_bytes());
    if let Err(refused) = remote.sink().submit(batch).await {
        eprintln!("note: the server did not take this export into its audit log: {refused}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_vietnamese_and_times_are_exact() {
        assert_eq!(time("2026-09-21").unwrap(), time("2026-09-20T17:00:00Z").unwrap());
        assert_eq!(time("2026-09-21T14:13:20Z").unwrap(), 1_790_000_000_000_000);
        for bad in ["21/09/2026", "2026-13-01", "2026-09-21 10:00", ""] {
            assert!(time(bad).is_err(), "{bad}");
        }
        assert!(span(Some("2026-09-21"), Some("2026-09-21")).is_err());
        assert_eq!(span(None, None).unwrap(), None);
    }
}
