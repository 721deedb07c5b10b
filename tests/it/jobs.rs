//! Questions in the background: kept over a restart, in the scope of the asking, within limits, gone when removed.

use std::time::Instant;

use serde_json::{Value, json};

use crate::harness::{DEADLINE, Person, Server, Site, post_records, wait_for};

const LINES: usize = 500;

async fn filled(site: &Site, server: &Server) {
    let lines: String = (0..LINES).map(|at| format!("{{\"message\":\"dòng số {at}\"}}\n")).collect();
    let status = post_records(&crate::harness::client(), &server.http(), "api", None, lines).await.expect("an answer");
    assert!((200..300).contains(&status), "{status}");
    let all = i64::try_from(LINES).expect("a small number");
    wait_for("the lines", || (site.count("SELECT count(*) FROM events WHERE chieng.source = 'api'") == all).then_some(()));
}

fn question(q: &str, mode: &str) -> Value {
    json!({ "q": q, "mode": mode, "from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z" })
}

async fn asked(person: &Person, q: &str, mode: &str) -> String {
    let (status, job) = person.post("/api/v1/jobs", question(q, mode)).await;
    assert_eq!(status, 200, "{job}");
    format!("/api/v1/jobs/{}", job["id"].as_str().expect("an id"))
}

/// Waits until a job is no longer under way.
async fn ended(person: &Person, job: &str) -> Value {
    let start = Instant::now();
    loop {
        let (status, shown) = person.get(job).await;
        assert_eq!(status, 200, "{shown}");
        if !["waiting", "running"].contains(&shown["status"].as_str().expect("a status")) {
            return shown;
        }
        assert!(start.elapsed() < DEADLINE, "{shown}");
        tokio::task::yield_now().await;
    }
}

/// A statement that takes long, whatever the machine: it makes the fourth power of the stored rows, with little memory.
const LONG: &str = "SELECT count(*) AS n FROM events a CROSS JOIN (SELECT b.message AS m FROM events b CROSS JOIN \
    (SELECT c.message AS k FROM events c CROSS JOIN events d) e) f WHERE a.message <> f.m";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_outlives_the_server_and_what_ran_is_interrupted() {
    let site = Site::new("");
    let server = site.start();
    let admin = Person::first_admin(&site, &server).await;
    filled(&site, &server).await;
    let job = asked(&admin, "chieng.source:api", "search").await;
    let done = ended(&admin, &job).await;
    assert_eq!((&done["status"], &done["rows"], &done["complete"]), (&json!("done"), &json!(LINES), &json!(true)), "{done}");
    let long = asked(&admin, LONG, "sql").await;
    let start = Instant::now();
    while admin.get(&long).await.1["status"] != "running" {
        assert!(start.elapsed() < DEADLINE, "the long one did not begin");
    }
    // People who wait are answered while it runs.
    let (status, found) = admin.post("/api/v1/hunt", question("", "search")).await;
    assert_eq!((status, &found["complete"]), (200, &json!(true)), "{found}");
    server.kill();

    let server = site.start();
    let admin = Person::login(&server, "quantri", "mật khẩu rất dài 1").await;
    assert_eq!(ended(&admin, &long).await["status"], "interrupted");
    assert_eq!(admin.get(&format!("{long}/rows")).await.0, 400, "there is no answer");
    let (mut offset, mut seen) = (Some(0), 0);
    while let Some(at) = offset {
        let (status, page) = admin.get(&format!("{job}/rows?offset={at}&limit=200")).await;
        assert_eq!((status, &page["total"]), (200, &json!(LINES)), "{page}");
        seen += page["rows"].as_array().map_or(0, Vec::len);
        offset = page["next"].as_u64();
    }
    assert_eq!(seen, LINES);
    let (status, taken) = admin.get(&format!("{job}/download?format=ndjson")).await;
    assert_eq!((status, taken.as_str().map(|text| text.lines().count())), (200, Some(LINES)));
    assert_eq!(admin.get(&format!("{job}/download?format=xlsx")).await.0, 400);
    for job in [&job, &long] {
        assert_eq!(admin.delete(job).await, 204);
        assert_eq!(admin.get(job).await.0, 404);
    }
    let left = || std::fs::read_dir(site.data().join("jobs")).map_or(1, Iterator::count);
    wait_for("the files to go", || (left() == 0).then_some(()));
    let told = "SELECT count(*) FROM events WHERE event.action IN ('job.create', 'job.end', 'job.remove', 'event.export')";
    wait_for("the audit events", || (site.count(told) >= 6).then_some(()));
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_cancelled_bounded_and_read_in_the_scope_of_its_owner_only() {
    let site = Site::new("[query]\njobs_keep = \"1 d\"\n");
    let server = site.start();
    let admin = Person::first_admin(&site, &server).await;
    filled(&site, &server).await;
    let account = |name: &str, role: &str| json!({ "name": name, "display_name": name, "role": role, "password": "mật khẩu rất dài 3", "systems": "all" });
    for (name, role) in [("phantich", "analyst"), ("kiemtoan", "auditor")] {
        let (status, answer) = admin.post("/api/v1/users", account(name, role)).await;
        assert_eq!(status, 200, "{answer}");
    }
    let analyst = Person::login(&server, "phantich", "mật khẩu rất dài 3").await;
    let auditor = Person::login(&server, "kiemtoan", "mật khẩu rất dài 3").await;
    assert_eq!(auditor.post("/api/v1/jobs", question("SELECT 1", "sql")).await.0, 403, "writing SQL is a right");
    assert_eq!(analyst.post("/api/v1/jobs", question("(", "search")).await.0, 400, "told at once, not later");

    let kept = asked(&analyst, "chieng.source:api", "search").await;
    assert_eq!(ended(&analyst, &kept).await["readable"], true);
    assert_eq!(admin.get(&kept).await.0, 404, "a job is its owner's, whoever asks");
    assert_eq!(admin.delete(&kept).await, 404);

    // Five under way are enough; removing the one that runs gives its turn to the next.
    let mut long = Vec::new();
    for _ in 0..5 {
        long.push(asked(&analyst, LONG, "sql").await);
    }
    let (status, refused) = analyst.post("/api/v1/jobs", question("SELECT 1", "sql")).await;
    assert_eq!(status, 400, "{refused}");
    for job in &long {
        assert_eq!(analyst.delete(job).await, 204);
    }
    let after = asked(&analyst, "SELECT 7 AS seven", "sql").await;
    assert_eq!(ended(&analyst, &after).await["rows"], 1);

    // Rights become less: what was kept plain may not be read masked.
    let (status, answer) = admin.post("/api/v1/users/phantich", json!({ "role": "auditor" })).await;
    assert_eq!(status, 200, "{answer}");
    let less = Person::login(&server, "phantich", "mật khẩu rất dài 3").await;
    assert_eq!(less.get(&kept).await.1["readable"], false);
    for path in [format!("{kept}/rows"), format!("{kept}/download?format=csv"), format!("{after}/rows")] {
        assert_eq!(less.get(&path).await.0, 403, "{path}");
    }
    assert_eq!(less.delete(&kept).await, 204, "removing is always allowed");
    server.stop();
}
