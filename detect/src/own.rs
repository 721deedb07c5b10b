//! The project's own rules, part of the program.

use crate::RuleSource;

include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// The own rules as [`crate::load`] takes them; paths begin with `rules/`.
pub fn sources() -> Vec<RuleSource> {
    RULES.iter().map(|(path, text)| RuleSource { path: (*path).to_owned(), text: (*text).to_owned() }).collect()
}

/// The text of the tests that belong to a rule path.
pub fn tests_of(path: &str) -> Option<&'static str> {
    let wanted = path.strip_suffix(".yml")?;
    TESTS.iter().find(|(path, _)| path.strip_suffix(".test.yml") == Some(wanted)).map(|(_, text)| *text)
}
