//! The project's own rules: they load without a word of complaint, their tests pass, their texts are complete.

use detect::{Options, RuleSource, Status, load, own, rule_tests};

#[test]
fn they_load_without_refusals_or_lints() {
    let loaded = load(own::sources(), &Options::default());
    assert_eq!(loaded.rejected, []);
    assert_eq!(loaded.lints, []);
    assert_eq!(loaded.set.rules().len(), own::RULES.len());
}

#[test]
fn each_has_tests_and_they_pass() {
    let mut cases = 0;
    let mut failures = Vec::new();
    for source in own::sources() {
        let tests = own::tests_of(&source.path).unwrap_or_else(|| panic!("{} has no .test.yml", source.path));
        failures.extend(rule_tests::run(&source, tests).into_iter().map(|failure| (source.path.clone(), failure)));
        cases += rule_tests::read(tests).unwrap().len();
    }
    assert_eq!(failures, []);
    assert_eq!(own::RULES.len(), own::TESTS.len(), "a test file without its rule");
    eprintln!("{} rules, {cases} cases", own::RULES.len());
}

#[test]
fn each_can_be_read_in_both_languages() {
    for rule in load(own::sources(), &Options::default()).set.rules() {
        let path = &rule.path;
        for (what, text) in [("title_vi", &rule.title_vi), ("description_vi", &rule.description_vi), ("family", &rule.family)] {
            assert!(text.as_ref().is_some_and(|text| !text.trim().is_empty()), "{path}: {what}");
        }
        for text in [&rule.title_vi, &rule.description_vi] {
            let has_accents = event::fold::has_accents(text.as_deref().unwrap_or_default());
            assert!(has_accents, "{path}: Vietnamese without accents");
        }
        assert!(!rule.title.is_empty() && !rule.description.is_empty(), "{path}");
        assert!(!rule.falsepositives.is_empty() && !rule.falsepositives_vi.is_empty(), "{path}: falsepositives");
        assert!(rule.response.len() >= 2 && rule.response.len() == rule.response_vi.len(), "{path}: response steps");
        assert!(rule.tags.iter().any(|tag| tag.starts_with("attack.t")), "{path}: no technique");
        assert!(matches!(rule.status, Status::Stable | Status::Test), "{path}: status");
        assert!(!rule.group_by.is_empty(), "{path}: group_by");
        assert!(rule.path.starts_with("rules/"), "{path}");
    }
}

/// What `cargo xtask new rule` writes: all keys are there, and only the status says that nobody filled it in.
#[test]
fn the_skeleton_loads_and_its_tests_pass() {
    let text = include_str!("../../../xtask/skeleton/rule.yml").replace("UUID", "5c0b3c0e-3b7e-4f0b-9a35-2d8a6f3e7fff");
    let source = RuleSource { path: "rules/linux/skeleton.yml".to_owned(), text };
    assert_eq!(rule_tests::run(&source, include_str!("../../../xtask/skeleton/rule.test.yml")), []);
    let loaded = load(vec![source], &Options::default());
    assert_eq!((loaded.rejected, loaded.lints), (vec![], vec![]));
    let rule = &loaded.set.rules()[0];
    assert_eq!(rule.status, Status::Experimental);
    assert!(rule.family.is_some() && !rule.falsepositives_vi.is_empty() && rule.response.len() == rule.response_vi.len());
}
