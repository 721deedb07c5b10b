//! `cargo xtask tidy`: the house rules that a compiler does not know.
//!
//! The dependency table below is the one of ARCHITECTURE.md; a new edge needs an ADR.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::run::{Result, root};

/// Crate → crates of ours that it may depend on.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("event", &[]),
    ("parsers", &["event"]),
    ("proof", &[]),
    ("store", &["event", "proof"]),
    ("state", &["event"]),
    ("detect", &["event"]),
    ("ingest", &["event", "parsers"]),
    ("query", &["event", "store"]),
    ("comply", &["event", "state"]),
    ("respond", &["event", "state", "detect"]),
    ("dashboards", &["event", "state", "query", "detect", "respond", "comply"]),
];

/// Outside crate → the only crates of ours that may name it.
const KEPT_BEHIND: &[(&str, &[&str])] =
    &[("datafusion", &["query"]), ("tantivy", &["store"]), ("axum", &["dashboards", "ingest"]), ("sqlx", &["state", "store"])];

/// Crates that must not know an async runtime or a clock: time comes in as an argument.
const SANS_IO: &[&str] = &["event", "proof", "parsers", "detect", "comply"];

const LINES_MAX: usize = 900;

pub fn run() -> Result {
    let mut problems = Vec::new();
    for (name, may) in MAY_KNOW {
        check_crate(name, may, &mut problems)?;
    }
    for file in sources(&root()) {
        check_file(&file, &mut problems)?;
    }
    if problems.is_empty() {
        println!("tidy: ok");
        return Ok(());
    }
    Err(format!("tidy found {} problem(s):\n  {}", problems.len(), problems.join("\n  ")))
}

fn check_crate(name: &str, may: &[&str], problems: &mut Vec<String>) -> Result {
    let path = root().join(name).join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(|error| format!("failed to read {}: {error}", path.display()))?;
    let manifest: toml::Table = text.parse().map_err(|error| format!("{}: {error}", path.display()))?;
    let ours: BTreeSet<&str> = MAY_KNOW.iter().map(|(name, _)| *name).collect();
    let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
    for dependency in dependencies.into_iter().flat_map(toml::Table::keys) {
        if ours.contains(dependency.as_str()) && !may.contains(&dependency.as_str()) {
            problems.push(format!("{name} depends on {dependency}: not in the dependency table (a new edge needs an ADR)"));
        }
        for (outside, homes) in KEPT_BEHIND {
            if dependency == outside && !homes.contains(&name) {
                problems.push(format!("{name} depends on {outside}, which only {} may name", homes.join(", ")));
            }
        }
        if SANS_IO.contains(&name) && matches!(dependency.as_str(), "tokio" | "tokio-util" | "async-std" | "smol") {
            problems.push(format!("{name} must stay free of an async runtime, but depends on {dependency}"));
        }
    }
    Ok(())
}

fn check_file(path: &Path, problems: &mut Vec<String>) -> Result {
    let text = fs::read_to_string(path).map_err(|error| format!("failed to read {}: {error}", path.display()))?;
    let root = root();
    let shown = path.strip_prefix(&root).unwrap_or(path).display();
    if !text.starts_with("//!") && !text.starts_with("#![") {
        problems.push(format!("{shown}: opens without a `//!` that says what it is and what it is not"));
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        problems.push(format!("{shown}: {lines} lines; more than {LINES_MAX} hide more than one idea"));
    }
    let owner = path.strip_prefix(&root).ok().and_then(|relative| relative.iter().next()).and_then(|part| part.to_str());
    if owner.is_some_and(|owner| SANS_IO.contains(&owner)) && path.iter().any(|part| part == "src") {
        let clocks = ["SystemTime::", "Instant::now", "Utc::now", "Local::now"];
        let body = text.split("#[cfg(test)]").next().unwrap_or_default();
        for clock in clocks.iter().filter(|clock| body.contains(**clock)) {
            problems.push(format!("{shown}: reads a clock ({clock}); time comes in as an argument there"));
        }
    }
    for (at, line) in text.lines().enumerate() {
        let open = ["todo!(", "unimplemented!("].iter().any(|mark| line.contains(mark));
        if open && !shown.to_string().starts_with("xtask") {
            problems.push(format!("{shown}:{}: left open", at + 1));
        }
    }
    Ok(())
}

/// All Rust files of the workspace, build output and node_modules left out.
fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let is_hidden = name.to_str().is_some_and(|name| name.starts_with('.'));
            if path.is_dir() && !is_hidden && !["target", "node_modules", "demo-data"].iter().any(|skip| name == *skip) {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
