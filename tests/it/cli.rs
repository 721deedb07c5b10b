//! The command line: what a tired operator types, and what broken input gets.

use std::io::Write as _;

use crate::harness::{Site, wait_for};

#[test]
fn a_broken_configuration_names_every_problem_with_its_line_and_ends_78() {
    let site = Site::new("");
    std::fs::write(
        site.config(),
        "[server]\nlisten = \"127.0.0.1:0\"\nlisen = 1\n\n[store]\nwal_max = 5\n\n[ingest.syslog]\nupd = []\n",
    )
    .expect("write");
    let output = site.chieng(&["validate"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{text}");
    assert!(text.contains("chieng.toml:3: unknown key `lisen`") && text.contains("did you mean `listen`?"), "{text}");
    assert!(text.contains("chieng.toml:6:") && text.contains("chieng.toml:9: unknown key `upd`"), "{text}");
    assert_eq!(site.chieng(&["run"]).status.code(), Some(78), "run refuses it, too");
}

#[test]
fn a_good_configuration_validates_quietly() {
    let site = Site::new("");
    let output = site.chieng(&["validate"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_taken_port_and_a_second_owner_get_one_sentence_and_a_hint() {
    let site = Site::new("");
    let server = site.start();
    let second = site.chieng(&["run"]);
    let text = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && text.contains("hint:") && text.contains("data"), "{text}");
    let other = Site::new("");
    let port = server.http().rsplit(':').next().expect("a port").to_owned();
    let config = std::fs::read_to_string(other.config()).expect("read").replacen("127.0.0.1:0", &format!("127.0.0.1:{port}"), 1);
    std::fs::write(other.config(), config).expect("write");
    let taken = other.chieng(&["run"]);
    let text = String::from_utf8_lossy(&taken.stderr);
    assert!(!taken.status.success() && text.contains(&port) && text.contains("hint:"), "{text}");
    server.stop();
}

#[test]
fn files_are_ingested_once_even_when_asked_twice_plain_and_compressed() {
    let site = Site::new("");
    let lines: String = (0..500)
        .map(|i| format!("<38>Nov 23 08:00:01 web01 sshd[812]: Failed password for u{i} from 203.0.113.9 port 1 ssh2\n"))
        .collect();
    let plain = site.path("auth.log");
    std::fs::write(&plain, &lines).expect("write");
    let packed = site.path("auth2.log.gz");
    let mut gz = flate2::write::GzEncoder::new(std::fs::File::create(&packed).expect("create"), flate2::Compression::default());
    gz.write_all(lines.replace(" u", " v").as_bytes()).expect("write");
    gz.finish().expect("finish");
    for round in 0..2 {
        // First without a server, then through the running one.
        let server = (round == 1).then(|| site.start());
        for path in [&plain, &packed] {
            let output = site.chieng(&["ingest", path.to_str().expect("UTF-8"), "--source", "files"]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        wait_for("the files", || {
            (site.count("SELECT count(*) FROM events WHERE event.dataset = 'sshd.auth'") == 1_000).then_some(())
        });
        if let Some(server) = server {
            server.stop();
        }
    }
    // The file grew: only what is new comes in.
    std::fs::OpenOptions::new()
        .append(true)
        .open(&plain)
        .expect("open")
        .write_all(b"<38>Nov 23 08:00:02 web01 sshd[812]: Failed password for neu from 203.0.113.9 port 1 ssh2\n")
        .expect("write");
    assert!(site.chieng(&["ingest", plain.to_str().expect("UTF-8"), "--source", "files"]).status.success());
    assert_eq!(site.count("SELECT count(*) FROM events"), 1_001);
}

#[test]
fn query_prints_tables_json_and_csv_that_a_terminal_and_a_spreadsheet_survive() {
    let site = Site::new("");
    let file = site.path("hostile.log");
    std::fs::write(&file, "<13>Nov 23 08:00:01 web01 app: \u{1b}[31m=cmd|' /C calc'!A0\u{7}\n").expect("write");
    assert!(site.chieng(&["ingest", file.to_str().expect("UTF-8"), "--source", "files"]).status.success());
    for format in ["table", "csv", "json"] {
        let output = site.chieng(&["query", "SELECT message FROM events", "--format", format]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("calc"), "{format}: {text}");
        if format != "csv" {
            assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{format}: {text:?}");
        }
    }
    let bad = site.chieng(&["query", "SELECT nosuch FROM events"]);
    assert!(!bad.status.success() && String::from_utf8_lossy(&bad.stderr).contains("nosuch"));
    let denied = site.chieng(&["query", "DROP TABLE events"]);
    assert!(!denied.status.success(), "{}", String::from_utf8_lossy(&denied.stdout));
}

#[test]
fn a_hold_is_placed_listed_and_released_with_and_without_a_server() {
    let site = Site::new("");
    let run = |arguments: &[&str]| {
        let output = site.chieng(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    let (good, said, error) = run(&["store", "hold", "place", "--class", "sshd.auth", "--reason", "Case 12"]);
    assert!(good && said == "hold 1 is in force\n", "{said}{error}");
    let (good, _, error) = run(&["store", "hold", "place", "--system", "nobody", "--reason", "x"]);
    assert!(!good && error.contains("the register has no system"), "{error}");

    let server = site.start();
    let (good, said, error) = run(&["store", "hold", "place", "--to", "2026-12-31T00:00:00Z", "--reason", "Case\u{1b}[2J 13"]);
    assert!(!good && error.contains("control characters"), "{said}{error}");
    let (good, said, error) = run(&["store", "hold", "place", "--to", "2026-12-31T00:00:00Z", "--reason", "Case 13"]);
    assert!(good && said == "hold 2 is in force\n", "{said}{error}");
    let (_, said, _) = run(&["store", "hold", "list"]);
    assert!(
        said.contains("1  all systems  sshd.auth  beginning … open") && said.contains("2  all systems  all classes"),
        "{said}"
    );
    let (good, _, error) = run(&["store", "hold", "release", "1"]);
    assert!(!good && error.contains("--reason"), "a release needs a reason: {error}");
    let (good, said, error) = run(&["store", "hold", "release", "1", "--reason", "closed"]);
    assert!(good && said == "hold 1 is released\n", "{said}{error}");
    let (good, _, error) = run(&["store", "hold", "release", "1", "--reason", "again"]);
    assert!(!good && error.contains("no hold in force"), "{error}");
    wait_for("the audit events", || {
        let sql = "SELECT count(*) FROM events WHERE event.action IN ('hold.place', 'hold.release')";
        (site.count(sql) == 3).then_some(())
    });
    let (_, said, _) = run(&["store", "tombstones"]);
    assert!(said.starts_with("deleted,system,class,rows,"), "{said}");
    let (_, said, _) = run(&["store", "outlook", "--json"]);
    let outlook: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert!(outlook["budget_bytes"].as_u64().is_some_and(|room| room > 0), "{said}");
    server.stop();

    let (_, said, _) = run(&["store", "hold", "list", "--all", "--json"]);
    let holds: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((&holds[0]["released"]["reason"], &holds[1]["released"]), (&"closed".into(), &serde_json::Value::Null), "{said}");
}
