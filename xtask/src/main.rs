//! The project's own commands: `cargo xtask demo | test | ci | tidy | bless | bench | sim | accuracy | reference | new`.
//!
//! Deliberately without dependencies beyond a TOML reader, so that it builds in seconds on a fresh machine.

mod accuracy;
mod bench;
mod demo;
mod new;
mod reference;
mod run;
mod stamp;
mod test;
mod tidy;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask <command>

  demo       build everything, start on ./demo-data and loopback, load the demo province, print address and login
  test       run every check: format, lints, tidy, Rust tests, web checks, browser tests (installs what is missing)
  ci         what .ci/run calls: `test`, with timings
  tidy       check the dependency table, file headers, file lengths
  bless      rewrite golden files (corpus, snapshots) of all crates or of one: bless <crate>; review the diff
  bench      bench store [--events N] [--out FILE]: the store beside its peers, on a release build (half an hour)
  sim        sim [--minutes N]: the store on a machine that loses power between any two calls; says how many seeds ran
  fuzz       fuzz [--seconds N]: mutated records through every group of parsers and envelopes, N seconds each (60)
  accuracy   accuracy [scorer's options]: what the parsers read of real samples, scored by product (folder CHIENG_SHARED)
  reference  rewrite docs/reference from the sources of truth (--check: fail if they differ)
  new        write the skeleton of a parser, rule or check: new parser <name> | new rule <logsource>/<name> | new check <name>
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["demo", rest @ ..] => demo::run(rest),
        ["test", rest @ ..] => test::run(rest),
        ["ci"] => test::run(&[]),
        ["tidy"] => tidy::run(),
        ["bless"] => test::bless(None),
        ["bless", name] => test::bless(Some(name)),
        ["bench", "store", rest @ ..] => bench::run(rest),
        ["sim"] => test::sim("10"),
        ["sim", "--minutes", minutes] => test::sim(minutes),
        ["fuzz"] => test::fuzz("60"),
        ["fuzz", "--seconds", seconds] => test::fuzz(seconds),
        ["accuracy", rest @ ..] => accuracy::run(rest),
        ["reference", rest @ ..] => reference::run(rest.contains(&"--check")),
        ["new", kind, name] => new::run(kind, name),
        _ => {
            print!("{HELP}");
            return if words.is_empty() || words == ["help"] || words == ["--help"] {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(2)
            };
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
