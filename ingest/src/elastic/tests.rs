//! The door as its senders meet it: request bodies in the forms that Filebeat, Winlogbeat and Fluent Bit send, written after
//! their documentation and sources, and everything a sender may get wrong.

use std::sync::atomic::Ordering::Relaxed;

use event::seam::{BoxFuture, Refused};
use tower::ServiceExt;

use super::*;
use crate::{
    decompress::tests::{gzip, zstd},
    settings::HttpSettings,
    testing::{MemorySink, TestClock, context},
    tokens::Access,
    units::Bytes,
};

/// "good" is the token of the source `windows`.
struct OneToken;

impl TokenCheck for OneToken {
    fn check<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Access> {
        Box::pin(std::future::ready(Access::Unknown))
    }

    fn identify<'a>(&'a self, token: &'a str, _: &'a str) -> BoxFuture<'a, Identity> {
        let identity = match token {
            "good" => Identity::Source("windows".into()),
            "down" => Identity::Unavailable,
            _ => Identity::Unknown,
        };
        Box::pin(std::future::ready(identity))
    }
}

struct Bench {
    elastic: Elastic,
    sink: Arc<MemorySink>,
    context: Context,
}

fn bench_with(http: HttpSettings, settings: ElasticSettings) -> Bench {
    let (context, sink) = context(&[]);
    let elastic = Elastic::new(context.clone(), Bodies::new(&http), &settings, Arc::new(OneToken));
    Bench { elastic, sink, context }
}

fn bench() -> Bench {
    bench_with(HttpSettings::default(), ElasticSettings::default())
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn statuses(&self) -> Vec<u64> {
        let json = self.json();
        let items = json["items"].as_array().unwrap().iter();
        items.map(|item| item.as_object().unwrap().values().next().unwrap()["status"].as_u64().unwrap()).collect()
    }
}

impl Bench {
    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.elastic.router().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 24).await.unwrap();
        assert_eq!(parts.headers["x-elastic-product"], "Elasticsearch");
        Answer { status: parts.status.as_u16(), headers: parts.headers, text: String::from_utf8(bytes.into()).unwrap() }
    }

    async fn bulk(&self, body: impl Into<Body>) -> Answer {
        self.ask("POST", "/_bulk", &[BASIC], body).await
    }

    fn counters(&self) -> Arc<Counters> {
        self.context.metrics.of("elastic", "windows")
    }
}

/// `elastic:good`.
const BASIC: (&str, &str) = ("authorization", "Basic ZWxhc3RpYzpnb29k");
/// `some-id:good`.
const API_KEY: (&str, &str) = ("authorization", "ApiKey c29tZS1pZDpnb29k");

/// Filebeat 8: `create` into a data stream, gzip, one action line for all, a pipeline where the module has one.
const FILEBEAT: &str = concat!(
    r#"{"create":{"_index":"filebeat-8.15.1","pipeline":"filebeat-8.15.1-system-auth-pipeline"}}"#,
    "\n",
    r#"{"@timestamp":"2026-11-23T01:00:01.000Z","message":"Nov 23 08:00:01 web01 sshd[812]: Failed password for root from 203.0.113.9 port 40022 ssh2","log":{"offset":0,"file":{"path":"/var/log/auth.log"}},"host":{"name":"web01"},"agent":{"type":"filebeat","version":"8.15.1"},"ecs":{"version":"8.0.0"}}"#,
    "\n",
    r#"{"create":{"_index":"filebeat-8.15.1","pipeline":"filebeat-8.15.1-system-auth-pipeline"}}"#,
    "\n",
    r#"{"@timestamp":"2026-11-23T01:00:02.000Z","message":"đăng nhập \"xong\"","log":{"offset":96}}"#,
    "\n",
);

/// Winlogbeat 8 as it sends by default.
const WINLOGBEAT: &str = concat!(
    r#"{"create":{"_index":"winlogbeat-8.15.1"}}"#,
    "\n",
    r#"{"@timestamp":"2026-11-23T01:00:03.123Z","winlog":{"channel":"Security","event_id":"4625","provider_name":"Microsoft-Windows-Security-Auditing","computer_name":"DC01.tinh.local","record_id":91,"event_data":{"TargetUserName":"quantri","IpAddress":"203.0.113.7","LogonType":"3"}},"event":{"code":"4625","kind":"event","provider":"Microsoft-Windows-Security-Auditing"},"host":{"name":"DC01"},"agent":{"type":"winlogbeat","version":"8.15.1"},"ecs":{"version":"8.0.0"}}"#,
    "\n",
);

/// Fluent Bit with `Generate_ID On`: an id from the content, no white space, milliseconds.
const FLUENT_BIT: &str = concat!(
    r#"{"create":{"_index":"fluent-bit","_id":"b2f4e3c1-8f1f-4a2b-9d55-0f0f0f0f0001"}}"#,
    "\n",
    r#"{"@timestamp":"2026-11-23T01:00:04.000Z","log":"{\"level\":\"info\"}","stream":"stdout"}"#,
    "\n",
    r#"{"create":{"_index":"fluent-bit","_id":"b2f4e3c1-8f1f-4a2b-9d55-0f0f0f0f0002"}}"#,
    "\n",
    r#"{"@timestamp":"2026-11-23T01:00:05.000Z","log":"hai","stream":"stderr"}"#,
    "\n",
);

#[tokio::test]
async fn filebeat_is_answered_as_it_expects() {
    let bench = bench();
    let headers = [
        BASIC,
        ("user-agent", "Elastic-filebeat/8.15.1 (linux; amd64; 0123abc; 2024-09-02 12:00:00 +0000 UTC)"),
        ("content-type", "application/json; charset=UTF-8"),
        ("content-encoding", "gzip"),
        ("accept", "application/json"),
    ];
    let hello = bench.ask("GET", "/", &headers, Body::empty()).await;
    assert_eq!((hello.status, &hello.json()["version"]["number"]), (200, &"8.15.1".into()));
    assert_eq!(bench.ask("GET", "/_license", &headers, Body::empty()).await.json()["license"]["status"], "active");
    let path = "/_bulk?filter_path=errors%2Citems.%2A.error%2Citems.%2A.status";
    let answer = bench.ask("POST", path, &headers, gzip(FILEBEAT.as_bytes())).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.text, r#"{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":201}}]}"#);
    let lines: Vec<&str> = FILEBEAT.lines().collect();
    assert_eq!(bench.sink.records(), [lines[1], lines[3]], "documents are kept as they stand");
    assert_eq!(bench.sink.batches.lock().unwrap()[0].source, "windows");
    assert_eq!(bench.counters().stored.load(Relaxed), 2);
    // It sends the same again after a lost answer: without ids nobody can tell, so it is stored again.
    bench.ask("POST", path, &headers, gzip(FILEBEAT.as_bytes())).await;
    assert_eq!(bench.sink.len(), 4);
}

#[tokio::test]
async fn winlogbeat_and_fluent_bit_are_answered_as_they_expect() {
    let bench = bench();
    let answer = bench.ask("POST", "/_bulk", &[API_KEY], WINLOGBEAT).await;
    assert!(
        answer.text.contains(r#""errors":false,"items":[{"create":{"_index":"winlogbeat-8.15.1","_id":"1-0","status":201}}]"#),
        "{}",
        answer.text
    );
    assert_eq!(bench.sink.records(), [WINLOGBEAT.lines().nth(1).unwrap()]);
    let headers = [BASIC, ("user-agent", "Fluent-Bit"), ("content-type", "application/x-ndjson")];
    assert_eq!(bench.ask("POST", "/_bulk", &headers, FLUENT_BIT).await.statuses(), [201, 201]);
    let again = bench.ask("POST", "/_bulk", &headers, FLUENT_BIT).await;
    assert_eq!((again.status, again.statuses(), &again.json()["errors"]), (200, vec![409, 409], &true.into()));
    assert_eq!(bench.sink.len(), 3, "what came before is not stored again");
    assert_eq!(bench.counters().duplicates.load(Relaxed), 2);
}

#[tokio::test]
async fn a_request_repeated_after_a_restart_is_known_by_the_sink() {
    let bench = bench();
    assert_eq!(bench.bulk(FLUENT_BIT).await.statuses(), [201, 201]);
    let forgetful = Bench {
        elastic: Elastic::new(
            bench.context.clone(),
            Bodies::new(&HttpSettings::default()),
            &ElasticSettings::default(),
            Arc::new(OneToken),
        ),
        sink: Arc::clone(&bench.sink),
        context: bench.context.clone(),
    };
    assert_eq!(forgetful.bulk(FLUENT_BIT).await.statuses(), [409, 409]);
    assert_eq!(bench.sink.len(), 2);
}

#[tokio::test]
async fn every_action_is_answered_in_order() {
    let bench = bench();
    let body = concat!(
        "{\"index\":{\"_id\":\"1\"}}\n{\"a\":1}\r\n",
        "{\"delete\":{\"_index\":\"x\",\"_id\":\"9\"}}\n",
        "{\"update\":{\"_id\":2,\"_index\":\"y\"}}\n{\"doc\": {\"b\":2} ,\"doc_as_upsert\":true}\n",
        "\n",
        "{\"update\":{\"_id\":\"3\"}}\n{\"script\":{\"source\":\"x\"}}\n",
        "{ \"create\" : { } }\n{\"c\":3}",
    );
    let answer = bench.ask("PUT", "/mine/_bulk?refresh=true&timeout=1m", &[BASIC], body).await;
    let json = answer.json();
    assert_eq!(answer.statuses(), [201, 404, 201, 400, 201]);
    assert_eq!(json["items"][0]["index"], serde_json::json!({ "_index": "mine", "_id": "1", "status": 201 }));
    assert_eq!(json["items"][1]["delete"], serde_json::json!({ "_index": "x", "_id": "9", "status": 404 }));
    assert_eq!(json["items"][2]["update"], serde_json::json!({ "_index": "y", "_id": "2", "status": 201 }));
    assert_eq!(bench.sink.records(), ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]);
    assert_eq!(bench.sink.refused()["malformed"], 1);
    // The same words under the same id are not stored again; other words are.
    let again = bench
        .ask("POST", "/mine/_bulk", &[BASIC], "{\"index\":{\"_id\":\"1\"}}\n{\"a\":1}\n{\"index\":{\"_id\":\"1\"}}\n{\"a\":2}\n")
        .await;
    assert_eq!((again.statuses(), &again.json()["errors"]), (vec![200, 201], &false.into()));
    assert_eq!(bench.sink.len(), 4);
}

#[tokio::test]
async fn bad_documents_go_to_quarantine_and_are_answered_201() {
    let body = "{\"create\":{}}\n{broken\n{\"create\":{}}\nno JSON at all\n{\"create\":{}}\n{\"fine\":1}\n{\"update\":{\"_id\":\"u\"}}\n{\"doc\":{\n";
    let loose = bench();
    let answer = loose.bulk(body).await;
    assert_eq!((answer.status, answer.statuses()), (200, vec![201, 201, 201, 201]));
    assert_eq!(loose.sink.records(), ["{broken", "no JSON at all", "{\"fine\":1}", "{\"doc\":{"]);
    let strict = bench_with(HttpSettings::default(), ElasticSettings { strict: true, ..Default::default() });
    assert_eq!(strict.bulk(body).await.statuses(), [400, 400, 201, 400]);
    assert_eq!(strict.sink.records(), ["{\"fine\":1}"]);
    assert_eq!(strict.sink.refused()["malformed"], 3);
    assert_eq!(strict.counters().refused(RefusedReason::Malformed), 3);
}

#[tokio::test]
async fn overload_refuses_the_whole_request() {
    let bench = bench();
    for (refusal, status) in
        [(Refused::Pressure { retry_after_ms: 2_500 }, 429), (Refused::Closing, 503), (Refused::Failed("disk".into()), 503)]
    {
        *bench.sink.refuse.lock().unwrap() = Some(refusal);
        let answer = bench.bulk(FLUENT_BIT).await;
        assert_eq!(answer.status, status);
        let seconds = if status == 429 { "3" } else { "5" };
        assert_eq!(answer.headers["retry-after"], seconds);
        assert_eq!(answer.json()["status"], status);
        assert!(!answer.text.contains("disk"), "the cause is for the operator");
    }
    assert_eq!(bench.counters().pressure.load(Relaxed), 3);
    *bench.sink.refuse.lock().unwrap() = None;
    assert_eq!(bench.bulk(FLUENT_BIT).await.statuses(), [201, 201], "what was refused was not remembered as stored");
    let small = bench_with(HttpSettings { memory_max: Bytes::kib(1), ..Default::default() }, ElasticSettings::default());
    let length = FILEBEAT.repeat(10);
    let headers = [BASIC, ("content-length", &length.len().to_string())];
    let full = small.ask("POST", "/_bulk", &headers, length.clone()).await;
    assert_eq!((full.status, full.headers.contains_key("retry-after")), (429, true));
}

#[tokio::test]
async fn bounds_hold() {
    let http =
        HttpSettings { body_max: Bytes::kib(64), unpacked_max: Bytes::kib(512), record_max: Bytes(100), ..Default::default() };
    let bench = bench_with(http, ElasticSettings { items_max: 10, ..Default::default() });
    let line = |document: &str| format!("{{\"create\":{{}}}}\n{document}\n");
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(100));
    let answer = bench.bulk(line(&long) + &line("{}") + &line("")).await;
    assert_eq!((answer.status, answer.statuses()), (200, vec![413, 201, 400]));
    assert_eq!(bench.sink.refused()["limit"], 1);
    assert_eq!(bench.bulk(line("{}").repeat(11)).await.status, 413);
    assert_eq!(bench.bulk("x".repeat(70 << 10)).await.status, 413);
    for bomb in [gzip(&vec![b'a'; 16 << 20]), zstd(&vec![b'a'; 16 << 20])] {
        let encoding = if bomb[0] == 0x1f { "gzip" } else { "zstd" };
        assert_eq!(bench.ask("POST", "/_bulk", &[BASIC, ("content-encoding", encoding)], bomb).await.status, 413, "{encoding}");
    }
    let id = format!("{{\"create\":{{\"_id\":\"{}\"}}}}\n{{}}\n", "i".repeat(600));
    assert_eq!(bench.bulk(id).await.statuses(), [400]);
    assert_eq!(bench.sink.len(), 1, "only the honest document was stored");
}

#[tokio::test]
async fn what_cannot_be_divided_is_refused_whole_with_its_line() {
    let bench = bench();
    let deep = format!("{{\"create\":{}", "[".repeat(5_000));
    for (body, line) in [
        ("no action\n{}\n", 1),
        ("{\"create\":{}}\n{}\n{\"drop\":{}}\n{}\n", 3),
        ("{\"create\":{},\"index\":{}}\n{}\n", 1),
        ("{\"create\":[]}\n{}\n", 1),
        ("{\"create\":{}}\n{}\n{\"create\":{}}", 3),
        (&deep, 1),
    ] {
        let answer = bench.bulk(body.to_owned()).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.text.contains(&format!("line [{line}]")), "{}", answer.text);
    }
    assert_eq!(bench.bulk("").await.status, 400);
    assert_eq!(bench.bulk("\n\n").await.status, 400);
    assert_eq!(bench.sink.len(), 0);
}

#[tokio::test]
async fn every_credential_is_a_token_of_a_source() {
    let bench = bench();
    for (value, status) in [
        ("Bearer good", 200),
        ("bearer good", 200),
        (BASIC.1, 200),
        (API_KEY.1, 200),
        ("Bearer bad", 401),
        ("Bearer down", 503),
        ("Basic !!!", 401),
        ("Basic Z29vZA==", 401),
        ("Digest good", 401),
        ("", 401),
    ] {
        assert_eq!(bench.ask("GET", "/", &[("authorization", value)], Body::empty()).await.status, status, "{value}");
    }
    let nobody = bench.ask("POST", "/_bulk", &[], FILEBEAT).await;
    assert_eq!((nobody.status, nobody.headers.contains_key("www-authenticate")), (401, true));
    assert_eq!(bench.context.metrics.of("elastic", "unauthorised").unauthorised.load(Relaxed), 7);
    assert_eq!(bench.sink.len(), 0);
}

#[tokio::test]
async fn the_questions_before_sending_are_answered() {
    let bench = bench();
    for (method, path, needle) in [
        ("GET", "/", "\"tagline\":\"You Know, for Search\""),
        ("HEAD", "/", ""),
        ("GET", "/_license", "\"expiry_date_in_millis\":4000000000000"),
        ("GET", "/_xpack", r#"{"build":{},"features":{},"license":{"type":"basic","status":"active"}}"#),
        ("GET", "/_nodes", r#"{"nodes":{"chieng":{"roles":["ingest","data"],"http":{"publish_address":"siem:9200"}}}}"#),
        ("GET", "/_nodes/http", "publish_address"),
        ("GET", "/_cluster/health", r#"{"cluster_name":"chieng","status":"green","number_of_nodes":1,"timed_out":false}"#),
        ("HEAD", "/_ilm/policy/filebeat", ""),
        ("PUT", "/_ilm/policy/filebeat", r#"{"acknowledged":true}"#),
        ("GET", "/_index_template/filebeat-8.15.1", r#"{"acknowledged":true}"#),
        ("PUT", "/_component_template/x", r#"{"acknowledged":true}"#),
        ("PUT", "/_template/x", r#"{"acknowledged":true}"#),
        ("PUT", "/_data_stream/x", r#"{"acknowledged":true}"#),
        ("PUT", "/_ingest/pipeline/x", r#"{"acknowledged":true}"#),
        ("HEAD", "/filebeat-8.15.1", ""),
        ("PUT", "/filebeat-8.15.1", r#"{"acknowledged":true}"#),
    ] {
        let answer = bench.ask(method, path, &[BASIC, ("host", "siem:9200")], Body::empty()).await;
        assert_eq!(answer.status, 200, "{method} {path}");
        assert!(answer.text.contains(needle) && (method != "HEAD" || answer.text.is_empty()), "{method} {path}: {}", answer.text);
    }
    for (method, path, status) in
        [("GET", "/_search", 404), ("GET", "/_bulk", 405), ("DELETE", "/logs", 404), ("POST", "/_x/_bulk", 405)]
    {
        assert_eq!(bench.ask(method, path, &[BASIC], Body::empty()).await.status, status, "{method} {path}");
    }
    let pinned = bench_with(HttpSettings::default(), ElasticSettings { version: Some("7.17.9".into()), ..Default::default() });
    let answer = pinned.ask("GET", "/", &[BASIC, ("user-agent", "Elastic-winlogbeat/8.15.1")], Body::empty()).await;
    assert_eq!(answer.json()["version"]["number"], "7.17.9");
    for (agent, version) in [
        ("Elastic-winlogbeat/9.1.2 (windows)", "9.1.2"),
        ("curl/8.0.1", VERSION),
        ("Elastic-x/8..1", VERSION),
        ("Elastic-x/99999.1.1", VERSION),
    ] {
        assert_eq!(
            bench.ask("GET", "/", &[BASIC, ("user-agent", agent)], Body::empty()).await.json()["version"]["number"],
            version
        );
    }
}

#[tokio::test]
async fn the_door_stands_under_its_prefix_too() {
    let bench = bench();
    for (path, status) in
        [("/elastic", 200), ("/elastic/", 200), ("/elastic/_license", 200), ("/elastic/logs/_bulk", 405), ("/_license", 404)]
    {
        let request = Request::get(path).header(BASIC.0, BASIC.1).body(Body::empty()).unwrap();
        let response = bench.elastic.prefixed().oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn an_id_is_forgotten_after_the_window() {
    let bench = bench();
    let body = "{\"create\":{\"_id\":\"1\"}}\n{\"a\":1}\n{\"create\":{}}\n{\"b\":1}\n";
    assert_eq!(bench.bulk(body).await.statuses(), [201, 201]);
    assert_eq!(bench.bulk(body).await.statuses(), [409, 201]);
    let clock: Arc<TestClock> = Arc::new(TestClock((1_800_000_000_000_000 + 601 * 1_000_000).into()));
    let context = Context { clock, ..bench.context.clone() };
    let later = Shared {
        context,
        bodies: bench.elastic.0.bodies.clone(),
        settings: bench.elastic.0.settings.clone(),
        tokens: Arc::new(OneToken),
        known: Arc::clone(&bench.elastic.0.known),
    };
    let later = Bench { elastic: Elastic(Arc::new(later)), sink: Arc::clone(&bench.sink), context: bench.context.clone() };
    assert_eq!(later.bulk(body).await.statuses(), [201, 201]);
}

#[test]
fn hostile_bodies_never_panic() {
    use proptest::prelude::*;
    let piece = prop_oneof![
        Just(b"{\"create\":{}}\n".to_vec()),
        Just(b"{\"index\":{\"_id\":\"1\"}}\n".to_vec()),
        Just(b"{\"update\":{\"_id\":\"1\"}}\n{\"doc\":".to_vec()),
        Just(b"{\"delete\":{}}\n".to_vec()),
        Just(b"\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    proptest!(|(pieces in proptest::collection::vec(piece, 0..30), strict in any::<bool>())| {
        let body = pieces.concat();
        let limits = Limits { record_max: 30, items_max: 12, strict };
        if let Ok((mut batch, mut items)) = bulk::divide(RawBatch::new("x", None, 0), &body, None, limits) {
            let known = Known::new(10, 4);
            known.leave_out(&mut batch, &mut items, 0);
            known.remember(&items, 0);
            let stored = items.iter().filter(|item| item.fate == Fate::Stored).count();
            prop_assert_eq!(stored, batch.len());
            let answer: serde_json::Value = serde_json::from_str(&reply::write(&items, 1, 0, &Keep::by(None))).unwrap();
            prop_assert_eq!(answer["items"].as_array().unwrap().len(), items.len());
        }
    });
}
