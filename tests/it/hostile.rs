//! Hostile senders and guessers against the whole program: cut, bounded, counted; and everybody else is still served.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use serde_json::json;

use crate::harness::{Person, Site, post_records, wait_for};

#[test]
fn a_huge_line_is_cut_and_the_next_one_is_whole() {
    let site = Site::new("");
    let server = site.start();
    let mut stream = TcpStream::connect(server.address("syslog_tcp")).expect("connect");
    let mut bytes = b"<13>Nov 23 08:00:01 web01 app: ".to_vec();
    bytes.resize(1 << 20, b'A');
    bytes.extend_from_slice(b"\n<13>Nov 23 08:00:02 web01 app: after the flood\n");
    stream.write_all(&bytes).expect("send");
    wait_for("both lines", || (site.count("SELECT count(*) FROM events") == 2).then_some(()));
    assert_eq!(site.count("SELECT count(*) FROM events WHERE message = 'after the flood'"), 1);
    assert!(site.count("SELECT max(length(event.original)) FROM events") <= 64 << 10);
    server.stop();
}

#[test]
fn bytes_that_are_no_text_survive() {
    let site = Site::new("");
    let server = site.start();
    let mut stream = TcpStream::connect(server.address("syslog_tcp")).expect("connect");
    stream.write_all(b"<13>Nov 23 08:00:01 web01 app: \xff\xfe\x80 end\n").expect("send");
    drop(stream);
    wait_for("the line", || {
        (site.count("SELECT count(*) FROM events WHERE event.original_bytes IS NOT NULL") >= 1).then_some(())
    });
    let rows = site.query("SELECT event.original_bytes FROM events WHERE event.original_bytes IS NOT NULL");
    assert!(rows[0]["event.original_bytes"].as_str().is_some_and(|hex| hex.contains("fffe")), "{rows:?}");
    server.stop();
}

#[tokio::test]
async fn a_compressed_bomb_is_refused_counted_and_the_source_goes_on() {
    let site = Site::new("[ingest.http]\nunpacked_max = \"1 MiB\"\n");
    let server = site.start();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gz.write_all(&vec![b'a'; 64 << 20]).expect("compress");
    let client = crate::harness::client();
    let bomb = client
        .post(format!("{}/ingest/v1/api", server.http()))
        .header("authorization", "Bearer test-token-0123456789")
        .header("content-encoding", "gzip")
        .body(gz.finish().expect("compress"));
    assert_eq!(bomb.send().await.expect("an answer").status(), 413);
    assert_eq!(
        post_records(&client, &server.http(), "api", None, "{\"message\":\"fine\"}\n".into()).await.expect("an answer"),
        200
    );
    wait_for("the good record", || (site.count("SELECT count(*) FROM events WHERE message = 'fine'") == 1).then_some(()));
    server.stop();
}

#[test]
fn a_request_that_never_ends_does_not_hold_the_server() {
    let site = Site::new("[ingest.http]\nidle_timeout = \"1 s\"\nbody_timeout = \"2 s\"\n");
    let server = site.start();
    let address: std::net::SocketAddr = server.http().trim_start_matches("http://").parse().expect("an address");
    let mut slow = TcpStream::connect(address).expect("connect");
    let head =
        "POST /ingest/v1/api HTTP/1.1\r\nhost: x\r\nauthorization: Bearer test-token-0123456789\r\ncontent-length: 1000\r\n\r\n{";
    slow.write_all(head.as_bytes()).expect("send");
    slow.set_read_timeout(Some(crate::harness::DEADLINE)).expect("set a deadline");
    let mut answer = [0_u8; 16];
    let read = slow.read(&mut answer).expect("the server answers or closes");
    assert!(read == 0 || answer.starts_with(b"HTTP/1.1 4"), "{:?}", String::from_utf8_lossy(&answer));
    server.stop();
}

#[tokio::test]
async fn guessing_passwords_is_locked_out_and_says_for_how_long() {
    let site = Site::new("");
    let server = site.start();
    let _admin = Person::first_admin(&site, &server).await;
    let client = crate::harness::client();
    let mut statuses = Vec::new();
    for guess in 0..8 {
        let body = json!({ "name": "quantri", "password": format!("sai mật khẩu {guess}") }).to_string();
        let request =
            client.post(format!("{}/api/v1/session", server.http())).header("content-type", "application/json").body(body);
        let response = request.send().await.expect("an answer");
        if response.status() == 429 {
            assert!(response.headers().contains_key("retry-after"));
        }
        statuses.push(response.status().as_u16());
    }
    assert_eq!(&statuses[..5], &[401; 5], "{statuses:?}");
    assert_eq!(statuses[7], 429, "{statuses:?}");
    let right = json!({ "name": "quantri", "password": "mật khẩu rất dài 1" }).to_string();
    let request = client.post(format!("{}/api/v1/session", server.http())).header("content-type", "application/json").body(right);
    assert_eq!(request.send().await.expect("an answer").status(), 429, "the right password does not open a locked account");
    server.stop();
}
