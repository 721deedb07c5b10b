//! `cargo xtask test`: every check the project has, cheapest first; and `bless`, which rewrites golden files.

use std::env;

use crate::run::{Result, build_web, cargo, exists, need_chromium, program, step, web};

pub fn run(rest: &[&str]) -> Result {
    let chromium = need_chromium()?;
    crate::tidy::run()?;
    crate::reference::run(true)?;
    step("format", cargo().args(["fmt", "--all", "--check"]))?;
    build_web()?;
    let dir = web();
    step("web: lint", program("npm", &dir).args(["run", "--silent", "lint"]))?;
    step("web: svelte-check", program("npm", &dir).args(["run", "--silent", "check"]))?;
    step("web: unit tests", program("npm", &dir).args(["run", "--silent", "test"]))?;
    step("web: size budget", program("npm", &dir).args(["run", "--silent", "size"]))?;
    step("clippy", cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    step("build", cargo().args(["build", "--workspace", "--all-targets"]))?;
    let mut tests = cargo();
    tests.env("CHIENG_CHROMIUM", chromium);
    if exists("cargo-nextest") {
        tests.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
    } else {
        tests.args(["test", "--workspace", "--no-fail-fast"]);
    }
    step("Rust tests, browser tests included", tests.args(rest))
}

/// Runs the simulator of the whole store for so many minutes, from a seed of its own each time.
pub fn sim(minutes: &str) -> Result {
    if !minutes.parse::<u32>().is_ok_and(|minutes| minutes > 0) {
        return Err(format!("--minutes {minutes:?} is not a number of minutes"));
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut tests = cargo();
    // With the program beside it, so that the dependencies are those of every other build; it has no library, so nothing of it runs.
    tests.args(["test", "--package", "store", "--package", "chieng", "--package", "xtask", "--lib", "--"]);
    tests.args(["tests::sim::whole_store", "--exact", "--nocapture"]);
    step("simulate", tests.env("CHIENG_SIM_MINUTES", minutes).env("CHIENG_SIM_FROM", (now * 1_000_000).to_string()))
}

/// Runs mutated records through every fuzz target of the parsers, so many seconds each; the seed is another each time.
pub fn fuzz(seconds: &str) -> Result {
    if !seconds.parse::<u32>().is_ok_and(|seconds| seconds > 0) {
        return Err(format!("--seconds {seconds:?} is not a number of seconds"));
    }
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(7, |since| since.as_secs());
    let mut tests = cargo();
    tests.args(["test", "--package", "parsers", "--lib", "--", "fuzzing::tests::mutated_corpus", "--exact", "--nocapture"]);
    step("fuzz", tests.env("CHIENG_FUZZ_SECONDS", seconds).env("CHIENG_FUZZ_SEED", seed.to_string()))
}

pub fn bless(only: Option<&str>) -> Result {
    if env::var_os("CI").is_some() {
        return Err("golden files are never rewritten in CI".into());
    }
    let mut tests = cargo();
    tests.env("CHIENG_BLESS", "1").env("UPDATE_EXPECT", "1").args(["test", "--no-fail-fast"]);
    match only {
        Some(name) => tests.args(["--package", name]),
        None => tests.arg("--workspace"),
    };
    step("rewrite golden files", &mut tests)?;
    crate::reference::run(false)
}
