//! From a device's line to a row, an alert and a mail: the thread, end to end.

use std::{
    io::Write as _,
    net::{TcpStream, UdpSocket},
    sync::{Arc, Mutex},
    time::Instant,
};

use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};

use crate::harness::{Person, Site, post_records, wait_for};

fn wait_for_count(site: &Site, sql: &str, wanted: i64) {
    wait_for(&format!("{wanted} of: {sql}"), || (site.count(sql) == wanted).then_some(()));
}

#[test]
fn syslog_over_udp_and_tcp_in_every_framing_is_parsed_and_queryable_at_once() {
    let site = Site::new("");
    let server = site.start();
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    udp.send_to(
        b"<38>Nov 23 08:00:01 web01 sshd[812]: Failed password for root from 203.0.113.9 port 40022 ssh2",
        server.address("syslog_udp"),
    )
    .expect("send");
    let lf = "<38>Nov 23 08:00:02 web01 sshd[812]: Accepted password for lan from 10.1.2.3 port 40023 ssh2\n";
    let counted = "<165>1 2026-11-23T01:00:03.5Z fw1 app 7 - - xin chào";
    for bytes in [lf.to_owned(), format!("{} {counted}", counted.len()), format!("{}\0", lf.trim_end().replace("lan", "minh"))] {
        TcpStream::connect(server.address("syslog_tcp")).expect("connect").write_all(bytes.as_bytes()).expect("send");
    }
    wait_for_count(&site, "SELECT count(*) FROM events", 4);
    let rows = site.query(
        "SELECT user.name, source.ip, source.port, event.outcome, host.name FROM events WHERE event.dataset = 'sshd.auth' ORDER BY user.name",
    );
    let users: Vec<_> = rows.iter().map(|row| row["user.name"].as_str().expect("a user")).collect();
    assert_eq!(users, ["lan", "minh", "root"]);
    assert_eq!(rows[2]["source.ip"], "203.0.113.9");
    assert_eq!(rows[2]["source.port"], 40022);
    assert_eq!(rows[2]["event.outcome"], "failure");
    assert_eq!(rows[2]["host.name"], "web01");
    assert_eq!(site.count("SELECT count(*) FROM events WHERE match('xin chao')"), 1, "accents fold when the question has none");
    assert_eq!(site.count("SELECT count(*) FROM events WHERE cidr(source.ip, '203.0.113.0/24')"), 1);
    // What was queryable in memory is the same after a flush and a restart.
    server.stop();
    let server = site.start();
    assert_eq!(site.count("SELECT count(*) FROM events"), 4);
    assert_eq!(site.count("SELECT sum(unaccounted) FROM ledger"), 0);
    server.stop();
    assert_eq!(
        site.count("SELECT count(*) FROM events WHERE user.name = 'root'"),
        1,
        "without a server the command opens the store itself"
    );
}

#[tokio::test]
async fn an_idempotency_key_stores_once_and_a_wrong_token_nothing() {
    let site = Site::new("");
    let server = site.start();
    let client = crate::harness::client();
    let base = server.http();
    for _ in 0..3 {
        assert_eq!(
            post_records(&client, &base, "api", Some("k-1"), "{\"message\":\"one\"}\n".into()).await.expect("an answer"),
            200
        );
    }
    let refused = client
        .post(format!("{base}/ingest/v1/api"))
        .header("authorization", "Bearer wrong")
        .body("x")
        .send()
        .await
        .expect("an answer");
    assert_eq!(refused.status(), 401);
    let foreign = client
        .post(format!("{base}/ingest/v1/other"))
        .header("authorization", "Bearer test-token-0123456789")
        .body("x")
        .send()
        .await
        .expect("an answer");
    assert!([401, 403].contains(&foreign.status().as_u16()), "{}", foreign.status());
    wait_for_count(&site, "SELECT count(*) FROM events WHERE message = 'one'", 1);
    assert_eq!(site.count("SELECT count(*) FROM events"), 1);
    server.stop();
}

pub const RULE: &str = r#"
title: Marker word in a log line
id: 7d0a6a3e-55ab-4d84-9d6b-0f6a7be4a111
status: stable
description: Test of the whole chain.
logsource: {product: linux, service: sshd}
detection:
  selection:
    user.name: kẻ_lạ
  condition: selection
level: critical
tags: [attack.t1110]
chieng: {group_by: [source.ip]}
"#;

/// A mail server that keeps what it is given.
pub struct Mailbox {
    pub address: String,
    pub mails: Arc<Mutex<Vec<String>>>,
}

impl Mailbox {
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let kept = mails.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = kept.clone();
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let _ = stream.write_all(b"220 test ESMTP\r\n").await;
                    let (mut line, mut data) = (String::new(), None::<String>);
                    while stream
                        .read_line({
                            line.clear();
                            &mut line
                        })
                        .await
                        .is_ok_and(|read| read > 0)
                    {
                        let answer: &[u8] = match &mut data {
                            Some(mail) if line == ".\r\n" => {
                                kept.lock().expect("not poisoned").push(std::mem::take(mail));
                                data = None;
                                b"250 kept\r\n"
                            }
                            Some(mail) => {
                                mail.push_str(&line);
                                continue;
                            }
                            None if line.starts_with("DATA") => {
                                data = Some(String::new());
                                b"354 go on\r\n"
                            }
                            None if line.starts_with("EHLO") => b"250-test\r\n250 8BITMIME\r\n",
                            None if line.starts_with("QUIT") => b"221 bye\r\n",
                            None => b"250 ok\r\n",
                        };
                        let _ = stream.write_all(answer).await;
                    }
                });
            }
        });
        Self { address, mails }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_becomes_an_alert_an_incident_and_a_mail_and_the_link_acknowledges_by_post_only() {
    let mailbox = Mailbox::open().await;
    let (host, port) = mailbox.address.split_once(':').expect("host:port");
    let site = Site::new("");
    std::fs::create_dir(site.path("rules")).expect("a folder");
    std::fs::write(site.path("rules/marker.yml"), RULE).expect("write the rule");
    std::fs::write(site.path("rules/broken.yml"), "title: x\ndetection: [\n").expect("write the broken rule");
    site.configure(&format!(
        "[detect]\nown_rules = false\nrules = [{:?}]\n\n[respond.smtp]\nhost = \"{host}\"\nport = {port}\nfrom = \"chieng@tinh.example\"\ntls = \"none\"\n",
        site.path("rules")
    ));
    let server = site.start();
    let admin = Person::first_admin(&site, &server).await;
    let systems = "id,name,level,owner,operator,decision_number,decision_date\ndvc,Cổng dịch vụ công,3,UBND tỉnh,Trung tâm dữ liệu,12/QĐ-UBND,01/02/2024\n";
    let (status, answer) =
        admin.post("/api/v1/register/import", json!({ "kind": "systems", "csv": systems, "dry_run": false })).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(1)), "{answer}");
    let assets = "system,kind,value,name\ndvc,address,127.0.0.1,web01\n";
    let (status, answer) =
        admin.post("/api/v1/register/import", json!({ "kind": "assets", "csv": assets, "dry_run": false })).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(1)), "{answer}");
    let truc = json!({ "name": "truc", "display_name": "Người trực", "role": "oncall", "password": "mật khẩu rất dài 2", "systems": "all", "email": "truc@ngoai.example" });
    let (status, answer) = admin.post("/api/v1/users", truc).await;
    assert_eq!(status, 200, "{answer}");
    let (_, rules) = admin.get("/api/v1/rules").await;
    assert_eq!(rules["rules"].as_array().map(Vec::len), Some(1), "{rules}");
    assert!(rules["rejected"][0]["file"].as_str().is_some_and(|file| file.ends_with("broken.yml")), "{rules}");

    let sent = Instant::now();
    let line =
        "<38>1 2026-11-23T01:00:03Z web01 sshd 812 - - Failed password for invalid user kẻ_lạ from 203.0.113.9 port 40022 ssh2\n";
    let line = line.replace("2026-11-23T01:00:03Z", &chrono::Utc::now().to_rfc3339());
    TcpStream::connect(server.address("syslog_tcp")).expect("connect").write_all(line.as_bytes()).expect("send");
    let mail = wait_for("the mail", || mailbox.mails.lock().expect("not poisoned").first().cloned());
    println!("line sent to mail delivered: {} ms", sent.elapsed().as_millis());
    let (_, incidents) = admin.get("/api/v1/incidents").await;
    let incident = &incidents[0];
    assert_eq!(
        (&incident["severity"], &incident["status"], &incident["system"]["id"]),
        (&json!("critical"), &json!("open"), &json!("dvc")),
        "{incidents}"
    );
    let id = incident["id"].as_str().expect("id");
    let (_, page) = admin.get(&format!("/api/v1/incidents/{id}")).await;
    assert_eq!(page["alerts"][0]["count"], 1, "{page}");
    assert!(page["alerts"][0]["evidence"].to_string().contains("kẻ_lạ"), "{page}");
    let event = page["alerts"][0]["events"][0]["id"].as_str().expect("the event behind the alert").to_owned();
    let (status, found) = admin.get(&format!("/api/v1/events/{event}")).await;
    assert_eq!((status, &found["event"]["source.ip"]), (200, &json!("203.0.113.9")), "{found}");
    // What leaves the province names no address, no account and no log text.
    let text = decoded(&mail);
    assert!(!text.contains("203.0.113.9") && !text.contains("kẻ_lạ"), "{text}");
    let link = text.split_whitespace().find(|word| word.contains("/ack/")).unwrap_or_else(|| panic!("no link in {text}"));
    let path = &link[link.find("/ack/").expect("checked")..];
    let url = format!("{}{}", server.http(), path.trim_end_matches(['.', ',', '>', ')']));
    for _ in 0..3 {
        let prefetch = admin.client().get(&url).send().await.expect("an answer");
        assert_eq!(prefetch.status(), 200);
    }
    let (_, page) = admin.get(&format!("/api/v1/incidents/{id}")).await;
    assert_eq!(page["status"], "open", "a GET never changes state");
    assert_eq!(admin.client().post(&url).send().await.expect("an answer").status(), 200);
    let (_, page) = admin.get(&format!("/api/v1/incidents/{id}")).await;
    assert_eq!(page["status"], "acknowledged", "{page}");
    assert_eq!(admin.client().post(&url).send().await.expect("an answer").status(), 410, "a token works once");
    server.stop();
}

/// The readable text of a mail: quoted-printable and base64 bodies are decoded.
pub fn decoded(mail: &str) -> String {
    use base64::Engine as _;
    let mut text = String::new();
    for part in mail.split("\r\n\r\n") {
        let joined: String = part.split_whitespace().collect();
        let as_text = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
        match base64::engine::general_purpose::STANDARD.decode(&joined).ok().and_then(as_text) {
            Some(plain) if joined.len() > 40 => text.push_str(&plain),
            _ => text.push_str(&unquoted(part)),
        }
        text.push('\n');
    }
    text
}

fn unquoted(text: &str) -> String {
    let text = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'=')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A NetFlow v5 datagram with one flow, laid out as Cisco documents it.
fn netflow_v5(sent_secs: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut put = |part: &[u8]| bytes.extend_from_slice(part);
    put(&5_u16.to_be_bytes()); // version
    put(&1_u16.to_be_bytes()); // count
    put(&100_000_u32.to_be_bytes()); // uptime, ms
    put(&sent_secs.to_be_bytes());
    put(&[0; 12]); // nanoseconds, sequence, engine, sampling
    put(&[10, 1, 2, 3]); // source
    put(&[203, 0, 113, 9]); // destination
    put(&[10, 1, 2, 1]); // next hop
    put(&[0, 1, 0, 2]); // interfaces
    put(&7_u32.to_be_bytes()); // packets
    put(&4_242_u32.to_be_bytes()); // bytes
    put(&90_000_u32.to_be_bytes()); // first, ms of uptime
    put(&99_000_u32.to_be_bytes()); // last
    put(&50_000_u16.to_be_bytes());
    put(&443_u16.to_be_bytes());
    put(&[0, 0x1b, 6, 0]); // padding, TCP flags, protocol, type of service
    put(&[0; 8]); // AS numbers, masks, padding
    bytes
}

#[test]
fn netflow_v5_becomes_rows_of_flows_and_a_broken_datagram_is_kept() {
    let site = Site::new("[ingest.netflow]\nudp = [\"127.0.0.1:0\"]\n");
    let server = site.start();
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let now = chrono::Utc::now().timestamp() as u32;
    udp.send_to(&netflow_v5(now), server.address("netflow")).expect("send");
    udp.send_to(b"\x00\x05\x00\x1e too short", server.address("netflow")).expect("send");
    wait_for_count(&site, "SELECT count(*) FROM flows", 1);
    let rows = site.query(
        "SELECT source.ip, destination.ip, destination.port, network.transport, network.bytes, network.packets FROM flows \
         WHERE cidr(destination.ip, '203.0.113.0/24')",
    );
    assert_eq!(rows[0]["source.ip"], "10.1.2.3");
    assert_eq!((rows[0]["destination.port"].as_i64(), rows[0]["network.bytes"].as_i64()), (Some(443), Some(4_242)));
    assert_eq!(rows[0]["network.transport"], "tcp");
    let span = site.count("SELECT event.duration FROM events WHERE event.dataset = 'netflow.v5'");
    assert_eq!(span, 9_000_000_000, "nanoseconds between first and last");
    wait_for_count(
        &site,
        "SELECT count(*) FROM events WHERE event.kind = 'pipeline_error' AND event.original_bytes IS NOT NULL",
        1,
    );
    assert_eq!(site.count("SELECT sum(unaccounted) FROM ledger"), 0);
    server.stop();
}
