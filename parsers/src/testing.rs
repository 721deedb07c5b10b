//! The only place that knows how a test feeds a parser: [`check`] for one parser, [`check_line`] for a whole record, and the
//! golden corpus.
//!
//! Records are received at [`RECEIVED`] in Vietnam's zone. `CHIENG_BLESS=1` rewrites the corpus; inline expectations are
//! rewritten by `UPDATE_EXPECT=1`.

use std::{fs, path::Path};

use bumpalo::Bump;
use chrono_tz::Tz;
use event::{Event, Micros, RawRecord};
use expect_test::Expect;

use crate::{Memory, Parser, render};

/// 2026-11-23T12:00:00Z.
pub const RECEIVED: Micros = 1_795_435_200_000_000;

/// Feeds a payload to one parser and compares the event.
pub fn check(parser: &'static dyn Parser, payload: &str, expected: Expect) {
    expected.assert_eq(&run(Some(parser), payload));
}

/// Feeds a whole record to the recogniser and compares the event.
pub fn check_line(line: &str, expected: Expect) {
    expected.assert_eq(&run(None, line));
}

/// Returns the event of a line as JSON, with the parser's name.
pub fn run(fixed: Option<&'static dyn Parser>, line: &str) -> String {
    run_with(fixed, line, &mut Memory::default())
}

pub fn run_with(fixed: Option<&'static dyn Parser>, line: &str, memory: &mut Memory) -> String {
    let arena = Bump::new();
    let text: &str = arena.alloc_str(line);
    let mut event = Event::new(&arena);
    let raw = RawRecord::new(text.as_bytes(), text, RECEIVED, Tz::Asia__Ho_Chi_Minh);
    let (_, name) = crate::parse(raw, fixed, memory, &mut event);
    let json = render::json(&event);
    format!("{{\"chieng.parser\":\"{name}\",{}", &json[1..])
}

/// The corpus files: (folder name, path).
pub fn corpus() -> Vec<(String, std::path::PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut files = Vec::new();
    for folder in fs::read_dir(&root).unwrap() {
        let folder = folder.unwrap().path();
        // `DIFFERENCES.md` lies beside the folders.
        if !folder.is_dir() {
            continue;
        }
        for file in fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_some_and(|extension| extension == "log") {
                files.push((folder.file_name().unwrap().to_string_lossy().into_owned(), file));
            }
        }
    }
    files.sort();
    files
}

/// The records of a corpus file; `\r` and other oddities stand in it as they are.
pub fn lines(path: &Path) -> Vec<String> {
    let bytes = fs::read(path).unwrap();
    String::from_utf8_lossy(&bytes).split_terminator('\n').map(str::to_owned).collect()
}

#[test]
fn corpus_is_as_blessed() {
    let mut wrong = Vec::new();
    for (_, path) in corpus() {
        let mut out = String::new();
        for line in lines(&path) {
            out.push_str(&run(None, &line));
            out.push('\n');
        }
        let expected = path.with_extension("expected.ndjson");
        if std::env::var_os("CHIENG_BLESS").is_some() {
            fs::write(&expected, &out).unwrap();
            continue;
        }
        let blessed = fs::read_to_string(&expected).unwrap_or_default();
        for (at, (ours, theirs)) in out.lines().zip(blessed.lines().chain(std::iter::repeat(""))).enumerate() {
            if ours != theirs {
                wrong.push(format!("{}:{}\n  expected {theirs}\n  got      {ours}", path.display(), at + 1));
            }
        }
        if out.lines().count() != blessed.lines().count() {
            wrong.push(format!("{}: number of lines differs", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\n(CHIENG_BLESS=1 rewrites the expectations; review the diff)", wrong.join("\n"));
}

/// Every format has a corpus, and its lines are read by that format unless the line is there to show who else reads it.
#[test]
fn every_parser_has_a_corpus() {
    for parser in crate::PARSERS {
        let files: Vec<_> = corpus().into_iter().filter(|(name, _)| name == parser.name()).collect();
        assert!(!files.is_empty(), "no corpus/{}", parser.name());
        let marker = format!("{{\"chieng.parser\":\"{}\"", parser.name());
        let lines: Vec<_> = files.iter().flat_map(|(_, path)| lines(path)).collect();
        let own = lines.iter().filter(|line| run(None, line).starts_with(&marker)).count();
        assert!(own * 2 > lines.len(), "{}: only {own} of {} corpus lines are read by it", parser.name(), lines.len());
    }
}

/// What a sender sent before never changes what a line becomes.
#[test]
fn memory_changes_nothing() {
    let lines: Vec<_> = corpus().iter().flat_map(|(_, path)| lines(path)).collect();
    let mut memory = Memory::default();
    for line in lines.iter().chain(lines.iter().rev()) {
        assert_eq!(run_with(None, line, &mut memory), run(None, line), "{line}");
    }
}
