//! `cargo xtask accuracy`: how much of real samples the parsers read, scored against other people's readings.
//!
//! The samples and the scorer are no part of the project: they lie in the folder that `CHIENG_SHARED` names (default: `shared` beside
//! the workspace). Nothing tells the program which product a line is of.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use crate::run::{Result, cargo, program, root, step};

/// Reads Windows event logs (the archive of samples) to a folder that the scorer compares with.
fn windows(shared: &Path, chieng: &Path) -> Result<PathBuf> {
    let dir = std::env::temp_dir().join("chieng-accuracy");
    let failed = |what: &Path| {
        let what = what.display().to_string();
        move |error: std::io::Error| format!("failed on {what}: {error}")
    };
    let (logs, out) = (dir.join("evtx"), dir.join("out/windows"));
    fs::create_dir_all(&logs).map_err(failed(&logs))?;
    let archive = shared.join("data/windows/evtx/winlogbeat.tar.zst");
    step("unpack", program("tar", &logs).arg("--zstd").arg("-xf").arg(&archive))?;
    for module in fs::read_dir(&logs).map_err(failed(&logs))?.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        for log in fs::read_dir(&module).map_err(failed(&module))?.flatten().map(|entry| entry.path()) {
            let (Some(module), Some(name)) = (module.file_name(), log.file_name()) else { continue };
            let folder = out.join(module);
            fs::create_dir_all(&folder).map_err(failed(&folder))?;
            let result = folder.join(format!("{}.ndjson", name.display()));
            let mut parse = program(&chieng.display().to_string(), &root());
            parse.args(["parse", "--input", "evtx"]).stdin(File::open(&log).map_err(failed(&log))?);
            step("read", parse.stdout(File::create(&result).map_err(failed(&result))?))?;
        }
    }
    Ok(dir.join("out"))
}

/// Builds `chieng` and scores `chieng parse`; arguments go to the scorer (`--product NAME --by-field` …).
pub fn run(arguments: &[&str]) -> Result {
    let shared = std::env::var_os("CHIENG_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let scorer = shared.join("tools/score_parsers.py");
    if !scorer.exists() {
        return Err(format!("no samples: {} is not there; name their folder with CHIENG_SHARED", scorer.display()));
    }
    step("build", cargo().args(["build", "--workspace", "--all-targets"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let chieng = target.join("debug/chieng");
    if arguments.contains(&"--windows") {
        let out = windows(&shared, &chieng)?;
        let mut score = program("python3", &root());
        score.arg(&scorer).arg("--data").arg(shared.join("data")).arg("--out").arg(out).args(arguments);
        return step("score", &mut score);
    }
    let parse = format!("{} parse --input {{format}}", chieng.display());
    let mut score = program("python3", &root());
    score.arg(&scorer).arg("--data").arg(shared.join("data")).args(["--run", &parse]).args(arguments);
    step("score", &mut score)
}
