//! Where the evaluation data is, and how SigmaHQ's rules are read from it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use detect::{Loaded, Options, RuleSource, load};

/// The path below the shared folder, when it is there; says so when it is not.
pub fn data(path: &str) -> Option<PathBuf> {
    let root =
        env::var_os("CHIENG_SHARED").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let path = root.join("data").join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not there (set CHIENG_SHARED)", path.display());
    None
}

/// All rule files below a folder, by path.
pub fn rule_files(root: &Path) -> Vec<RuleSource> {
    let mut sources = Vec::new();
    walk(root, root, &mut sources);
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn walk(root: &Path, dir: &Path, out: &mut Vec<RuleSource>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(root, &path, out);
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            let shown = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            out.push(RuleSource { path: shown, text: fs::read_to_string(&path).unwrap() });
        }
    }
}

/// SigmaHQ's rules, loaded once for all tests.
pub fn sigmahq() -> Option<&'static Loaded> {
    static LOADED: LazyLock<Option<Loaded>> = LazyLock::new(|| Some(load(rule_files(&data("sigma")?), &Options::default())));
    LOADED.as_ref()
}
