//! `cargo xtask bench store`: the store beside its peers on the generated lines, in one run; raw results go to `benches/runs/`.
//!
//! Not part of any test: it takes half an hour, wants an idle machine, and its figures are compared by people. The generator and the
//! peers' scripts lie outside the project (`CHIENG_SHARED`); Python with numpy, psutil, duckdb and chdb comes from `CHIENG_PYTHON`.

use std::{env, fs, path::PathBuf};

use crate::run::{Result, cargo, program, root, step};

/// Lines of the published figures; `--events N` for a quicker look.
const EVENTS: &str = "4000000";

pub fn run(rest: &[&str]) -> Result {
    let after = |name: &str| rest.iter().position(|word| *word == name).and_then(|at| rest.get(at + 1)).copied();
    let events = after("--events").unwrap_or(EVENTS);
    let shared = env::var_os("CHIENG_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let generator = shared.join("bench/gen_logs.py");
    if !generator.exists() {
        return Err(format!("{} is missing: set CHIENG_SHARED to the folder that holds bench/gen_logs.py", generator.display()));
    }
    let python = env::var("CHIENG_PYTHON").unwrap_or_else(|_| "python3".into());
    let dir = env::temp_dir().join(format!("chieng-bench-{events}"));
    fs::create_dir_all(&dir).map_err(|error| format!("failed to create {}: {error}", dir.display()))?;
    let (lines, parsed) = (dir.join("logs.syslog"), dir.join("logs.ndjson"));
    if !lines.exists() || !parsed.exists() {
        step(
            "generate lines",
            program(&python, &dir).arg(&generator).args(["--events", events, "--out", "logs", "--seed", "7"]),
        )?;
    }
    step("build chieng for release", cargo().args(["build", "--release", "--workspace"]))?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let out = after("--out").map_or_else(|| root().join("benches/runs/store.jsonl"), PathBuf::from);
    let mut run = program(&python, &root());
    run.arg("benches/peers/store.py").arg("--chieng").arg(target.join("release/chieng"));
    run.arg("--lines").arg(lines).arg("--ndjson").arg(parsed).arg("--out").arg(out);
    run.arg("--peers").arg(shared.join("bench/peers")).arg("--rules").arg(shared.join("data/sigma"));
    step("measure", &mut run)
}
