//! The program `chieng`: reads the command line, starts a runtime, says in one sentence why it failed.
//!
//! Nothing is decided here: commands are in `cli`, the joining of crates in `wiring`, the fused path in `pipe`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod anchors;
mod cli;
mod clock;
mod config;
mod demo;
mod failure;
mod formats;
mod pipe;
mod sizing;
mod wiring;

use std::process::ExitCode;

use clap::Parser as _;
use cli::{Cli, Command};
use failure::{Failure, Result};

/// Blocks are built and dropped all the time: memory that comes back at once saves the kernel's clearing of fresh pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        // Parsers and rules need no runtime.
        Command::Parse(options) => cli::parse::run(&options),
        Command::Rules(command) => cli::rules::run(&command),
        Command::Parser(command) => cli::parser::run(&command),
        Command::Validate(options) => cli::validate::run(&options),
        command => on_runtime(command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn on_runtime(command: Command) -> Result {
    // Both rings of rustls may be linked in by dependencies; ours is named before anybody asks.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::of("failed to start the runtime", &error))?;
    runtime.block_on(async {
        match command {
            Command::Run(options) => cli::run::run(options).await,
            Command::Ingest(options) => cli::ingest::run(options).await,
            Command::Store(command) => cli::store::run(command).await,
            Command::Doctor(options) => cli::doctor::run(options).await,
            Command::Query(options) => cli::query::run(options).await,
            Command::Demo(options) => cli::demo::run(options).await,
            Command::Parse(_) | Command::Parser(_) | Command::Rules(_) | Command::Validate(_) => Ok(()),
        }
    })
}
