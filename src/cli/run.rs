//! `chieng run`: the server, until SIGTERM or Ctrl-C; SIGHUP reads the configuration's rules and sources again.

use std::{fs, path::PathBuf, sync::Arc};

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use super::Config;
use crate::{
    clock::SystemClock,
    config::Settings,
    failure::{Failure, Result},
    wiring::{self, Running},
};

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    config: Config,
    /// Write the listening addresses to this file, as JSON, once everything is ready
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

pub async fn run(options: Options) -> Result {
    let settings = Settings::load(options.config.config.as_deref()).map_err(|problems| Failure::config(&problems))?;
    start_log();
    let running = wiring::start(settings, Arc::new(SystemClock)).await?;
    announce(&running);
    if let Some(path) = &options.ready_file {
        write_ready(path, &running)?;
    }
    until_told(&running, options.config).await?;
    running.stop().await
}

/// Log lines go to standard error, as text on a terminal and JSON elsewhere; `RUST_LOG` chooses the level.
pub fn start_log() {
    use std::io::IsTerminal as _;
    use tracing_subscriber::EnvFilter;
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,datafusion=warn,sqlx=warn,hyper=warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first log.
    let _ = if std::io::stderr().is_terminal() { log.try_init() } else { log.json().try_init() };
}

fn announce(running: &Running) {
    let addresses = &running.addresses;
    info!(http = %addresses.http, syslog_udp = ?addresses.syslog_udp, syslog_tcp = ?addresses.syslog_tcp, syslog_tls = ?addresses.syslog_tls, elastic = ?addresses.elastic, netflow = ?addresses.netflow, "listening");
    if let Some(token) = &running.setup_token {
        eprintln!("\n  First start: open {}/setup and enter this one-time token\n\n      {token}\n", running.url());
    }
}

/// Written whole, then renamed: who waits for the file never reads half of it.
pub fn write_ready(path: &PathBuf, running: &Running) -> Result {
    let addresses = &running.addresses;
    let first = |all: &[std::net::SocketAddr]| all.first().map(ToString::to_string);
    let ready = json!({
        "http": format!("http://{}", addresses.http),
        "syslog_udp": first(&addresses.syslog_udp),
        "syslog_tcp": first(&addresses.syslog_tcp),
        "syslog_tls": first(&addresses.syslog_tls),
        "elastic": first(&addresses.elastic),
        "netflow": first(&addresses.netflow),
        "pid": std::process::id(),
    });
    let draft = path.with_extension("draft");
    let failed = |error: std::io::Error| Failure::of(format!("failed to write {}", path.display()), &error);
    fs::write(&draft, ready.to_string()).map_err(failed)?;
    fs::rename(&draft, path).map_err(failed)
}

async fn until_told(running: &Running, config: Config) -> Result {
    let failed = |error: std::io::Error| Failure::of("failed to listen for signals", &error);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(failed)?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => reload(running, &config),
            failure = running.failed() => return Err(failure),
        }
    }
    info!("stopping");
    Ok(())
}

/// Takes the new rules and sources in, or keeps the old ones and says why.
fn reload(running: &Running, config: &Config) {
    match Settings::load(config.config.as_deref()) {
        Ok(settings) => match running.reload(&settings) {
            Ok(()) => info!("reloaded rules and sources"),
            Err(failure) => tracing::error!(?failure, "failed to reload; what was in force stays in force"),
        },
        Err(problems) => {
            for problem in problems {
                tracing::error!(%problem, "failed to reload; what was in force stays in force");
            }
        }
    }
}
