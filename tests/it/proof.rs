//! The proof from outside: what was received is anchored, verified, exported; a forged file is named.

use std::{net::UdpSocket, process::Output};

use serde_json::{Value, json};

use crate::harness::{DEADLINE, Person, Site, wait_for};

const LINE: &str = "<38>Nov 23 08:00:01 web01 sshd[812]: Failed password for lan from 203.0.113.9 port 1 ssh2\n";

fn ingest(site: &Site, name: &str, lines: usize) {
    let path = site.path(name);
    std::fs::write(&path, LINE.repeat(lines)).expect("write");
    let output = site.chieng(&["ingest", path.to_str().expect("UTF-8"), "--source", "files"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

#[test]
fn received_anchored_verified_exported_and_forged() {
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("bind");
    receiver.set_read_timeout(Some(DEADLINE)).expect("set the time-out");
    let address = receiver.local_addr().expect("an address");
    let site = Site::new(&format!("[proof]\nsyslog = [{{ address = \"{address}\", protocol = \"udp\" }}]\n"));
    let none = site.chieng(&["store", "verify"]);
    assert_eq!(none.status.code(), Some(2), "there is nothing to check: {}", text(&none));
    ingest(&site, "one.log", 300);
    let no_root = site.chieng(&["store", "anchor"]);
    assert!(!no_root.status.success() && text(&no_root).contains("hint:"), "{}", text(&no_root));
    let printed = site.chieng(&["store", "anchor", "--now"]);
    assert!(printed.status.success(), "{}", text(&printed));
    let line = String::from_utf8_lossy(&printed.stdout).trim().to_owned();
    assert!(line.starts_with("CHIENG-ROOT n1 1 "), "{line}");

    // The running server sends the newest root that has not gone out, and says so.
    let server = site.start();
    let mut buffer = [0; 4_096];
    let len = receiver.recv(&mut buffer).expect("the root comes by syslog");
    let message = String::from_utf8_lossy(&buffer[..len]).into_owned();
    assert!(message.starts_with("<110>1 ") && message.contains(&line), "{message}");
    wait_for("the receipt", || (json(&site.chieng(&["store", "proof", "--json"]))["anchored"] == 1).then_some(()));
    let metrics = tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let client = crate::harness::client();
        client.get(format!("{}/metrics", server.http())).send().await.expect("an answer").text().await.expect("a body")
    });
    assert!(metrics.lines().any(|line| line.starts_with("proof_anchored_root") && line.ends_with(" 1")), "{metrics}");
    assert!(text(&site.chieng(&["store", "anchor", "--now"])).contains("hint:"), "only while no server runs");

    // Verified beside the running server, with what was received outside.
    std::fs::write(site.path("anchors.txt"), &message).expect("write");
    let anchors = site.path("anchors.txt").display().to_string();
    let report = site.chieng(&["store", "verify", "--anchors", &anchors, "--json"]);
    assert_eq!(report.status.code(), Some(0), "{}", text(&report));
    let report = json(&report);
    assert_eq!((&report["divergences_total"], &report["chain"]["anchors"]), (&0.into(), &1.into()), "{report}");
    assert!(report["rows"].as_u64() >= Some(300), "{report}");

    let out = site.path("packet");
    let span = ["--from", "2020-01-01", "--to", "2100-01-01"];
    let packet = out.display().to_string();
    let exported =
        site.chieng(&[&["store", "export", "--system", "unassigned", "--reason", "vụ 7", "--out", &packet], &span[..]].concat());
    assert!(exported.status.success(), "{}", text(&exported));
    let (given, _) = proof::chain::read_anchors(&message);
    let checked = proof::packet::check(&out, None, &given).expect("the packet can be checked");
    assert!(checked.is_intact() && checked.rows >= 300 && checked.anchored_by == Some(1), "{checked:?}");
    let noted = "SELECT count(*) FROM events WHERE event.action = 'evidence.export' AND message = 'vụ 7'";
    wait_for("the audit event", || (site.count(noted) == 1).then_some(()));
    server.stop();

    // A line is changed in the file; the catalogue is not even touched.
    let segments = site.data().join("segments");
    let file = wait_for("a segment", || find(&segments));
    let mut bytes = std::fs::read(&file).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).expect("write");
    let report = site.chieng(&["store", "verify"]);
    assert_eq!(report.status.code(), Some(1), "{}", text(&report));
    assert!(text(&report).contains(".parquet") && text(&report).contains("NOT INTACT"), "{}", text(&report));
}

fn find(folder: &std::path::Path) -> Option<std::path::PathBuf> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "parquet") {
                return Some(path);
            }
        }
    }
    None
}

#[test]
fn settings_of_the_proof_are_checked() {
    let site = Site::new("[proof]\nsyslog = [{ address = \"nowhere\" }]\nmail = [\"not an address\"]\n");
    let output = site.chieng(&["validate"]);
    assert_eq!(output.status.code(), Some(78), "{}", text(&output));
    let said = text(&output);
    assert!(
        said.contains("is not host:port") && said.contains("not a mail address") && said.contains("needs a mail server"),
        "{said}"
    );
}

/// Asks for the page until nothing runs any more.
async fn idle(person: &Person) -> Value {
    let start = std::time::Instant::now();
    loop {
        let (status, page) = person.get("/api/v1/proof").await;
        assert_eq!(status, 200, "{page}");
        if page["running"].is_null() {
            return page;
        }
        assert!(start.elapsed() < DEADLINE, "it did not end: {page}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_checks_proves_one_line_and_packs() {
    let site = Site::new("");
    ingest(&site, "one.log", 300);
    let printed = site.chieng(&["store", "anchor", "--now"]);
    assert!(printed.status.success(), "{}", text(&printed));
    let line = String::from_utf8_lossy(&printed.stdout).trim().to_owned();
    let server = site.start();
    let admin = Person::first_admin(&site, &server).await;
    let page = idle(&admin).await;
    assert_eq!((&page["chain"]["root"], &page["chain"]["line"], &page["checked"]), (&json!(1), &json!(line), &Value::Null));
    assert_eq!((&page["chain"]["roots"][0]["signed"], &page["chain"]["journals_total"]), (&json!(true), &json!(1)), "{page}");

    // Compared with what the auditor holds: the key and the line.
    let wanted = json!({ "key": page["chain"]["key"], "anchors": format!("ghi tay: {line}") });
    let (status, answer) = admin.post("/api/v1/proof/check", wanted).await;
    assert_eq!(status, 200, "{answer}");
    let checked = idle(&admin).await["checked"].clone();
    assert_eq!((&checked["outcome"], &checked["with_key"], &checked["by"]), (&json!("intact"), &json!(true), &json!("quantri")));
    assert!(checked["report"]["anchors"] == 1 && checked["report"]["rows"].as_u64() >= Some(300), "{checked}");

    let sql = "SELECT event.id FROM events WHERE event.dataset = 'sshd.auth' ORDER BY event.id LIMIT 1";
    let event = site.query(sql)[0]["event.id"].as_str().expect("an id").to_owned();
    let (status, proof) = admin.get(&format!("/api/v1/events/{event}/proof")).await;
    assert_eq!((status, &proof["state"], &proof["rows"]), (200, &json!("signed"), &json!("fits")), "{proof}");
    assert_eq!(
        (&proof["chain"]["fits"], &proof["root"]["signed"], &proof["root"]["line"]),
        (&json!(true), &json!(true), &json!(line))
    );
    assert_eq!(
        proof["leaf"]["hash"],
        proof["block"]["leaves"][proof["block"]["place"].as_u64().unwrap_or(9) as usize],
        "{proof}"
    );

    let span = json!({ "system": "unassigned", "from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "reason": "vụ 9" });
    let (status, made) = admin.post("/api/v1/proof/packets", span).await;
    assert_eq!((status, &made["id"]), (200, &json!(1)), "{made}");
    let page = idle(&admin).await;
    assert!(page["packets"][0]["rows"].as_u64() >= Some(300) && page["packet_failed"].is_null(), "{page}");
    let tar = admin.open("/api/v1/proof/packets/1/download").await.bytes().await.expect("a body");
    std::fs::write(site.path("packet.tar"), &tar).expect("write");
    let opened = std::process::Command::new("tar").args(["-xf", "packet.tar"]).current_dir(site.path("")).output().expect("tar");
    assert!(opened.status.success(), "{opened:?}");
    let (given, _) = proof::chain::read_anchors(&line);
    let packet = proof::packet::check(&site.path("chieng-proof-1"), None, &given).expect("the packet can be checked");
    assert!(packet.is_intact() && packet.rows >= 300, "{packet:?}");
    let noted = "SELECT count(*) FROM events WHERE event.action IN ('proof.check', 'evidence.export', 'evidence.take')";
    wait_for("the audit events", || (site.count(noted) == 3).then_some(()));

    // An owner reads the page, and does none of this.
    let owner =
        json!({ "name": "chu", "display_name": "Chủ quản", "role": "owner", "password": "mật khẩu rất dài 3", "systems": [] });
    assert_eq!(admin.post("/api/v1/users", owner).await.0, 200);
    let owner = Person::login(&server, "chu", "mật khẩu rất dài 3").await;
    let page = idle(&owner).await;
    assert_eq!(
        (&page["packets"], &page["may"]["check"], &page["chain"]["root"]),
        (&json!([]), &json!(false), &json!(1)),
        "{page}"
    );
    assert_eq!(owner.post("/api/v1/proof/check", json!({})).await.0, 403);
    assert_eq!(
        owner.get(&format!("/api/v1/events/{event}/proof")).await.0,
        404,
        "what proves an event is as visible as the event"
    );
    assert_eq!(owner.get("/api/v1/proof/packets/1/download").await.0, 403);

    // Somebody edits a file under the running server.
    let file = find(&site.data().join("segments")).expect("a segment");
    let mut bytes = std::fs::read(&file).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).expect("write");
    assert_eq!(admin.post("/api/v1/proof/check", json!({ "files_only": true })).await.0, 200);
    let checked = idle(&admin).await["checked"].clone();
    assert_eq!(
        (&checked["outcome"], &checked["report"]["divergences"][0]["kind"]),
        (&json!("not_intact"), &json!("file")),
        "{checked}"
    );
    assert_eq!(admin.delete("/api/v1/proof/packets/1").await, 204);
    assert_eq!(admin.delete("/api/v1/proof/packets/1").await, 404);
    server.stop();
}
