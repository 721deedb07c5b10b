//! Embeds `rules/**/*.yml`: lists of (path, text) for rules and for their tests.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    println!("cargo::rerun-if-changed=rules");
    let mut files = Vec::new();
    walk(&root.join("rules"), &mut files)?;
    files.sort();
    let (tests, rules): (Vec<_>, Vec<_>) = files.into_iter().partition(|path| path.to_string_lossy().ends_with(".test.yml"));
    let mut out = String::new();
    out += &list("RULES", "All rule files, by path.", &root, &rules);
    out += &list("TESTS", "Their tests, by path.", &root, &tests);
    fs::write(PathBuf::from(env::var("OUT_DIR").expect("cargo sets it")).join("rules.rs"), out)
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            files.push(path);
        }
    }
    Ok(())
}

fn list(name: &str, doc: &str, root: &Path, files: &[PathBuf]) -> String {
    let entries: String = files
        .iter()
        .map(|path| {
            let shown = path.strip_prefix(root).expect("found below it").to_string_lossy().replace('\\', "/");
            // Not the absolute path: a target directory may outlive the clone that filled it.
            let within = format!("/{shown}");
            format!("    ({shown:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {within:?}))),\n")
        })
        .collect();
    format!("/// {doc}\npub static {name}: &[(&str, &str)] = &[\n{entries}];\n")
}
