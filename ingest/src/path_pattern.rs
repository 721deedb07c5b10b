//! Paths with `*` and `?` in their components, as the configuration names files to tail.
//!
//! A wildcard never crosses a `/`, and never matches the dot of a hidden file.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A pattern never yields more paths than this; further ones are left out.
pub const PATHS_MAX: usize = 10_000;

/// Returns the existing paths that match, sorted. Directories that cannot be read match nothing.
pub fn expand(pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("/")];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        found = if part.contains(['*', '?']) {
            found.iter().flat_map(|dir| matching(dir, part)).take(PATHS_MAX).collect()
        } else {
            found.into_iter().map(|dir| dir.join(part)).filter(|path| path.exists()).collect()
        };
    }
    found.sort_unstable();
    found
}

fn matching(dir: &Path, pattern: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    names.filter(|name| name.to_str().is_some_and(|name| is_match(pattern, name))).map(|name| dir.join(name)).collect()
}

/// Matches a whole name; linear in its length for every pattern.
fn is_match(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last star stands, and how far it has eaten.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some('?') => (p, n) = (p + 1, n + 1),
            Some(c) if *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => {
                let Some((at, eaten)) = star else { return false };
                star = Some((at, eaten + 1));
                (p, n) = (at + 1, eaten + 1);
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (pattern, name, expected) in [
            ("*.log", "app.log", true),
            ("*.log", "app.log.1", false),
            ("*.log", ".app.log", false),
            ("app-?.log", "app-1.log", true),
            ("app-?.log", "app-10.log", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("nhật-ký*", "nhật-ký-01", true),
        ] {
            assert_eq!(is_match(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn paths() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["a/x.log", "b/y.log", "b/z.txt"] {
            fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
            fs::write(dir.path().join(path), "").unwrap();
        }
        let expand = |pattern: &str| {
            let found = expand(dir.path().join(pattern).to_str().unwrap());
            found.iter().map(|p| p.strip_prefix(dir.path()).unwrap().display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(expand("*/*.log"), ["a/x.log", "b/y.log"]);
        assert_eq!(expand("b/?.txt"), ["b/z.txt"]);
        assert_eq!(expand("a/x.log"), ["a/x.log"]);
        assert!(expand("c/*.log").is_empty());
    }
}
