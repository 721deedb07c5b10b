//! `chieng-verify`: checks an evidence packet, or the proof folder of a data directory, without the program that made it.
//!
//! It needs the files, and for a full answer the public key and the anchors that the auditor kept. It opens no network, writes
//! nothing, and runs on Linux and Windows alike. Exit code 0: intact; 1: not what was signed; 2: could not be checked.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use proof::{chain, key, packet, root::Anchor};

const HELP: &str = "\
Check that logs are what they were when Chiêng received them.

Usage: chieng-verify [OPTIONS] FOLDER

FOLDER is an evidence packet (with manifest.json) or the folder `proof` of a data directory. Of a data directory only the
chain, the signatures and the anchors are checked here; rows are checked by `chieng store verify`.

Options:
  --key KEY       the public key that you noted: 64 digits, or a file that holds them
  --anchors FILE  any text with lines `CHIENG-ROOT …` (mails, a syslog file, typed notes)
  --json          print the whole report as JSON
  --help          print this

Exit code 0: intact · 1: not what was signed · 2: could not be checked
";

struct Arguments {
    folder: PathBuf,
    key: Option<[u8; 32]>,
    anchors: Vec<Anchor>,
    json: bool,
}

fn main() -> ExitCode {
    match arguments(std::env::args().skip(1)).and_then(|arguments| arguments.as_ref().map_or(Ok(None), run)) {
        Ok(None) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(Some((text, is_intact))) => {
            print!("{text}");
            if is_intact { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::from(2)
        }
    }
}

/// `None`: help was asked for.
fn arguments(mut given: impl Iterator<Item = String>) -> Result<Option<Arguments>, String> {
    let (mut folder, mut key, mut anchors, mut json) = (None, None, Vec::new(), false);
    while let Some(argument) = given.next() {
        let mut value = || given.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--help" | "-h" => return Ok(None),
            "--json" => json = true,
            "--key" => {
                let text = value()?;
                let text = if Path::new(&text).is_file() { read(Path::new(&text))? } else { text };
                key = Some(key::parse_public("--key", &text).map_err(|error| error.to_string())?);
            }
            "--anchors" => {
                let (found, bad) = chain::read_anchors(&read(Path::new(&value()?))?);
                if let Some(reason) = bad.first() {
                    return Err(format!("--anchors: {reason}"));
                }
                if found.is_empty() {
                    return Err("--anchors: no line CHIENG-ROOT in that file".into());
                }
                anchors.extend(found);
            }
            _ if argument.starts_with('-') => return Err(format!("unknown option {argument}; --help lists them")),
            _ if folder.is_none() => folder = Some(PathBuf::from(argument)),
            _ => return Err("one folder at a time".into()),
        }
    }
    let folder = folder.ok_or("name a folder; --help says which")?;
    Ok(Some(Arguments { folder, key, anchors, json }))
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = fs::read(path).map_err(|error| format!("failed to read {}: {error}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn run(arguments: &Arguments) -> Result<Option<(String, bool)>, String> {
    let is_packet = arguments.folder.join(packet::MANIFEST).is_file();
    if is_packet { check_packet(arguments) } else { check_chain(arguments) }.map(Some).map_err(|error| error.chain())
}

fn check_packet(arguments: &Arguments) -> proof::Result<(String, bool)> {
    let report = packet::check(&arguments.folder, arguments.key, &arguments.anchors)?;
    if arguments.json {
        return Ok((json(&report), report.is_intact()));
    }
    let mut text = String::new();
    if let Some(manifest) = &report.manifest {
        let _ = writeln!(text, "packet of {}: {} rows in {} leaves", plain(&manifest.system), report.rows, report.leaves);
    }
    let covered = match (report.anchored_by, report.root_needed) {
        (Some(number), _) => format!("anchored outside by root {number}"),
        (None, Some(number)) => format!("signed by root {number}, no anchor given"),
        (None, None) => "signed by no root".into(),
    };
    let _ = writeln!(text, "{covered}\npublic key {}", proof::codec::to_hex(&report.key));
    tell(&mut text, &report.remarks, &report.problems, report.problems_total);
    Ok((text, report.is_intact()))
}

fn check_chain(arguments: &Arguments) -> proof::Result<(String, bool)> {
    let inner = arguments.folder.join("proof");
    let folder = if inner.is_dir() { inner } else { arguments.folder.clone() };
    let known = chain::Known { committed: None, key: arguments.key, anchors: arguments.anchors.clone() };
    let found = chain::walk(&folder, &known, &mut |_, _| {})?;
    let is_intact = found.problems.is_empty() && found.journals > 0;
    if arguments.json {
        return Ok((json(&found), is_intact));
    }
    let mut text = format!(
        "{} journals, {} blocks, {} leaves, {} rows, {} roots; {} anchors fit\n",
        found.journals,
        found.blocks,
        found.leaves,
        found.rows,
        found.roots.len(),
        found.anchors
    );
    if let Some(open) = &found.unanchored {
        let word = if found.by_outside { "" } else { " (by the server's own word)" };
        let _ = writeln!(
            text,
            "not anchored{word}: roots {}–{}, sequences {}–{}",
            open.roots.0, open.roots.1, open.sequences.0, open.sequences.1
        );
    }
    let problems: Vec<String> =
        found.problems.iter().map(|problem| format!("{}, byte {}: {}", problem.file, problem.offset, problem.what)).collect();
    let total = problems.len() as u64 + u64::from(found.journals == 0);
    let none = (found.journals == 0).then(|| "no journal in that folder".to_owned());
    tell(&mut text, &found.remarks, &problems.into_iter().chain(none).collect::<Vec<_>>(), total);
    Ok((text, is_intact))
}

fn tell(text: &mut String, remarks: &[String], problems: &[String], total: u64) {
    for remark in remarks {
        let _ = writeln!(text, "note: {}", plain(remark));
    }
    for problem in problems {
        let _ = writeln!(text, "NOT INTACT: {}", plain(problem));
    }
    if total > problems.len() as u64 {
        let _ = writeln!(text, "… and {} more", total - problems.len() as u64);
    }
    text.push_str(if total == 0 { "intact\n" } else { "NOT INTACT\n" });
}

fn json(report: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(report).unwrap_or_default() + "\n"
}

/// Without control characters: file names and systems are other people's text, and this goes to a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{FFFD}' } else { letter }).collect()
}
