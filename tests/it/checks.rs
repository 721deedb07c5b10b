//! Checks from raw vendor lines to verdicts: every case of `comply/checks` that holds lines goes through a real server, each as
//! a system of its own, and is judged by the check's own SQL over what was stored.

use std::{collections::BTreeMap, fmt::Write as _, fs, sync::Arc};

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use comply::{Catalogue, Check, check::Case};
use event::{
    Scope,
    seam::{BoxFuture, SeamError, Search},
};
use serde_json::{Value, json};
use state::State;

use crate::harness::{Person, Site, wait_for};

/// A case with its check and the system that stands for it.
struct Played {
    check: Check,
    case: Case,
    system: String,
}

fn played(catalogue: &Catalogue) -> Vec<Played> {
    let cases = catalogue.checks().iter().flat_map(|check| check.cases.iter().map(move |case| (check, case)));
    let with_lines = cases.filter(|(_, case)| !case.lines.is_empty()).enumerate();
    with_lines.map(|(at, (check, case))| Played { check: check.clone(), case: case.clone(), system: format!("ca{at}") }).collect()
}

/// The engine of a running server, asked as an operator would: through the command line.
struct Asking<'a>(&'a Site);

impl Search for Asking<'_> {
    fn search<'a>(&'a self, _: &'a Scope, sql: &'a str, _: usize) -> BoxFuture<'a, Result<Vec<RecordBatch>, SeamError>> {
        let rows = tokio::task::block_in_place(|| self.0.query(sql));
        Box::pin(async move { Ok(batch(&rows).into_iter().collect()) })
    }
}

/// Rows as one batch; whole numbers stay numbers. No rows, no batch.
fn batch(rows: &[Value]) -> Option<RecordBatch> {
    let mut columns: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for name in rows.iter().flat_map(|row| row.as_object().expect("an object").keys()) {
        columns.entry(name).or_default();
    }
    for (name, values) in &mut columns {
        values.extend(rows.iter().map(|row| row.get(*name).unwrap_or(&Value::Null)));
    }
    let arrays: Vec<(Field, ArrayRef)> = columns
        .into_iter()
        .map(|(name, values)| {
            if values.iter().any(|value| value.is_i64()) {
                let numbers: Int64Array = values.iter().map(|value| value.as_i64()).collect();
                return (Field::new(name, DataType::Int64, true), Arc::new(numbers) as ArrayRef);
            }
            let texts: StringArray = values.iter().map(|value| value.as_str()).collect();
            (Field::new(name, DataType::Utf8, true), Arc::new(texts) as ArrayRef)
        })
        .collect();
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = arrays.into_iter().unzip();
    (!arrays.is_empty()).then(|| RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("columns of one length"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raw_lines_give_the_verdicts_that_the_checks_promise() {
    let catalogue = Catalogue::load_embedded();
    let cases = played(&catalogue);
    assert!(cases.len() > 50, "{} cases", cases.len());
    let site = Site::new("");
    let mut sources = String::new();
    for case in &cases {
        let token = site.path(&format!("token-{}", case.system));
        fs::write(&token, format!("token-of-{}-0123456789\n", case.system)).expect("write a token");
        let name = &case.system;
        let _ = write!(sources, "[[ingest.sources]]\nname = {name:?}\nsystem = {name:?}\ntoken = {{ file = {token:?} }}\n\n");
    }
    site.configure(&sources);
    let server = site.start();
    let admin = Person::first_admin(&site, &server).await;
    let mut systems = "id,name,level,owner,operator,decision_number,decision_date\n".to_owned();
    let mut assets = "system,kind,value,name,role,shared\n".to_owned();
    for Played { case, system, .. } in &cases {
        let _ = writeln!(systems, "{system},Hệ thống {system},{},UBND tỉnh,Trung tâm,{system}/QĐ,01/08/2026", case.level);
        for asset in &case.assets {
            let role = asset.role.as_deref().unwrap_or("server");
            let _ = writeln!(assets, "{system},{},{},{},{role},x", asset.kind, asset.value, asset.value);
        }
    }
    // Approved under the old law: it sees how far the new standard is.
    systems.push_str("cu,Hệ thống cũ,3,UBND tỉnh,Trung tâm,7/QĐ,01/02/2024\n");
    for (kind, csv) in [("systems", systems), ("assets", assets)] {
        let rows = csv.lines().count() - 1;
        let (status, answer) = admin.post("/api/v1/register/import", json!({ "kind": kind, "csv": csv })).await;
        assert_eq!((status, &answer["accepted"]), (200, &json!(rows)), "{answer}");
    }
    let mut lines = 0;
    for Played { case, system, .. } in &cases {
        let body = case.lines.join("\n") + "\n";
        let sent = admin
            .client()
            .post(format!("{}/ingest/v1/{system}", server.http()))
            .bearer_auth(format!("token-of-{system}-0123456789"))
            .header("content-type", "text/plain")
            .body(body)
            .send();
        let status = sent.await.expect("an answer").status();
        assert!(status.is_success(), "{system}: {status}");
        lines += case.lines.len() as i64;
    }
    wait_for("every line to be stored", || {
        (site.count("SELECT count(*) FROM events WHERE system.id LIKE 'ca%'") >= lines).then_some(())
    });

    let state = State::open(&site.data().join("state.db")).await.expect("the register");
    let at = chrono::Utc::now().timestamp_micros() + 60_000_000;
    let judged = comply::evaluate_all(&catalogue, &Asking(&site), &state, at).await.expect("an evaluation");
    let mut wrong = Vec::new();
    for Played { check, case, system } in &cases {
        let assessment = judged.iter().find(|assessment| assessment.system == *system).expect("an assessment");
        let Some(result) = assessment.check(&check.id) else {
            wrong.push(format!("{}: {}: not asked on level {}", check.id, case.name, case.level));
            continue;
        };
        assert!(!result.outage, "{}: {}", check.id, result.reason_en);
        let verdict = result.verdict.label_en();
        if verdict != case.expect {
            let datasets = site.query(&format!("SELECT event.dataset, event.category FROM events WHERE system.id = '{system}'"));
            wrong.push(format!("{}: {}: {verdict}, not {}: {} {datasets:?}", check.id, case.name, case.expect, result.reason_en));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let mut next = Value::Null;
    for _ in 0..400 {
        next = admin.get("/api/v1/systems/cu").await.1["upcoming"].take();
        if !next.is_null() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!((&next["framework"], &next["due"]), (&json!("tcvn_14423_2026"), &json!("2027-07-01")), "{next}");
    let number = |key: &str| next[key].as_u64().expect("a number");
    assert!(number("of") > number("evaluated") && number("evaluated") >= 15, "{next}");
    assert_eq!(number("evaluated") - number("met"), next["lines"].as_array().expect("lines").len() as u64, "{next}");
    assert_eq!(next["lines"][0]["verdict"], "blind", "nothing was sent: {next}");
    server.stop();
}
