//! `chieng store hold place|list|release`.
//!
//! Whoever runs it owns the data directory; the audit event names the account of the operating system.

use std::sync::Arc;

use clap::{Args, Subcommand};
use dashboards::{
    control::{Placing, Releasing},
    keeping::{self, Desk, HoldForm},
};
use serde_json::Value;

use super::shown;
use crate::{
    cli::{Config, remote::Remote},
    clock::SystemClock,
    config::Settings,
    failure::{Failure, Result},
    wiring,
};

#[derive(Subcommand)]
pub enum Command {
    /// Hold a system, a log class or a span of time: nothing of it is deleted until it is released
    ///
    /// Example: chieng store hold place --system dvc --from 2026-11-01T00:00:00+07:00 --reason "Case 12/2026, provincial police"
    Place(Place),
    /// List the holds in force, or all that ever were
    List(List),
    /// Release a hold; the next run of retention may delete what it kept
    Release(Release),
}

#[derive(Args)]
pub struct Place {
    /// Code of the system; without it every system is held
    #[arg(long)]
    system: Option<String>,
    /// Log class (event.dataset); without it every class is held
    #[arg(long)]
    class: Option<String>,
    /// First time of receipt, RFC 3339; without it from the beginning
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Last time of receipt, RFC 3339; without it what is still to come is held too
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Who asks for it and why; it stands in the record for good
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    config: Config,
}

#[derive(Args)]
pub struct List {
    /// Released holds too
    #[arg(long)]
    all: bool,
    /// One JSON array
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: Config,
}

#[derive(Args)]
pub struct Release {
    /// Number of the hold
    id: u64,
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    config: Config,
}

pub async fn run(command: Command) -> Result {
    match command {
        Command::Place(options) => place(options).await,
        Command::List(options) => list(options).await,
        Command::Release(options) => release(options).await,
    }
}

fn settings(config: &Config) -> Result<Settings> {
    Settings::load(config.config.as_deref()).map_err(|problems| Failure::config(&problems))
}

/// The account of the operating system, as an actor.
fn actor() -> String {
    // SAFETY: `getuid` cannot fail and touches no memory.
    let uid = unsafe { libc::getuid() };
    let name = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_default();
    if name.is_empty() { format!("command line (uid {uid})") } else { format!("command line ({name}, uid {uid})") }
}

/// Does something on the store itself, as its owner.
pub(in crate::cli) async fn at_desk(
    settings: Settings,
    run: impl AsyncFnOnce(Desk<'_>) -> dashboards::error::Result<Value>,
) -> Result<Value> {
    let offline = wiring::offline(settings, Arc::new(SystemClock)).await?;
    let core = &offline.core;
    let sink = core.store.sink();
    let done = run(Desk { keeping: &*core.keeping, state: &core.state, sink: &*sink, clock: &*core.clock }).await;
    offline.close().await?;
    done.map_err(|error| Failure::new(error.message))
}

async fn place(options: Place) -> Result {
    let settings = settings(&options.config)?;
    let Place { system, class, from, to, reason, .. } = options;
    let form = HoldForm { system, class, from, to, reason };
    let placed = match Remote::connect(&settings.server.data_dir).await {
        Some(remote) => remote.post("/control/holds", &Placing { actor: actor(), hold: form }).await?,
        None => at_desk(settings, async |desk| keeping::place(desk, form, &actor(), None).await).await?,
    };
    println!("hold {} is in force", placed["id"]);
    Ok(())
}

async fn release(options: Release) -> Result {
    let settings = settings(&options.config)?;
    let Release { id, reason, .. } = options;
    match Remote::connect(&settings.server.data_dir).await {
        Some(remote) => remote.post("/control/holds/release", &Releasing { actor: actor(), id, reason }).await?,
        None => at_desk(settings, async |desk| keeping::release(desk, id, &actor(), None, &reason).await).await?,
    };
    println!("hold {id} is released");
    Ok(())
}

async fn list(options: List) -> Result {
    let settings = settings(&options.config)?;
    let found = match Remote::connect(&settings.server.data_dir).await {
        Some(remote) => remote.get("/control/holds").await?,
        None => {
            let scope = event::Scope::internal("command");
            at_desk(settings, async |desk| keeping::holds(desk, &scope).await.map(Value::from)).await?
        }
    };
    let holds: Vec<&Value> =
        found.as_array().into_iter().flatten().filter(|hold| options.all || hold["released"].is_null()).collect();
    if options.json {
        println!("{}", serde_json::json!(holds));
        return Ok(());
    }
    if holds.is_empty() {
        println!("no hold is in force");
    }
    for hold in holds {
        let or = |key: &str, all: &str| shown(hold[key].as_str().unwrap_or(all));
        println!(
            "{}  {}  {}  {} … {}  by {} at {}: {}",
            hold["id"],
            or("system", "all systems"),
            or("class", "all classes"),
            or("from", "beginning"),
            or("to", "open"),
            or("placed_by", ""),
            or("placed_at", ""),
            or("reason", "")
        );
        if let Some(release) = hold["released"].as_object() {
            let text = |key: &str| shown(release.get(key).and_then(Value::as_str).unwrap_or_default());
            println!("   released by {} at {}: {}", text("by"), text("at"), text("reason"));
        }
    }
    Ok(())
}
