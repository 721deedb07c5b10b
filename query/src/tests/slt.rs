//! Golden questions: `tests/slt/**/*.slt`, a question and its answer per block.
//!
//! ```text
//! query
//! SELECT 1 + 1
//! ----
//! 2
//! ```
//!
//! `error` instead of `query` expects the error's text. `CHIENG_BLESS=1` writes what came out; read the difference aloud.

use std::{env, fmt::Write as _, fs, path::Path, path::PathBuf};

use super::world::{World, rows, run};
use crate::encode::csv_rows;

#[test]
fn golden_questions() {
    let world = World::new(rows(200, 42));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut files = Vec::new();
    find(&root, &mut files);
    assert!(files.len() >= 5, "golden files are missing under {}", root.display());
    let is_blessing = env::var_os("CHIENG_BLESS").is_some();
    let mut wrong = String::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let came = answers(&world, &text);
        if is_blessing {
            fs::write(&file, &came).unwrap();
        } else if came != text {
            let _ = writeln!(wrong, "{}:\n{came}", file.display());
        }
    }
    assert!(wrong.is_empty(), "answers changed (CHIENG_BLESS=1 writes them):\n{wrong}");
}

fn find(dir: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "slt") {
            files.push(path);
        }
    }
}

/// The file again, with the answers that the engine gives now.
fn answers(world: &World, text: &str) -> String {
    let mut out = String::new();
    for block in text.trim_end().split("\n\n") {
        let comments: Vec<&str> = block.lines().take_while(|line| line.starts_with('#')).collect();
        for line in &comments {
            let _ = writeln!(out, "{line}");
        }
        let rest: Vec<&str> = block.lines().skip(comments.len()).collect();
        if let Some((kind, rest)) = rest.split_first() {
            let sql: Vec<&str> = rest.iter().copied().take_while(|line| *line != "----").collect();
            let _ = writeln!(out, "{kind}\n{}\n----\n{}", sql.join("\n"), answer(world, kind, &sql.join("\n")));
        }
        out.push('\n');
    }
    format!("{}\n", out.trim_end())
}

fn answer(world: &World, kind: &str, sql: &str) -> String {
    match (run(world.ask(sql)), kind) {
        (Ok(answer), "query") => answer
            .batches
            .iter()
            .map(|batch| csv_rows(batch).unwrap().replace("\r\n", "\n"))
            .collect::<String>()
            .trim_end()
            .to_owned(),
        (Err(error), "error") => error.to_string(),
        (Ok(_), _) => "answered, although an error was expected".to_owned(),
        (Err(error), _) => format!("failed: {error}"),
    }
}
