//! Detection lags or dies: storage goes on, and no event stays unmatched.

use std::{fs, io::Write as _, net::TcpStream, path::Path};

use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::harness::{Server, Site, wait_for};

const RULE: &str = r#"
title: Marker user in a login
id: 0d8a2f0c-6f0e-4a55-9a51-3c1d6d6f7b10
status: stable
description: Test of detection behind storage.
logsource: {product: linux, service: sshd}
detection:
  selection:
    user.name: kẻ_lạ
  condition: selection
level: high
tags: [attack.t1110]
chieng: {group_by: [source.ip]}
"#;

fn site() -> Site {
    let site = Site::new("");
    let rules = site.path("rules");
    fs::create_dir_all(&rules).expect("a folder");
    fs::write(rules.join("marker.yml"), RULE).expect("a rule");
    site.configure(&format!(
        "[store]\nflush_interval = \"1s\"\n[detect]\nown_rules = false\nrules = [\"{}\"]\n",
        rules.display()
    ));
    site
}

fn send(server: &Server, lines: &[String]) {
    let mut stream = TcpStream::connect(server.address("syslog_tcp")).expect("connect");
    stream.write_all(lines.concat().as_bytes()).expect("send");
}

fn login(user: &str, at: usize) -> String {
    format!("<38>Nov 23 08:00:01 web01 sshd[{at}]: Failed password for {user} from 203.0.113.{} port 40022 ssh2\n", at % 200)
}

fn wait_for_count(site: &Site, sql: &str, wanted: i64) {
    wait_for(&format!("{wanted} of: {sql}"), || (site.count(sql) == wanted).then_some(()));
}

fn parquet_files(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let of = |path: &Path| {
        if path.is_dir() { parquet_files(path) } else { usize::from(path.extension().is_some_and(|e| e == "parquet")) }
    };
    entries.flatten().map(|entry| of(&entry.path())).sum()
}

/// Holds the alert database's write lock, as a broken disk or a careless backup would.
async fn lock(site: &Site) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(site.data().join("state.db"));
    let mut connection = SqliteConnection::connect_with(&options).await.expect("the state database");
    sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.expect("the write lock");
    connection
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_stored_before_a_crash_raise_their_alerts_after_it_once() {
    let site = site();
    let server = site.start();
    let held = lock(&site).await;
    send(&server, &[login("lan", 1), login("kẻ_lạ", 7), login("minh", 2)]);
    wait_for_count(&site, "SELECT count(*) FROM events WHERE event.dataset = 'sshd.auth'", 3);
    // They reach a segment: after the crash the store's cursor is behind them, only detection's is not.
    wait_for("a segment", || (parquet_files(&site.data()) > 0).then_some(()));
    server.kill();
    held.close().await.expect("closing");
    for _ in 0..2 {
        let server = site.start();
        wait_for_count(&site, "SELECT count(*) FROM alerts", 1);
        assert_eq!(site.count("SELECT sum(count) FROM alerts"), 1, "one event was matched once");
        assert_eq!(site.count("SELECT count(*) FROM events WHERE event.dataset = 'sshd.auth'"), 3);
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_alerts_cannot_be_recorded_storage_goes_on_and_nothing_stays_unmatched() {
    let site = site();
    let server = site.start();
    let held = lock(&site).await;
    // More blocks than may wait for detection: some must be read from the log again.
    for round in 0..12 {
        let lines: Vec<String> = (0..200).map(|at| login(if at == 99 { "kẻ_lạ" } else { "lan" }, round * 200 + at)).collect();
        send(&server, &lines);
        wait_for_count(&site, "SELECT count(*) FROM events WHERE event.dataset = 'sshd.auth'", (round as i64 + 1) * 200);
    }
    held.close().await.expect("closing");
    wait_for("all twelve to be matched", || (site.count("SELECT coalesce(sum(count), 0) FROM alerts") == 12).then_some(()));
    server.stop();
}
