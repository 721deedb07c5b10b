//! The commands, one file each.

pub mod demo;
pub mod doctor;
pub mod ingest;
pub mod parse;
pub mod parser;
pub mod query;
mod remote;
pub mod rules;
pub mod run;
pub mod store;
pub mod validate;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use remote::SOCKET;

/// Security monitoring of a province's information systems: logs and flows in, alerts, pages and a score out
#[derive(Parser)]
#[command(name = "chieng", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run the server
    Run(run::Options),
    /// Check a configuration; exit 0 when it is good, 78 when not
    Validate(Config),
    /// Read files (plain, gzip, zstd, EVTX) into the store, each part once
    Ingest(ingest::Options),
    /// Look after what is stored: proof and evidence, legal holds, deletions, room on the disk
    #[command(subcommand)]
    Store(store::Command),
    /// Say what this installation needs: disk, cores, memory
    Doctor(doctor::Options),
    /// Run one SELECT
    Query(query::Options),
    /// Show what the parsers make of lines on standard input
    Parse(parse::Options),
    /// Look after the installation's own formats
    #[command(subcommand)]
    Parser(parser::Command),
    /// Check Sigma rules
    #[command(subcommand)]
    Rules(rules::Command),
    /// Start with an invented province to look at
    Demo(demo::Options),
}

/// Where the configuration is.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Configuration file; without it the defaults hold (loopback, ./data)
    #[arg(long, short, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
}
