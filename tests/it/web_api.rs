//! The API as its document says it: every route of the OpenAPI document is called on the running server.

use serde_json::{Value, json};

use crate::harness::{Person, Site};

/// Reads a path of the document with something in place of its parameters.
fn filled(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { "khong-co" } else { part }).collect::<Vec<_>>().join("/")
}

fn body_of(operation: &Value) -> Value {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let mut body = serde_json::Map::new();
    for (name, kind) in schema["properties"].as_object().into_iter().flatten() {
        let value = match (name.as_str(), kind["type"].as_str()) {
            ("from", _) => json!("2026-01-01T00:00:00Z"),
            ("to", _) => json!("2026-01-02T00:00:00Z"),
            ("mode", _) => json!("search"),
            ("q" | "before" | "by" | "format", _) => continue,
            (_, Some("integer")) => json!(1),
            (_, Some("boolean")) => json!(true),
            (_, Some("array")) => json!([]),
            _ => json!("x"),
        };
        body.insert(name.clone(), value);
    }
    if schema["properties"].get("q").is_some() {
        body.insert("q".into(), json!(""));
    }
    Value::Object(body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_of_the_document_answers_as_documented_and_needs_a_session() {
    let site = Site::new("");
    let server = site.start();
    let admin = Person::first_admin(&site, &server).await;
    let (status, document) = admin.get("/api/v1/openapi.json").await;
    assert_eq!(status, 200);
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() > 20, "{}", paths.len());
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("an item") {
            let url = filled(path);
            let needs_session = operation.get("security").is_some();
            let request = |with_cookie: bool| {
                let client = admin.client();
                let full = format!("{}{url}", server.http());
                let method = reqwest::Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
                let mut request = client.request(method.clone(), full);
                if with_cookie {
                    request = request.header("cookie", admin.cookie());
                }
                if method != reqwest::Method::GET {
                    request = request.header("content-type", "application/json").body(body_of(operation).to_string());
                }
                request
            };
            if needs_session {
                let status = request(false).send().await.expect("an answer").status();
                assert_eq!(status, 401, "{method} {path} without a session");
            }
            if method != "get" {
                // With the cookie but without the header: a forged request.
                let forged = request(true).send().await.expect("an answer").status();
                assert!(!needs_session || forged == 403, "{method} {path} without the header: {forged}");
                continue;
            }
            let response = request(true).send().await.expect("an answer");
            let status = response.status().as_u16();
            let has_parameter = path.contains('{');
            assert!(status == 200 || (has_parameter && status == 404), "{method} {path}: {status}");
            let answer: Value = serde_json::from_str(&response.text().await.expect("a body")).unwrap_or_default();
            if status != 200 {
                assert!(answer["error"]["message"].is_string(), "{path}: {answer}");
                continue;
            }
            let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
            for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                assert!(answer.get(key).is_some(), "{path}: the document promises {key}: {answer}");
            }
            if schema["type"] == "array" {
                assert!(answer.is_array(), "{path}: {answer}");
            }
        }
    }
    server.stop();
}

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
    let (_, all) = admin.post("/api/v1/hunt", window).await;
    assert_eq!(all["rows"].as_array().map(Vec::len), Some(1), "{all}");
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
