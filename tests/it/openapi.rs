//! The OpenAPI document and the running server say the same: every route is called so that it succeeds and so that it fails,
//! and every body that goes in or comes out is held against the document. An answer with a key that the document does not
//! know fails like one that lacks a promised key.

use std::{collections::BTreeSet, net::UdpSocket, time::Instant};

use serde_json::{Value, json};

use crate::{
    harness::{DEADLINE, Person, Server, Site, wait_for},
    pipeline::{Mailbox, RULE},
};

/// Holds a value against a schema of the document; the first thing that is wrong, with its place.
fn check(document: &Value, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target =
            document.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference} is not in the document"));
        return check(document, target, value, place);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let errors: Vec<String> = choices.iter().map_while(|choice| check(document, choice, value, place).err()).collect();
        return if errors.len() < choices.len() { Ok(()) } else { Err(errors.join("; or ")) };
    }
    let wrong = |what: &str| Err(format!("{place}: {what}: {value}"));
    let is_type = match schema["type"].as_str() {
        None => true,
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some(other) => panic!("{place}: the document uses the type {other}"),
    };
    if !is_type {
        return wrong(&format!("is no {}", schema["type"]));
    }
    if schema.get("const").is_some_and(|only| only != value) {
        return wrong(&format!("is not {}", schema["const"]));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        return wrong(&format!("is none of {}", schema["enum"]));
    }
    let text = value.as_str().unwrap_or_default();
    match schema["format"].as_str() {
        Some("date-time") if chrono::DateTime::parse_from_rfc3339(text).is_err() => return wrong("is no RFC 3339 time"),
        Some("date") if text.parse::<chrono::NaiveDate>().is_err() => return wrong("is no date"),
        _ => {}
    }
    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
        check(document, &schema["items"], item, &format!("{place}[{i}]"))?;
    }
    let Some(object) = value.as_object().filter(|_| schema["type"] == "object") else { return Ok(()) };
    if let Some(missing) =
        schema["required"].as_array().into_iter().flatten().find(|key| value.get(key.as_str().unwrap_or_default()).is_none())
    {
        return wrong(&format!("lacks {missing}"));
    }
    for (key, inner) in object {
        let place = format!("{place}.{key}");
        match (&schema["properties"][key.as_str()], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => return Err(format!("{place}: a key that the document does not know")),
            (Value::Null, more) => check(document, more, inner, &place)?,
            (known, _) => check(document, known, inner, &place)?,
        }
    }
    Ok(())
}

/// Somebody with a session, or nobody; and the document to hold everything against.
struct Caller<'d> {
    document: &'d Value,
    base: String,
    cookie: Option<String>,
    csrf: Option<String>,
}

/// One answer.
struct Answer {
    status: u16,
    media: String,
    body: Value,
    cookie: Option<String>,
}

impl Caller<'_> {
    /// Calls `url`, an instance of the documented `path`, and holds the answer against the document.
    async fn call(&self, method: &str, path: &str, url: &str, body: Option<&Value>) -> Answer {
        let operation = &self.document["paths"][format!("/api/v1{path}")][method];
        assert!(operation.is_object(), "{method} {path} is not in the document");
        let verb = reqwest::Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
        let mut request = crate::harness::client().request(verb, format!("{}/api/v1{url}", self.base));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        if let Some(csrf) = &self.csrf {
            request = request.header("x-chieng-csrf", csrf);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.expect("an answer");
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (status, media, cookie) =
            (response.status().as_u16(), header("content-type").unwrap_or_default(), header("set-cookie"));
        let bytes = response.bytes().await.expect("a body");
        let what = format!("{method} {path} → {status}");
        let known = [status.to_string(), format!("{}XX", status / 100)];
        let documented = known.iter().map(|key| &operation["responses"][key]).find(|found| found.is_object());
        let documented = documented.unwrap_or_else(|| panic!("{what} is not documented: {}", String::from_utf8_lossy(&bytes)));
        let Some(content) = documented["content"].as_object() else {
            assert!(bytes.is_empty(), "{what}: the document promises no body");
            return Answer { status, media, body: Value::Null, cookie };
        };
        let schema = content.get(&media).unwrap_or_else(|| panic!("{what}: {media} is not documented"));
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if media == "application/json" {
            check(self.document, &schema["schema"], &body, "answer").unwrap_or_else(|error| panic!("{what}: {error}\n{body}"));
        }
        Answer { status, media, body, cookie }
    }

    async fn log_in(&self, name: &str, password: &str) -> Caller<'_> {
        let answer = self.call("post", "/session", "/session", Some(&json!({ "name": name, "password": password }))).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        self.with(&answer)
    }

    fn with(&self, session: &Answer) -> Caller<'_> {
        let cookie = session.cookie.as_deref().and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
        Caller {
            document: self.document,
            base: self.base.clone(),
            cookie,
            csrf: session.body["csrf"].as_str().map(str::to_owned),
        }
    }
}

const RANGE: &str = "from=2020-01-01T00:00:00Z&to=2030-01-01T00:00:00Z";

/// Calls that succeed, with what they need to: method, documented path, address, body.
fn good_calls(
    event: &str,
    incident: &str,
    requirement: &str,
    schedule: &str,
) -> Vec<(&'static str, &'static str, String, Option<Value>)> {
    let window = |more: Value| {
        let mut body = json!({ "q": "", "mode": "search", "from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z" });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        Some(body)
    };
    let none = || None::<Value>;
    let oncall = json!({
        "schedules": [{ "id": schedule, "name": "Trực chính", "timezone": "Asia/Ho_Chi_Minh", "members": ["truc"],
            "rotation": { "kind": "weekly", "every": 1, "handover": "08:00", "start": "2026-01-05" },
            "overrides": [{ "from": "2030-01-01T00:00:00Z", "to": "2030-01-02T00:00:00Z", "user": "quantri", "reason": "nghỉ" }] }],
        "escalation": { "steps": [{ "wait_minutes": 0, "target": format!("oncall:{schedule}") }, { "wait_minutes": 10, "target": "user:truc" }], "repeat": 1 },
    });
    let account = json!({ "name": "phu", "display_name": "Người phụ", "role": "owner", "password": "mật khẩu rất dài 4", "systems": ["dvc"], "language": "en", "email": "phu@tinh.example" });
    let of_incident = |what: &str| format!("/incidents/{incident}/{what}");
    vec![
        ("get", "/setup", "/setup".into(), none()),
        ("get", "/session", "/session".into(), none()),
        ("get", "/openapi.json", "/openapi.json".into(), none()),
        ("get", "/home", "/home".into(), none()),
        ("post", "/hunt", "/hunt".into(), window(json!({ "limit": 1 }))),
        (
            "post",
            "/hunt",
            "/hunt".into(),
            window(json!({ "mode": "sql", "q": "SELECT count(*) AS n, max(timestamp) AS t FROM events" })),
        ),
        ("post", "/hunt", "/hunt".into(), window(json!({ "q": "| timechart span=1h count() by event.dataset" }))),
        ("post", "/hunt/complete", "/hunt/complete".into(), Some(json!({ "q": "failed | sta", "caret": 12 }))),
        ("post", "/hunt/explain", "/hunt/explain".into(), window(json!({ "q": "failed", "limit": 10 }))),
        ("post", "/hunt/histogram", "/hunt/histogram".into(), window(json!({ "buckets": 10, "by": "event.dataset" }))),
        ("post", "/hunt/facets", "/hunt/facets".into(), window(json!({ "fields": ["source.ip", "event.outcome"] }))),
        (
            "post",
            "/hunt/paste",
            "/hunt/paste".into(),
            Some(
                json!({ "text": "203[.]0.113.9 nothing.example what", "from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z" }),
            ),
        ),
        (
            "post",
            "/hunt/patterns",
            "/hunt/patterns".into(),
            Some(json!({ "q": "", "from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z", "limit": 5, "rarest": false })),
        ),
        (
            "post",
            "/hunt/compare",
            "/hunt/compare".into(),
            Some(json!({
                "here": { "q": "ssh", "from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z" },
                "there": { "q": "not ssh", "from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z" },
            })),
        ),
        (
            "post",
            "/searches",
            "/searches".into(),
            Some(
                json!({ "name": "Đăng nhập hỏng", "q": "Failed password", "mode": "search", "from": "-7d", "to": "now", "columns": ["user.name"], "shared": true }),
            ),
        ),
        ("post", "/jobs", "/jobs".into(), window(json!({ "columns": ["event.id", "message"] }))),
        ("get", "/jobs", "/jobs".into(), none()),
        ("get", "/jobs/{id}", "/jobs/1".into(), none()),
        ("get", "/jobs/{id}/rows", "/jobs/1/rows?limit=10".into(), none()),
        ("get", "/jobs/{id}/download", "/jobs/1/download?format=csv".into(), none()),
        ("get", "/jobs/{id}/download", "/jobs/1/download?format=ndjson".into(), none()),
        ("get", "/jobs/{id}/download", "/jobs/1/download?format=parquet".into(), none()),
        ("delete", "/jobs/{id}", "/jobs/1".into(), none()),
        ("get", "/searches", "/searches".into(), none()),
        ("delete", "/searches/{id}", "/searches/1".into(), none()),
        ("get", "/events/{id}/around", format!("/events/{event}/around?n=5"), none()),
        ("get", "/hunt/export", format!("/hunt/export?{RANGE}&format=csv&q=ssh"), none()),
        ("get", "/hunt/export", format!("/hunt/export?{RANGE}&format=ndjson&columns=event.id,message"), none()),
        ("get", "/hunt/export", format!("/hunt/export?{RANGE}&format=parquet&mode=sql&q=SELECT%201%20AS%20one"), none()),
        ("get", "/hunt/tail", "/hunt/tail?q=ssh&seconds=1".into(), none()),
        ("get", "/events/{id}", format!("/events/{event}"), none()),
        ("get", "/fields", "/fields".into(), none()),
        ("post", "/query", "/query".into(), Some(json!({ "sql": "SELECT * FROM events LIMIT 2" }))),
        ("post", "/query", "/query".into(), Some(json!({ "sql": "SELECT 1 AS one", "format": "csv" }))),
        ("post", "/query", "/query".into(), Some(json!({ "sql": "SELECT 1 AS one", "format": "ndjson" }))),
        ("post", "/query", "/query".into(), Some(json!({ "sql": "SELECT 1 AS one", "format": "table" }))),
        ("post", "/query", "/query".into(), Some(json!({ "sql": "SELECT 1 AS one", "format": "arrow" }))),
        ("get", "/systems", "/systems".into(), none()),
        ("get", "/systems/{id}", "/systems/dvc".into(), none()),
        ("get", "/systems/{id}/requirements/{key}", format!("/systems/dvc/requirements/{requirement}"), none()),
        (
            "post",
            "/register/import",
            "/register/import".into(),
            Some(
                json!({ "kind": "systems", "csv": "id,name,level,owner,operator\nhai,Hai,9,A,B\n", "dry_run": true, "reason": "thử" }),
            ),
        ),
        ("get", "/incidents", "/incidents?status=open&severity=critical&system=dvc".into(), none()),
        ("get", "/incidents/{id}/people", of_incident("people"), none()),
        ("post", "/incidents/{id}/ack", of_incident("ack"), Some(json!({ "note": "đang xem" }))),
        ("post", "/incidents/{id}/assign", of_incident("assign"), Some(json!({ "user": "truc" }))),
        ("post", "/incidents/{id}/note", of_incident("note"), Some(json!({ "text": "ghi chú" }))),
        ("post", "/incidents/{id}/close", of_incident("close"), Some(json!({ "verdict": "false_positive", "note": "thử" }))),
        ("get", "/incidents/{id}", format!("/incidents/{incident}"), none()),
        ("get", "/alerts", "/alerts?system=dvc".into(), none()),
        ("get", "/rules", "/rules".into(), none()),
        ("get", "/sources", "/sources".into(), none()),
        (
            "post",
            "/sources/adopt",
            "/sources/adopt".into(),
            Some(json!({ "address": "127.0.0.2", "system": "dvc", "asset_name": "web02", "reason": "sơ đồ mạng" })),
        ),
        ("post", "/oncall", "/oncall".into(), Some(oncall)),
        (
            "post",
            "/holds",
            "/holds".into(),
            Some(json!({ "system": "dvc", "class": null, "from": "2026-01-01T00:00:00Z", "to": null, "reason": "vụ việc 12" })),
        ),
        ("post", "/holds/{id}/release", "/holds/1/release".into(), Some(json!({ "reason": "vụ việc đã khép" }))),
        ("get", "/keeping", "/keeping".into(), none()),
        ("get", "/proof", "/proof".into(), none()),
        ("get", "/events/{id}/proof", format!("/events/{event}/proof"), none()),
        (
            "post",
            "/proof/check",
            "/proof/check".into(),
            Some(json!({ "files_only": true, "from": null, "to": null, "key": null, "anchors": null })),
        ),
        ("delete", "/proof/check", "/proof/check".into(), none()),
        (
            "post",
            "/proof/packets",
            "/proof/packets".into(),
            Some(
                json!({ "system": "dvc", "dataset": null, "from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z", "reason": "vụ việc 12" }),
            ),
        ),
        ("get", "/proof/packets/{id}/download", "/proof/packets/1/download".into(), none()),
        ("get", "/proof", "/proof".into(), none()),
        ("delete", "/proof/packets/{id}", "/proof/packets/1".into(), none()),
        ("get", "/oncall", "/oncall".into(), none()),
        ("post", "/channels", "/channels".into(), Some(json!({ "kind": "email", "address": "quantri@tinh.example" }))),
        ("post", "/channels/test", "/channels/test".into(), Some(json!({ "channel": null }))),
        ("get", "/channels", "/channels".into(), none()),
        ("post", "/setup/source", "/setup/source".into(), Some(json!({ "kind": "windows" }))),
        ("post", "/setup/source", "/setup/source".into(), Some(json!({ "kind": "fortigate" }))),
        ("get", "/setup/waiting", "/setup/waiting?source=syslog&since=2020-01-01T00:00:00Z".into(), none()),
        ("post", "/setup/test-alert", "/setup/test-alert".into(), Some(json!({ "system": "dvc" }))),
        ("post", "/users", "/users".into(), Some(account)),
        (
            "post",
            "/users/{name}",
            "/users/phu".into(),
            Some(
                json!({ "display_name": "Người phụ hai", "role": "auditor", "systems": "all", "language": "vi", "email": "", "disabled": true }),
            ),
        ),
        ("post", "/users/{name}/password", "/users/phu/password".into(), Some(json!({ "password": "mật khẩu rất dài 5" }))),
        ("get", "/users", "/users".into(), none()),
        (
            "post",
            "/session/password",
            "/session/password".into(),
            Some(json!({ "present": "mật khẩu rất dài 1", "password": "mật khẩu rất dài 9" })),
        ),
        ("delete", "/session", "/session".into(), none()),
    ]
}

/// Asks again and again until there is an answer; panics at the deadline.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "gave up waiting for {what}");
    }
}

/// Puts something of every kind into a fresh server: an incident with its mail, an unknown sender, a quarantined line.
async fn seed(site: &Site, server: &Server, admin: &Person) -> (String, String) {
    let systems = "id,name,level,owner,operator,decision_number,decision_date\ndvc,Cổng dịch vụ công,3,UBND tỉnh,Trung tâm dữ liệu,12/QĐ-UBND,01/02/2024\n";
    let (_, answer) = admin.post("/api/v1/register/import", json!({ "kind": "systems", "csv": systems })).await;
    assert_eq!(answer["accepted"], 1, "{answer}");
    let assets = "system,kind,value,name\ndvc,address,127.0.0.1,web01\ndvc,range,10.9.0.0/24,\n";
    let (_, answer) = admin.post("/api/v1/register/import", json!({ "kind": "assets", "csv": assets })).await;
    assert_eq!(answer["accepted"], 2, "{answer}");
    let truc = json!({ "name": "truc", "display_name": "Người trực", "role": "oncall", "password": "mật khẩu rất dài 2", "systems": "all", "email": "truc@tinh.example" });
    assert_eq!(admin.post("/api/v1/users", truc).await.0, 200);
    let schedule = json!({
        "schedules": [{ "name": "Trực chính", "timezone": "Asia/Ho_Chi_Minh", "members": ["truc"], "rotation": { "kind": "daily", "handover": "08:00", "start": "2026-01-05" } }],
        "escalation": { "steps": [{ "wait_minutes": 0, "target": "everyone" }] },
    });
    let (status, answer) = admin.post("/api/v1/oncall", schedule).await;
    assert_eq!(status, 200, "{answer}");
    let now = chrono::Utc::now().to_rfc3339();
    let known = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let line = format!("<38>1 {now} web01 sshd 812 - - Failed password for invalid user kẻ_lạ from 203.0.113.9 port 40022 ssh2");
    known.send_to(line.as_bytes(), server.address("syslog_udp")).expect("send");
    known.send_to(b"\x80\x81 what no parser reads \xff", server.address("syslog_udp")).expect("send");
    let stranger = UdpSocket::bind("127.0.0.2:0").expect("a socket");
    stranger.send_to(b"<13>Nov 23 08:00:02 web02 app: xin ch\xc3\xa0o", server.address("syslog_udp")).expect("send");
    wait_for("the lines", || (site.count("SELECT count(*) FROM events WHERE chieng.source = 'syslog'") == 3).then_some(()));
    let incident =
        until("the incident", async || admin.get("/api/v1/incidents").await.1[0]["id"].as_str().map(str::to_owned)).await;
    (incident, answer["schedules"][0]["id"].as_str().expect("an id").to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_takes_and_answers_what_the_document_says() {
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
    let document: Value = {
        let response =
            crate::harness::client().get(format!("{}/api/v1/openapi.json", server.http())).send().await.expect("an answer");
        serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON")
    };
    let nobody = Caller { document: &document, base: server.http(), cookie: None, csrf: None };
    let mut done: BTreeSet<(String, String)> = BTreeSet::new();
    let token = std::fs::read_to_string(site.data().join("setup-token")).expect("the set-up token");
    let first = json!({ "token": token.trim(), "name": "quantri", "password": "mật khẩu rất dài 1", "display_name": "Quản trị" });
    assert_eq!(nobody.call("post", "/setup", "/setup", Some(&first)).await.status, 200);
    assert_eq!(nobody.call("post", "/setup", "/setup", Some(&first)).await.status, 400, "the token works once");
    let person = Person::login(&server, "quantri", "mật khẩu rất dài 1").await;
    let (incident, schedule) = seed(&site, &server, &person).await;
    let admin = nobody.log_in("quantri", "mật khẩu rất dài 1").await;
    done.extend([("post".into(), "/setup".into()), ("post".into(), "/session".into())]);
    wait_for("the mail", || mailbox.mails.lock().expect("not poisoned").first().cloned());

    let event = site.query("SELECT event.id FROM events WHERE event.dataset = 'sshd.auth'")[0]["event.id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let requirement = until("the first score", async || {
        let page = admin.call("get", "/systems/{id}", "/systems/dvc", None).await.body;
        page["requirements"][0]["key"].as_str().map(str::to_owned)
    })
    .await;
    let good = good_calls(&event, &incident, &requirement, &schedule);

    // Wrong first, while nothing is spent: without a session, without the header, by somebody who may not, without a key
    // that is required, with a key that is not known, on something that does not exist.
    let reader = json!({ "name": "chi-doc", "display_name": "Chỉ đọc", "role": "auditor", "password": "mật khẩu rất dài 3", "systems": [] });
    assert_eq!(admin.call("post", "/users", "/users", Some(&reader)).await.status, 200);
    let reader = nobody.log_in("chi-doc", "mật khẩu rất dài 3").await;
    let forger = Caller { document: &document, base: server.http(), cookie: admin.cookie.clone(), csrf: None };
    for (method, path, url, body) in &good {
        let operation = &document["paths"][format!("/api/v1{path}")][*method];
        let body = body.as_ref();
        let what = format!("{method} {url}");
        if operation.get("security").is_some() {
            assert_eq!(nobody.call(method, path, url, body).await.status, 401, "{what} without a session");
            if *method != "get" {
                assert_eq!(forger.call(method, path, url, body).await.status, 403, "{what} without the header");
            }
        }
        let Some(body) = body else { continue };
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        check(&document, schema, body, "body").unwrap_or_else(|error| panic!("{what}: {error}"));
        let mut unknown = body.clone();
        unknown["no_such_key"] = json!(1);
        check(&document, schema, &unknown, "body").expect_err("the document lets no unknown key in");
        let status = admin.call(method, path, url, Some(&unknown)).await.status;
        assert!(status == 400 || status == 422, "{what} with an unknown key: {status}");
        for key in body.as_object().expect("an object").keys() {
            let mut less = body.clone();
            less.as_object_mut().expect("an object").remove(key);
            if check(&document, schema, &less, "body").is_err() {
                let status = admin.call(method, path, url, Some(&less)).await.status;
                assert!(status == 400 || status == 422, "{what} without {key}: {status}");
            }
        }
    }
    let forbidden = [
        ("get", "/users", "/users"),
        ("get", "/sources", "/sources"),
        ("get", "/setup/waiting", "/setup/waiting"),
        ("get", "/incidents/{id}/people", "/incidents/1/people"),
    ];
    for (method, path, url) in forbidden {
        assert_eq!(reader.call(method, path, url, None).await.status, 403, "{url}");
    }
    let hold = json!({ "system": "dvc", "reason": "thử" });
    assert_eq!(reader.call("post", "/holds", "/holds", Some(&hold)).await.status, 403, "an auditor places no hold");
    let packet = json!({ "system": "dvc", "from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z", "reason": "thử" });
    let status = reader.call("post", "/proof/packets", "/proof/packets", Some(&packet)).await.status;
    assert_eq!(status, 403, "a packet of a system that the auditor does not see");
    for (path, url) in [
        ("/events/{id}", "/events/x"),
        ("/events/{id}/around", "/events/x/around"),
        ("/systems/{id}", "/systems/x"),
        ("/systems/{id}/requirements/{key}", "/systems/dvc/requirements/x"),
        ("/incidents/{id}", "/incidents/999"),
        ("/events/{id}/proof", "/events/x/proof"),
        ("/proof/packets/{id}/download", "/proof/packets/999/download"),
        ("/jobs/{id}", "/jobs/999"),
        ("/jobs/{id}/rows", "/jobs/999/rows"),
        ("/jobs/{id}/download", "/jobs/999/download?format=csv"),
    ] {
        assert_eq!(admin.call("get", path, url, None).await.status, 404, "{url}");
    }
    for url in [
        "/hunt/export?format=csv".to_owned(),
        format!("/hunt/export?{RANGE}&format=xlsx"),
        format!("/hunt/export?{RANGE}&format=csv&q=("),
        format!("/hunt/export?{RANGE}&format=csv&mode=sql&q=DROP%20TABLE%20events"),
        format!("/hunt/export?{RANGE}&format=csv&columns=no.such"),
        "/hunt/tail?q=(".to_owned(),
    ] {
        let path = url.split('?').next().unwrap_or_default();
        assert_eq!(admin.call("get", path, &url, None).await.status, 400, "{url}");
    }
    let wrong: &[(&str, &str, Value)] = &[
        (
            "/hunt",
            "/hunt",
            json!({ "q": "ssh and (", "mode": "search", "from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z" }),
        ),
        ("/hunt", "/hunt", json!({ "q": "", "mode": "search", "from": "hôm qua", "to": "2030-01-01T00:00:00Z" })),
        (
            "/hunt/paste",
            "/hunt/paste",
            json!({ "text": "chỉ là chữ", "from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z" }),
        ),
        ("/hunt/patterns", "/hunt/patterns", json!({ "q": "(", "from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z" })),
        (
            "/hunt/compare",
            "/hunt/compare",
            json!({
                "here": { "q": "", "from": "2030-01-01T00:00:00Z", "to": "2020-01-01T00:00:00Z" },
                "there": { "q": "", "from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z" },
            }),
        ),
        ("/jobs", "/jobs", json!({ "q": "(", "from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z" })),
        ("/searches", "/searches", json!({ "name": " ", "q": "x", "from": "-1h", "to": "now" })),
        ("/query", "/query", json!({ "sql": "DROP TABLE events" })),
        ("/query", "/query", json!({ "sql": "SELECT 1", "format": "xlsx" })),
        ("/users", "/users", json!({ "name": "a b", "display_name": "x", "role": "admin", "password": "mật khẩu rất dài 1" })),
        ("/users/{name}", "/users/quantri", json!({ "disabled": true })),
        ("/users/{name}", "/users/quantri", json!({ "role": "owner" })),
        ("/users/{name}", "/users/truc", json!({ "systems": ["khong-co"] })),
        ("/users/{name}", "/users/truc", json!({ "email": "khong phai thu" })),
        ("/users/{name}/password", "/users/truc/password", json!({ "password": "ngắn" })),
        ("/users/{name}/password", "/users/quantri/password", json!({ "password": "mật khẩu rất dài 6" })),
        ("/session/password", "/session/password", json!({ "present": "sai mật khẩu rồi", "password": "mật khẩu rất dài 6" })),
        ("/incidents/{id}/assign", &format!("/incidents/{incident}/assign"), json!({ "user": "chi-doc" })),
        ("/oncall", "/oncall", json!({ "schedules": [], "escalation": { "steps": [] } })),
        (
            "/oncall",
            "/oncall",
            json!({ "schedules": [], "escalation": { "steps": [{ "wait_minutes": 1441, "target": "everyone" }] } }),
        ),
        (
            "/oncall",
            "/oncall",
            json!({ "schedules": [], "escalation": { "steps": [{ "wait_minutes": 0, "target": format!("oncall:{schedule}") }] } }),
        ),
        (
            "/oncall",
            "/oncall",
            json!({ "schedules": [], "escalation": { "steps": [{ "wait_minutes": 0, "target": "user:chi-doc" }] } }),
        ),
        ("/channels", "/channels", json!({ "kind": "webhook", "address": "http://127.0.0.1/x" })),
        ("/sources/adopt", "/sources/adopt", json!({ "address": "không phải", "system": "dvc", "reason": "x" })),
        ("/setup/source", "/setup/source", json!({ "kind": "fax" })),
        ("/proof/check", "/proof/check", json!({ "key": "không phải khoá" })),
        ("/proof/check", "/proof/check", json!({ "anchors": "không có dòng nào" })),
        ("/proof/check", "/proof/check", json!({ "from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z" })),
        (
            "/proof/packets",
            "/proof/packets",
            json!({ "system": "dvc", "from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z", "reason": " " }),
        ),
        ("/holds", "/holds", json!({ "system": "dvc", "reason": " " })),
        ("/holds", "/holds", json!({ "system": "khong-co", "reason": "x" })),
        ("/holds", "/holds", json!({ "from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z", "reason": "x" })),
        ("/holds", "/holds", json!({ "from": "hôm qua", "reason": "x" })),
    ];
    for (path, url, body) in wrong {
        let answer = admin.call("post", path, url, Some(body)).await;
        assert_eq!(answer.status, 400, "{url} {body}: {}", answer.body);
    }
    let old =
        json!({ "schedules": [], "escalation": { "steps": [{ "wait_minutes": 0, "target": "everyone" }] }, "revision": "0" });
    let answer = admin.call("post", "/oncall", "/oncall", Some(&old)).await;
    assert_eq!(answer.status, 409, "a plan made from an older one: {}", answer.body);
    let (_, plan) = person.get("/api/v1/oncall").await;
    assert_eq!(plan["schedules"].as_array().map(Vec::len), Some(1), "a refused change changes nothing: {plan}");

    for (method, path, url, body) in &good {
        let start = Instant::now();
        while path.starts_with("/proof/packets") && !admin.call("get", "/proof", "/proof", None).await.body["running"].is_null() {
            assert!(start.elapsed() < DEADLINE, "the check or the packet did not end");
        }
        while *path == "/jobs/{id}/rows" && admin.call("get", "/jobs/{id}", "/jobs/1", None).await.body["status"] != "done" {
            assert!(start.elapsed() < DEADLINE, "the job did not end");
        }
        let answer = admin.call(method, path, url, body.as_ref()).await;
        assert!(answer.status < 300, "{method} {url}: {} {}", answer.status, answer.body);
        let is_typed = body
            .as_ref()
            .and_then(|body| body["format"].as_str())
            .is_none_or(|format| answer.media.contains(if format == "table" { "plain" } else { format }));
        assert!(is_typed, "{url}: {}", answer.media);
        // What is listed must not be empty, or nothing was compared.
        let full: &[&str] = match *path {
            "/home" => &["/attention/0"],
            "/jobs" if *method == "get" => &["/jobs/0"],
            "/jobs/{id}/rows" => &["/rows/0", "/columns/0"],
            "/hunt" => &["/rows/0", "/columns/0"],
            "/hunt/complete" => &["/suggestions/0"],
            "/hunt/explain" => &["/sentences/0"],
            "/hunt/histogram" => &["/buckets/0"],
            "/hunt/facets" => &["/facets/0/values/0"],
            "/hunt/patterns" => &["/patterns/0/sample"],
            "/hunt/compare" => &["/differences/0/field"],
            "/hunt/paste" => &["/indicators/0/first", "/indicators/0/systems/0/system", "/unreadable/0", "/coverage/0/since"],
            "/systems/{id}" => &["/assets/0", "/requirements/0", "/history/0", "/groups/0"],
            "/incidents/{id}" => &["/alerts/0/events/0", "/alerts/0/evidence/0", "/notifications/0", "/log/0", "/close_verdict"],
            "/rules" => &["/rules/0", "/rejected/0"],
            "/keeping" => &["/holds/0/released/reason", "/outlook/budget_bytes"],
            "/sources" => &["/sources/0", "/unknown_senders/0", "/ledger/0", "/quarantine/0"],
            "/oncall" => &["/schedules/0/now/user", "/schedules/0/overrides/0", "/escalation/steps/1"],
            "/channels/test" => &["/attempts/0"],
            "/setup/waiting" => &["/first_line/event"],
            "/register/import" => &["/errors/0"],
            _ => &[],
        };
        for pointer in full.iter().filter(|_| *method == "get" || *path != "/channels") {
            assert!(
                answer.body.pointer(pointer).is_some_and(|found| !found.is_null()),
                "{method} {url} has no {pointer}: {}",
                answer.body
            );
        }
        let is_empty = answer.body.as_array().is_some_and(Vec::is_empty);
        assert!(!is_empty, "{method} {url} lists nothing");
        done.insert(((*method).into(), (*path).into()));
    }
    let documented: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, item)| {
            item.as_object()
                .expect("an item")
                .keys()
                .map(move |method| (method.clone(), path.trim_start_matches("/api/v1").to_owned()))
        })
        .collect();
    assert_eq!(done, documented, "every route is called");
    server.stop();
}
