//! `chieng rules check`: compiles Sigma rules and says what is wrong with which file. Nothing is skipped silently.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use crate::failure::{Failure, Result};

#[derive(Subcommand)]
pub enum Command {
    /// Compile the rules of folders or files; exit 1 when any was refused
    Check {
        /// Folders or files; without any, the rules that come with the program
        paths: Vec<PathBuf>,
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

pub fn run(command: &Command) -> Result {
    let Command::Check { paths, format } = command;
    let sources = if paths.is_empty() { detect::own::sources() } else { crate::wiring::rule_files(paths)? };
    let loaded = detect::load(sources, &detect::Options::default());
    let compiled = loaded.set.rules().len();
    match format {
        Format::Json => {
            let rejected: Vec<_> = loaded
                .rejected
                .iter()
                .map(|rejected| json!({ "file": rejected.file, "line": rejected.line, "rule": rejected.rule, "reason": rejected.reason }))
                .collect();
            let lints: Vec<_> = loaded
                .lints
                .iter()
                .map(|lint| json!({ "file": lint.file, "line": lint.line, "rule": lint.rule, "message": lint.message }))
                .collect();
            println!("{}", json!({ "compiled": compiled, "rejected": rejected, "lints": lints }));
        }
        Format::Text => {
            for rejected in &loaded.rejected {
                println!("{}:{}: refused: {}: {}", rejected.file, rejected.line, rejected.rule, rejected.reason);
            }
            for lint in &loaded.lints {
                println!("{}:{}: {}: {}", lint.file, lint.line, lint.rule, lint.message);
            }
            println!("{compiled} compiled, {} refused, {} lints", loaded.rejected.len(), loaded.lints.len());
        }
    }
    if loaded.rejected.is_empty() { Ok(()) } else { Err(Failure::new(format!("{} rules were refused", loaded.rejected.len()))) }
}
