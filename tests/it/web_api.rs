//! What the API shows to whom, and the headers of everything. Its document is compared with it in openapi.rs.

use serde_json::json;

use crate::harness::{Person, Site};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_owner_sees_only_their_system_on_every_route() {
    let site = Site::new("");
    let file = site.path("two.log");
    std::fs::write(&file, "x").expect("write");
    let server = site.start();
    let admin = Person::first_admin(&site, &server).await;
    let systems = "id,name,level,owner,operator,decision_number,decision_date\nmot,Hệ thống một,3,UBND tỉnh,A,1/QĐ,01/02/2024\nhai,Hệ thống hai,2,UBND tỉnh,B,2/QĐ,01/02/2024\n";
    let (_, answer) = admin.post("/api/v1/register/import", json!({ "kind": "systems", "csv": systems })).await;
    assert_eq!(answer["accepted"], 2, "{answer}");
    let assets = "system,kind,value,name\nmot,address,127.0.0.1,máy một\nhai,host,may2,máy hai\n";
    let (_, answer) = admin.post("/api/v1/register/import", json!({ "kind": "assets", "csv": assets })).await;
    assert_eq!(answer["accepted"], 2, "{answer}");
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    udp.send_to(b"<13>Nov 23 08:00:01 may1 app: bi-mat-cua-mot", server.address("syslog_udp")).expect("send");
    crate::harness::wait_for("the line", || {
        (site.count("SELECT count(*) FROM events WHERE system.id = 'mot'") == 1).then_some(())
    });
    let owner = json!({ "name": "chu2", "display_name": "Chủ hệ thống hai", "role": "owner", "password": "mật khẩu rất dài 3", "systems": ["hai"] });
    let (status, answer) = admin.post("/api/v1/users", owner).await;
    assert_eq!(status, 200, "{answer}");
    let owner = Person::login(&server, "chu2", "mật khẩu rất dài 3").await;
    let window = json!({ "q": "", "mode": "search", "from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z" });
    let (status, found) = owner.post("/api/v1/hunt", window.clone()).await;
    assert_eq!((status, found["rows"].as_array().map(Vec::len)), (200, Some(0)), "{found}");
    let (_, facets) = owner.post("/api/v1/hunt/facets", window.clone()).await;
    assert!(!facets.to_string().contains("may1"), "{facets}");
    let (_, histogram) = owner.post("/api/v1/hunt/histogram", window.clone()).await;
    assert_eq!(histogram["total"], 0, "{histogram}");
    let paste = json!({ "text": "127.0.0.1 bi-mat.example", "from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z" });
    let (status, pasted) = owner.post("/api/v1/hunt/paste", paste).await;
    assert_eq!((status, &pasted["indicators"][0]["count"], &pasted["kept_since"]), (200, &json!(0), &json!(null)), "{pasted}");
    let (_, patterns) = owner
        .post("/api/v1/hunt/patterns", json!({ "q": "", "from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z" }))
        .await;
    assert_eq!(patterns["rows"], 0, "{patterns}");
    let side = json!({ "q": "", "from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z" });
    let (_, compared) = owner.post("/api/v1/hunt/compare", json!({ "here": side, "there": side })).await;
    assert_eq!(compared["here"], 0, "{compared}");
    let (status, export) = owner.get("/api/v1/hunt/export?from=2020-01-01T00:00:00Z&to=2030-01-01T00:00:00Z&format=ndjson").await;
    assert_eq!((status, export), (200, json!("")), "an export is of what the person sees");
    let (status, _) = owner.get("/api/v1/hunt/export?mode=sql&q=SELECT%201&format=ndjson").await;
    assert_eq!(status, 403, "writing SQL is a right, in a download too");
    // A shared search is a text; whoever runs it runs it in their own scope. Somebody else's cannot be removed.
    let search = json!({ "name": "chung", "q": "failed", "from": "-1h", "to": "now", "shared": true });
    let (_, saved) = admin.post("/api/v1/searches", search).await;
    let sql =
        json!({ "name": "riêng cho người viết SQL", "q": "SELECT 1", "mode": "sql", "from": "-1h", "to": "now", "shared": true });
    assert_eq!(admin.post("/api/v1/searches", sql).await.0, 200);
    let (_, list) = owner.get("/api/v1/searches").await;
    assert_eq!(
        (list.as_array().map(Vec::len), &list[0]["mine"], &list[0]["owner"]),
        (Some(1), &json!(false), &json!("quantri")),
        "{list}"
    );
    assert_eq!(owner.delete(&format!("/api/v1/searches/{}", saved["id"].as_str().expect("an id"))).await, 404);
    let (_, list) = owner.get("/api/v1/systems").await;
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
    for path in ["/api/v1/systems/mot", "/api/v1/systems/mot/requirements/x", "/api/v1/incidents/1"] {
        assert_eq!(owner.get(path).await.0, 404, "{path}");
    }
    for path in ["/api/v1/sources", "/api/v1/users"] {
        assert_eq!(owner.get(path).await.0, 403, "{path}");
    }
    let (status, _) = owner.post("/api/v1/query", json!({ "sql": "SELECT * FROM events" })).await;
    assert_eq!(status, 403, "writing SQL is a right");
    for path in ["/api/v1/home", "/api/v1/alerts", "/api/v1/incidents", "/api/v1/rules", "/api/v1/fields"] {
        let (status, answer) = owner.get(path).await;
        assert_eq!(status, 200, "{path}");
        let text = answer.to_string();
        assert!(!text.contains("bi-mat-cua-mot") && !text.contains("may1") && !text.contains("Hệ thống một"), "{path}: {text}");
    }
    let mut of_one = window;
    of_one["q"] = json!("bi-mat-cua-mot");
    let (_, all) = admin.post("/api/v1/hunt", of_one).await;
    assert_eq!(all["rows"].as_array().map(Vec::len), Some(1), "{all}");
    let (_, text) = admin.get("/api/v1/hunt/export?q=bi-mat-cua-mot&from=2020-01-01T00:00:00Z&to=2030-01-01T00:00:00Z&format=csv&columns=system.id,message").await;
    assert!(text.as_str().is_some_and(|text| text.contains("mot,bi-mat-cua-mot")), "{text}");
    // Who took what is written down, for both exports of this test.
    let exports = crate::harness::wait_for("the audit of the exports", || {
        let rows =
            site.query("SELECT user.name AS who, message FROM events WHERE event.action = 'event.export' ORDER BY event.id");
        (rows.len() == 2).then_some(rows)
    });
    assert_eq!(exports[0]["who"], "chu2", "{exports:?}");
    assert!(exports[1]["message"].as_str().is_some_and(|said| said.starts_with("1 rows as csv")), "{exports:?}");
    server.stop();
}

/// Reads a stream until a word is in it; gives what came so far.
async fn until(response: &mut reqwest::Response, word: &str) -> String {
    let reading = async {
        let mut text = String::new();
        while !text.contains(word) {
            let chunk = response.chunk().await.expect("the stream goes on").expect("the stream has not ended");
            text.push_str(&String::from_utf8_lossy(&chunk));
        }
        text
    };
    tokio::time::timeout(crate::harness::DEADLINE, reading).await.unwrap_or_else(|_| panic!("{word} did not come"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tail_shows_what_arrives_and_ends_with_its_session() {
    let site = Site::new("");
    let server = site.start();
    let admin = Person::first_admin(&site, &server).await;
    let mut tail = admin.open("/api/v1/hunt/tail?q=sap-den").await;
    assert_eq!(tail.headers().get("content-type").map(|value| value.as_bytes()), Some(&b"text/event-stream"[..]));
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    for line in ["<13>Nov 23 08:00:01 may1 app: khong-khop", "<13>Nov 23 08:00:02 may1 app: sap-den <b>"] {
        udp.send_to(line.as_bytes(), server.address("syslog_udp")).expect("send");
    }
    let text = until(&mut tail, "sap-den <b>").await;
    assert!(text.contains("event: rows") && text.contains("\"missed\":0") && !text.contains("khong-khop"), "{text}");
    assert_eq!(admin.delete("/api/v1/session").await, 204);
    let text = until(&mut tail, "event: end").await;
    assert!(text.contains("unauthenticated"), "{text}");
    server.stop();
}

#[tokio::test]
async fn health_metrics_and_the_application_have_their_headers() {
    let site = Site::new("");
    let server = site.start();
    let client = crate::harness::client();
    for path in ["/health/livez", "/health/readyz", "/metrics", "/", "/hunt?q=x", "/assets/none.js"] {
        let response = client.get(format!("{}{path}", server.http())).send().await.expect("an answer");
        let policy = response
            .headers()
            .get("content-security-policy")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(
            response.headers().get("x-content-type-options").map(|value| value.as_bytes()),
            Some(&b"nosniff"[..]),
            "{path}"
        );
        let expected = if path == "/assets/none.js" { 404 } else { 200 };
        assert_eq!(response.status(), expected, "{path}");
        if path == "/metrics" {
            let text = response.text().await.expect("a body");
            assert!(text.contains("# TYPE buffer_size_bytes gauge"), "{text}");
        }
    }
    server.stop();
}
