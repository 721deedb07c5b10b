//! `cargo xtask accuracy`: how much of real samples the parsers read, scored against other people's readings.
//!
//! The samples and the scorer are no part of the project: they lie in the folder that `CHIENG_SHARED` names (default: `shared` beside
//! the workspace). Nothing tells the program which product a line is of.

use std::path::PathBuf;

use crate::run::{Result, cargo, program, root, step};

/// Builds `chieng` and scores `chieng parse`; arguments go to the scorer (`--product NAME --by-field` …).
pub fn run(arguments: &[&str]) -> Result {
    let shared = std::env::var_os("CHIENG_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let scorer = shared.join("tools/score_parsers.py");
    if !scorer.exists() {
        return Err(format!("no samples: {} is not there; name their folder with CHIENG_SHARED", scorer.display()));
    }
    step("build", cargo().args(["build", "--workspace", "--all-targets"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let parse = format!("{} parse --input {{format}}", target.join("debug/chieng").display());
    let mut score = program("python3", &root());
    score.arg(&scorer).arg("--data").arg(shared.join("data")).args(["--run", &parse]).args(arguments);
    step("score", &mut score)
}
