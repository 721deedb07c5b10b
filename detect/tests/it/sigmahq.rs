//! SigmaHQ as a whole: everything compiles but the rules that need lists.

use std::time::Instant;

use detect::{Lists, Options, load};

use crate::shared;

#[test]
fn all_rules_compile_and_placeholders_are_refused_by_name() {
    let Some(root) = shared::data("sigma") else { return };
    let sources = shared::rule_files(&root);
    let start = Instant::now();
    let loaded = load(sources.clone(), &Options::default());
    let took = start.elapsed();
    eprintln!("{} rules in {took:?}, {} rejected, {} lints", loaded.set.rules().len(), loaded.rejected.len(), loaded.lints.len());
    let other: Vec<_> = loaded.rejected.iter().filter(|rejected| !rejected.reason.contains("no list named")).collect();
    assert_eq!(other, Vec::<&detect::Rejected>::new());
    assert_eq!(loaded.set.rules().len(), 3755);
    assert_eq!(loaded.rejected.len(), 25);
    for rejected in &loaded.rejected {
        assert!(rejected.line > 0 && !rejected.rule.is_empty(), "{rejected:?}");
    }

    // With the lists that the refusals name, they compile too.
    let mut lists = Lists::new();
    let mut rejected = loaded.rejected;
    while !rejected.is_empty() {
        for one in &rejected {
            let name = one.reason.split('`').nth_back(1).unwrap();
            assert!(
                lists.insert(name.to_owned(), vec!["x".to_owned()]).is_none()
                    || rejected.iter().filter(|other| other.reason.contains(name)).count() > 1
            );
        }
        rejected = load(sources.clone(), &Options { lists: lists.clone() }).rejected;
    }
    assert!(lists.len() >= 10, "{lists:?}");
}

#[test]
fn lints_find_the_known_oddities() {
    let Some(loaded) = shared::sigmahq() else { return };
    let count = |check: &str| loaded.lints.iter().filter(|lint| lint.check == check).count();
    let never: Vec<_> = loaded.lints.iter().filter(|lint| lint.check == "never_matches").map(|lint| lint.rule.as_str()).collect();
    assert_eq!(never, ["53d4bb30-3f36-4e8a-b078-69d36c4a79ff"], "the one rule known to be unable to match");
    let integers = loaded.lints.iter().filter(|lint| lint.check == "keyword_integer");
    let in_rules: std::collections::BTreeSet<_> = integers.map(|lint| lint.file.as_str()).collect();
    eprintln!("keyword_integer: {in_rules:?}");
    assert!(in_rules.len() >= 2, "{in_rules:?}");
    for check in
        ["field_case", "unknown_log_source", "unused_identifier", "all_of_one", "missing_metadata", "unknown_key", "id_format"]
    {
        eprintln!("{check}: {}", count(check));
    }
}
