//! A format that an operator adds by one file: tested on the command line, in force without a restart, kept when a change is wrong.

use std::{fs, net::UdpSocket};

use crate::harness::{Site, wait_for};

const MAPPING: &str = r#"
name = "gate"
dataset = "gate.access"
prefix = "gate."
format = "pattern"

[match]
programs = ["gated"]

[[pattern]]
text = "badge {badge} opened {door} from {address}"

[fields]
badge = "user.name"
door = "gate.door"
address = "source.ip"

[[test]]
line = "<38>Nov 23 08:00:01 door01 gated: badge lan opened north from 192.0.2.7"
expect = { "user.name" = "lan", "source.ip" = "192.0.2.7", "gate.door" = "north" }
"#;

#[test]
fn a_mapping_file_is_tested_used_at_once_and_kept_when_the_next_one_is_wrong() {
    let site = Site::new("[store]\nflush_interval = \"1s\"\n");
    let folder = site.path("parsers");
    let file = folder.join("gate.toml");
    let server = site.start();
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let send = |door: &str| {
        let line = format!("<38>Nov 23 08:00:01 door01 gated: badge lan opened {door} from 192.0.2.7");
        udp.send_to(line.as_bytes(), server.address("syslog_udp")).expect("send");
    };
    let count = |condition: &str| site.count(&format!("SELECT count(*) FROM events WHERE {condition}"));
    send("east");
    wait_for("a plain syslog event", || (count("event.dataset = 'syslog' AND process.name = 'gated'") == 1).then_some(()));

    fs::create_dir_all(&folder).expect("a folder");
    fs::write(&file, MAPPING).expect("write");
    let tested = site.chieng(&["parser", "test"]);
    let text = String::from_utf8_lossy(&tested.stdout);
    assert!(tested.status.success() && text.contains("gate: 1 of 1 tests come out"), "{text}");
    wait_for("the mapping to be in force", || {
        send("north");
        (count("chieng.parser = 'gate' AND source.ip = '192.0.2.7'") > 0).then_some(())
    });

    fs::write(&file, MAPPING.replace("\"user.name\"", "\"event.id\"")).expect("write");
    let refused = site.chieng(&["parser", "test"]);
    let text = String::from_utf8_lossy(&refused.stdout);
    assert!(!refused.status.success() && text.contains("gate.toml:") && text.contains("event.id"), "{text}");
    assert_eq!(site.chieng(&["validate"]).status.code(), Some(78));
    wait_for("the log to name the file", || site.log().contains("gate.toml").then_some(()));
    send("south");
    wait_for("what was in force to stay", || (count("chieng.parser = 'gate' AND gate.door = 'south'") == 1).then_some(()));

    fs::remove_file(&file).expect("remove");
    wait_for("the built-in reader to be back", || {
        send("west");
        (count("event.dataset = 'syslog' AND message LIKE '%opened west%'") > 0).then_some(())
    });
    server.stop();
}

#[test]
fn the_examples_that_come_with_the_program_pass_their_own_tests() {
    let site = Site::new("");
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("parsers/mappings");
    let files: Vec<String> = fs::read_dir(folder)
        .expect("the folder of examples")
        .map(|entry| entry.expect("an entry").path().display().to_string())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    assert!(files.len() >= 2);
    let arguments: Vec<&str> = ["parser", "test"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let output = site.chieng(&arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
