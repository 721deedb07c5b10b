//! `cargo xtask new`: writes the skeleton of a new thing and the case that fails until it is filled in.
//!
//! The skeletons lie in `xtask/skeleton`; tests of `detect` and `comply` hold them against what those crates read.

use std::{
    fs,
    hash::{BuildHasher as _, RandomState},
    path::Path,
};

use crate::run::{Result, root};

const PARSER: &str = include_str!("../skeleton/parser.rs.txt");
const RULE: &str = include_str!("../skeleton/rule.yml");
const RULE_TEST: &str = include_str!("../skeleton/rule.test.yml");
const CHECK: &str = include_str!("../skeleton/check.yml");

pub fn run(kind: &str, name: &str) -> Result {
    let root = root();
    match kind {
        "parser" => {
            check_name(name)?;
            write(
                &root.join(format!("parsers/src/formats/{name}.rs")),
                &PARSER.replace("CAMEL", &camel(name)).replace("NAME", name),
            )?;
            write(
                &root.join(format!("parsers/corpus/{name}/basic.log")),
                &format!("{name}: replace this line by one that the device really sends\n"),
            )?;
            println!(
                "next: add `pub mod {name};` to parsers/src/formats/mod.rs and `&formats::{name}::{},` to PARSERS in parsers/src/lib.rs, fill in the parser, run `cargo xtask bless parsers`, read the diff",
                camel(name)
            );
        }
        "rule" => {
            let (source, rule) =
                name.split_once('/').ok_or("a rule is named <logsource>/<name>, for example linux/sshd_root_login")?;
            check_name(source)?;
            check_name(rule)?;
            write(&root.join(format!("detect/rules/{source}/{rule}.yml")), &RULE.replace("NAME", rule).replace("UUID", &uuid()))?;
            write(&root.join(format!("detect/rules/{source}/{rule}.test.yml")), &RULE_TEST.replace("NAME", rule))?;
            println!("next: fill in both files, run `cargo test -p detect`");
        }
        "check" => {
            check_name(name)?;
            write(&root.join(format!("comply/checks/{name}.yml")), &CHECK.replace("NAME", name))?;
            println!(
                "next: fill in question, SQL and cases; add \"checks/{name}.yml\" to CHECKS in comply/src/catalogue.rs; name {name} under `checks:` of a requirement in comply/frameworks; run `cargo test -p comply`"
            );
        }
        _ => {
            return Err(format!(
                "unknown kind {kind:?}: parser, rule or check have a skeleton; CONTRIBUTING.md has the recipes of the rest"
            ));
        }
    }
    Ok(())
}

/// A name becomes a file, a Rust module and a type: words of letters and digits that open with a letter.
fn check_name(name: &str) -> Result {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    if name.split('_').all(is_word) {
        return Ok(());
    }
    Err(format!("{name:?}: a name is words joined by _, each of lower-case letters and digits, a letter first"))
}

fn write(path: &Path, text: &str) -> Result {
    if path.exists() {
        return Err(format!("{} is there already", path.display()));
    }
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(|error| format!("failed to create {}: {error}", dir.display()))?;
    }
    fs::write(path, text).map_err(|error| format!("failed to write {}: {error}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

fn camel(name: &str) -> String {
    name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// A random UUID (version 4), from the seed that the standard library gives its hash maps.
fn uuid() -> String {
    let hex = format!("{:016x}{:016x}", RandomState::new().hash_one(0), RandomState::new().hash_one(1));
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_modules_and_types() {
        assert_eq!(camel("apache_access"), "ApacheAccess");
        for bad in ["", "_x", "x_", "a__b", "2fa", "Apache", "a-b", "../a"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert_eq!(check_name("windows_event2"), Ok(()));
    }

    #[test]
    fn identifiers_differ_and_have_the_form() {
        let id = uuid();
        assert_ne!(id, uuid());
        assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    }
}
