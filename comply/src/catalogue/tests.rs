//! Tests of the catalogue: files load, and bad ones are named with line and reason.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use state::register::{Asset, AssetKind, AssetRole, Register};

use super::*;
use crate::{
    Binding, EvidenceKind, Reach,
    check::Case,
    measure::Sealed,
    question::{Asked, find},
    rows::{Rows, parse_time},
};

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.to_owned() }
}

fn day(text: &str) -> chrono::NaiveDate {
    text.parse().unwrap()
}

#[test]
fn what_we_ship_has_no_problem() {
    let catalogue = Catalogue::load_embedded();
    assert_eq!(catalogue.problems(), []);
    assert_eq!((catalogue.frameworks().len(), catalogue.checks().len()), (FRAMEWORKS.len(), CHECKS.len()));
}

#[test]
fn every_file_of_the_folders_is_in_the_list() {
    for (folder, list) in [("frameworks", FRAMEWORKS), ("checks", CHECKS)] {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for entry in std::fs::read_dir(dir).unwrap() {
            let name = format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy());
            assert!(list.iter().any(|(path, _)| *path == name), "{name} is not embedded");
        }
    }
}

#[test]
fn lines_per_level_are_those_of_the_published_catalogue() {
    let catalogue = Catalogue::load_embedded();
    let count = |id: &str, level| catalogue.framework(id).unwrap().lines(level).count();
    assert_eq!((1..=5).map(|level| count("tcvn_14423_2026", level)).collect::<Vec<_>>(), [111, 131, 195, 273, 288]);
    assert_eq!((1..=5).map(|level| count("tcvn_11930_2017", level)).collect::<Vec<_>>(), [26, 33, 41, 41, 41]);
}

/// security-levels §2.1 and §2.3: clause numbers of the lines that checks answer.
#[test]
fn clauses_of_the_checks_are_exact() {
    let catalogue = Catalogue::load_embedded();
    let clauses = |framework: &str, check: &str, level: u8| -> Vec<String> {
        let lines = catalogue.framework(framework).unwrap().lines(level);
        lines
            .filter(|(requirement, _)| requirement.checks.iter().any(|id| id == check))
            .map(|(_, line)| line.clause.clone())
            .collect()
    };
    let retention = |level| clauses("tcvn_14423_2026", "log_retention_span", level);
    assert_eq!(retention(1), [""; 0]);
    assert_eq!((retention(2), retention(3)), (vec!["4.8.2.1 a".to_owned()], vec!["5.8.2.1 a".to_owned()]));
    assert_eq!((retention(4), retention(5)), (vec!["6.8.2.1 a".to_owned()], vec!["7.8.2.1 a".to_owned()]));
    assert_eq!(clauses("tcvn_11930_2017", "log_retention_span", 1), ["5.2.1.3", "5.2.2.3", "5.2.3.3"]);
    assert_eq!(clauses("tcvn_11930_2017", "log_retention_span", 2), ["6.2.1.4", "6.2.2.3", "6.2.3.3"]);
    assert_eq!(clauses("tcvn_11930_2017", "log_retention_span", 3), ["7.2.1.4", "7.2.2.3", "7.2.3.3"]);
    assert_eq!(clauses("tcvn_11930_2017", "log_retention_span", 4), ["8.2.1.4", "8.2.2.3", "8.2.3.3"]);
    let check = catalogue.check("log_retention_span").unwrap();
    let months: Vec<_> = check.levels.iter().map(|(level, threshold)| (*level, threshold.months.unwrap())).collect();
    assert_eq!(months, [(2, 1), (3, 3), (4, 6), (5, 12)]);
}

#[test]
fn approval_date_decides_the_framework() {
    let catalogue = Catalogue::load_embedded();
    let reach = |id: &str, approved: Option<&str>, on: &str| catalogue.framework(id).unwrap().reach(approved.map(day), day(on));
    let (old, new) = ("tcvn_11930_2017", "tcvn_14423_2026");
    assert_eq!(
        (reach(old, Some("2024-05-01"), "2026-11-23"), reach(new, Some("2024-05-01"), "2026-11-23")),
        (Reach::Now, Reach::From(day("2027-07-01")))
    );
    assert_eq!(
        (reach(old, Some("2026-08-20"), "2026-11-23"), reach(new, Some("2026-08-20"), "2026-11-23")),
        (Reach::Never, Reach::Now)
    );
    assert_eq!((reach(old, None, "2026-11-23"), reach(new, None, "2026-11-23")), (Reach::Never, Reach::Now));
    assert_eq!(
        (reach(old, Some("2024-05-01"), "2027-07-01"), reach(new, Some("2024-05-01"), "2027-07-01")),
        (Reach::Never, Reach::Now)
    );
    assert_eq!(
        (reach(old, Some("2024-05-01"), "2026-06-30"), reach(new, Some("2024-05-01"), "2026-06-30")),
        (Reach::Now, Reach::Never)
    );
}

/// Law 116 art. 10.3–10.4: monitoring is advice on levels 1–2 and owed from level 3.
#[test]
fn monitoring_is_advice_below_level_three() {
    let catalogue = Catalogue::load_embedded();
    for framework in catalogue.frameworks() {
        for requirement in framework.requirements.iter().filter(|r| r.checks == ["log_sources_speaking"]) {
            for level in requirement.levels.keys() {
                let expected = if *level < 3 { Binding::Advised } else { Binding::Mandatory };
                assert_eq!(requirement.binding_on(*level), expected, "{} {level}", requirement.key);
            }
        }
    }
}

/// Half of the measured weight must be answered from level 1 to 5, or no system would ever get a number.
#[test]
fn the_checks_carry_half_of_the_measured_weight() {
    let catalogue = Catalogue::load_embedded();
    for framework in catalogue.frameworks() {
        for level in 1..=5 {
            let rows = || {
                framework
                    .lines(level)
                    .filter(|(r, _)| r.kind != EvidenceKind::Attested && r.binding_on(level) == Binding::Mandatory)
            };
            let all: u32 = rows().map(|(r, _)| r.weight).sum();
            let answered: u32 = rows().filter(|(r, _)| !r.checks.is_empty()).map(|(r, _)| r.weight).sum();
            assert!(2 * answered >= all, "{} level {level}: {answered} of {all}", framework.id);
        }
    }
}

#[test]
fn all_cases_of_all_checks() {
    let catalogue = Catalogue::load_embedded();
    let mut cases = 0;
    for check in catalogue.checks() {
        // Cases of raw lines go through the whole pipe: tests/it/checks.rs.
        for case in check.cases.iter().filter(|case| case.lines.is_empty()) {
            assert_eq!(verdict(check, case), case.expect, "{}: {}", check.id, case.name);
            cases += 1;
        }
    }
    assert!(cases >= 18, "{cases}");
}

fn verdict(check: &crate::Check, case: &Case) -> String {
    let at = parse_time(&case.at).unwrap();
    let assets = case.assets.iter().enumerate().map(|(id, asset)| Asset {
        id: id as i64 + 1,
        system: "s".to_owned(),
        kind: AssetKind::ALL.into_iter().find(|kind| kind.name() == asset.kind).unwrap(),
        value: asset.value.clone(),
        name: asset.value.clone(),
        role: AssetRole::ALL.into_iter().find(|role| Some(role.name()) == asset.role.as_deref()).unwrap_or_default(),
        quantity: asset.quantity.unwrap_or(1),
        expected_source: true,
        classes: Vec::new(),
        shared: false,
        valid_from: at - 1_000 * 86_400_000_000,
        valid_to: None,
    });
    let register = Register { assets: assets.collect(), ..Register::default() };
    let rows = Rows::from_json(&case.rows.iter().flat_map(each_day).collect::<Vec<_>>());
    let asked =
        Asked { check, threshold: &check.levels[&case.level], register: &register, system: "s", sealed: &Sealed::default(), at };
    find(&asked, &rows).verdict.label_en()
}

/// Expands a row with `until` into one row a day.
fn each_day(row: &Map<String, Value>) -> Vec<Map<String, Value>> {
    let Some(until) = row.get("until").and_then(Value::as_str) else { return vec![row.clone()] };
    let (first, last) = (day(row["day"].as_str().unwrap()), day(until));
    first
        .iter_days()
        .take_while(|day| *day <= last)
        .map(|day| {
            let mut row = row.clone();
            row.remove("until");
            row.insert("day".to_owned(), day.to_string().into());
            row
        })
        .collect()
}

#[test]
fn a_broken_requirement_is_named_and_the_rest_works() {
    let text = FRAMEWORKS[1].1.replacen("    kind: attested", "    kind: guessed", 1);
    let catalogue = Catalogue::load(&[file("f.yml", &text)], &[]);
    let line = 1 + text[..text.find("  - key:").unwrap()].lines().count() as u64;
    let first = &catalogue.problems()[0];
    assert_eq!((first.file.as_str(), first.line), ("f.yml", line));
    assert!(first.reason.starts_with("requirement is not usable: unknown variant `guessed`"), "{first}");
    assert_eq!(catalogue.frameworks()[0].requirements.len(), 40);
}

#[test]
fn broken_files_are_named_and_the_rest_works() {
    let good = file(CHECKS[1].0, CHECKS[1].1);
    let unknown_key = file("a.yml", &CHECKS[0].1.replace("version: 1", "versoin: 1"));
    let no_cases = file("b.yml", &format!("{}cases: []\n", &CHECKS[0].1[..CHECKS[0].1.find("cases:").unwrap()]));
    let not_yaml = file("c.yml", "id: [\n");
    let unlimited = file("d.yml", &CHECKS[0].1.replace(":systems", "'x'"));
    let catalogue = Catalogue::load(&[], &[unknown_key, no_cases, not_yaml, unlimited, good]);
    assert_eq!(catalogue.checks().iter().map(|check| check.id.as_str()).collect::<Vec<_>>(), ["log_retention_span"]);
    let problems: BTreeMap<_, _> = catalogue.problems().iter().map(|p| (p.file.as_str(), (p.line, p.reason.as_str()))).collect();
    let version_line = 1 + CHECKS[0].1.lines().position(|line| line == "version: 1").unwrap() as u64;
    assert_eq!(problems["a.yml"].0, version_line);
    assert!(problems["a.yml"].1.contains("versoin"), "{}", problems["a.yml"].1);
    assert_eq!(problems["b.yml"].1, "a check without a case is not accepted");
    assert!(problems["c.yml"].0 >= 1);
    assert_eq!(problems["d.yml"].1, "the question must be limited to :systems");
}

#[test]
fn a_check_that_does_not_exist_is_named() {
    let text = FRAMEWORKS[1].1.replace("checks: [log_sources_speaking]", "checks: [log_sources_speeking]");
    let catalogue =
        Catalogue::load(&[file("f.yml", &text)], &CHECKS.iter().map(|(path, text)| file(path, text)).collect::<Vec<_>>());
    assert_eq!(catalogue.problems().len(), 1);
    assert!(
        catalogue.problems()[0].reason.ends_with("names the check log_sources_speeking, which does not exist"),
        "{}",
        catalogue.problems()[0]
    );
}

/// What `cargo xtask new check` writes: it loads, and its case waits for a verdict.
#[test]
fn the_skeleton_loads_and_its_case_is_open() {
    let text = include_str!("../../../xtask/skeleton/check.yml").replace("NAME", "skeleton");
    let catalogue = Catalogue::load(&[], &[file("skeleton.yml", &text)]);
    assert_eq!(catalogue.problems(), []);
    let check = catalogue.check("skeleton").unwrap();
    assert_eq!(verdict(check, &check.cases[0]), "partly (1/2)");
    assert!(check.cases[0].expect.starts_with("fill in"));
}

#[test]
fn every_sql_fills_completely() {
    let at = parse_time("2026-11-23T00:00:00Z").unwrap();
    for check in Catalogue::load_embedded().checks() {
        let sql = crate::sql::fill(&check.sql, &crate::question::parameters(check, &["cong-dvc".to_owned()], at)).unwrap();
        assert!(sql.contains("('cong-dvc')") && !sql.contains(" :"), "{}: {sql}", check.id);
    }
}
