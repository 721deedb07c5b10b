//! Requests against the router; the hostile ones over real sockets.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use event::seam::{BoxFuture, Refused};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::ServiceExt;

use super::*;
use crate::{
    decompress::tests::{gzip, zstd},
    testing::{MemorySink, context},
    units::{Bytes, Span},
};

/// Grants "good" for the source `web`.
struct OneToken;

impl TokenCheck for OneToken {
    fn check<'a>(&'a self, source: &'a str, token: &'a str) -> BoxFuture<'a, Access> {
        let access = match (source, token) {
            ("web", "good") => Access::Granted,
            (_, "good") => Access::OtherSource,
            (_, "down") => Access::Unavailable,
            _ => Access::Unknown,
        };
        Box::pin(std::future::ready(access))
    }

    fn identify<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, crate::tokens::Identity> {
        Box::pin(std::future::ready(crate::tokens::Identity::Unknown))
    }
}

struct Bench {
    router: Router,
    sink: Arc<MemorySink>,
    context: Context,
}

fn bench(settings: HttpSettings) -> Bench {
    let (context, sink) = context(&[]);
    Bench { router: router(context.clone(), Bodies::new(&settings), Arc::new(OneToken)), sink, context }
}

struct Answer {
    status: u16,
    retry_after: Option<String>,
    json: serde_json::Value,
}

impl Bench {
    async fn post(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        self.post_to("/ingest/v1/web", &[headers, &[("authorization", "Bearer good")]].concat(), body).await
    }

    async fn post_to(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let retry_after = response.headers().get("retry-after").map(|v| v.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        Answer { status, retry_after, json: serde_json::from_slice(&body).unwrap() }
    }

    fn counters(&self) -> Arc<Counters> {
        self.context.metrics.of("http", "web")
    }
}

const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");
const JSON: (&str, &str) = ("content-type", "application/json");
const TEXT: (&str, &str) = ("content-type", "text/plain; charset=utf-8");

#[tokio::test]
async fn records_are_divided_by_content_type() {
    let bench = bench(HttpSettings::default());
    let answer = bench.post(&[NDJSON], "{\"a\":1}\r\n\n{\"b\":2}").await;
    assert_eq!(
        (answer.status, answer.json.to_string()),
        (200, r#"{"accepted":2,"refused":0,"sequence":1,"duplicate":false}"#.into())
    );
    bench.post(&[JSON], "[{\"a\":3},\n{\"b\":[4]}]").await;
    bench.post(&[JSON], "{\"a\":5}").await;
    bench.post(&[TEXT], "line six\r\nline [seven\n").await;
    bench.post(&[], "[{\"a\":8}]").await;
    bench.post(&[], "[nine] is a line\n").await;
    bench.post(&[], "{\"a\":10}\n{\"a\":11}\n").await;
    assert_eq!(
        bench.sink.records(),
        [
            "{\"a\":1}",
            "{\"b\":2}",
            "{\"a\":3}",
            "{\"b\":[4]}",
            "{\"a\":5}",
            "line six",
            "line [seven",
            "{\"a\":8}",
            "[nine] is a line",
            "{\"a\":10}",
            "{\"a\":11}"
        ]
    );
    assert_eq!(bench.counters().stored.load(Relaxed), 11);
}

#[tokio::test]
async fn a_line_that_is_no_json_is_data() {
    let bench = bench(HttpSettings::default());
    assert_eq!(bench.post(&[NDJSON], "{\"a\":1}\n{broken\n").await.status, 200);
    assert_eq!(bench.sink.records(), ["{\"a\":1}", "{broken"]);
}

#[tokio::test]
async fn encodings() {
    let bench = bench(HttpSettings::default());
    let body = b"one\ntwo\n";
    for (name, packed) in [("gzip", gzip(body)), ("zstd", zstd(body)), ("identity", body.to_vec())] {
        let answer = bench.post(&[TEXT, ("content-encoding", name)], packed).await;
        assert_eq!((answer.status, answer.json["accepted"].as_u64()), (200, Some(2)), "{name}");
    }
    let answer = bench.post(&[TEXT, ("content-encoding", "br")], "x").await;
    assert_eq!((answer.status, answer.json["error"]["code"].as_str()), (415, Some("content_encoding")));
    assert_eq!(bench.post(&[("content-type", "image/png")], "x").await.status, 415);
    let answer = bench.post(&[TEXT, ("content-encoding", "gzip")], "no gzip").await;
    assert_eq!((answer.status, answer.json["error"]["code"].as_str()), (400, Some("broken_encoding")));
}

#[tokio::test]
async fn the_place_of_broken_json_is_named() {
    let bench = bench(HttpSettings::default());
    let answer = bench.post(&[JSON], "[{\"a\":1},\n {\"b\":2}\n {\"c\":3}]").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json["error"]["message"], "line 3, byte 20: expected `,` or `]` after an element");
    assert_eq!((answer.json["error"]["line"].as_u64(), answer.json["error"]["offset"].as_u64()), (Some(3), Some(20)));
    assert_eq!(bench.post(&[JSON], "[]").await.json["error"]["code"], "no_records");
    assert_eq!(bench.sink.len(), 0);
}

#[tokio::test]
async fn tokens() {
    let bench = bench(HttpSettings::default());
    for (path, authorization, status) in [
        ("/ingest/v1/web", "Bearer good", 200),
        ("/ingest/v1/web", "bearer good", 200),
        ("/ingest/v1/web", "Bearer bad", 401),
        ("/ingest/v1/web", "Bearer ", 401),
        ("/ingest/v1/web", "good", 401),
        ("/ingest/v1/mail", "Bearer good", 403),
        ("/ingest/v1/web", "Bearer down", 503),
        ("/ingest/v1/Web%2F..", "Bearer good", 400),
    ] {
        let answer = bench.post_to(path, &[("authorization", authorization)], "x\n").await;
        assert_eq!(answer.status, status, "{path} {authorization}");
    }
    assert_eq!(bench.post_to("/ingest/v1/web", &[], "x\n").await.status, 401);
    assert_eq!(bench.sink.len(), 2);
}

#[tokio::test]
async fn a_repeated_key_is_answered_from_the_first_receipt() {
    let bench = bench(HttpSettings::default());
    let key = ("idempotency-key", "forwarder-7/000123");
    let first = bench.post(&[TEXT, key], "one\ntwo\n").await.json;
    let second = bench.post(&[TEXT, key], "one\ntwo\n").await.json;
    assert_eq!((first["accepted"].as_u64(), first["duplicate"].as_bool()), (Some(2), Some(false)));
    assert_eq!((second["accepted"].as_u64(), second["duplicate"].as_bool()), (Some(2), Some(true)));
    assert_eq!(first["sequence"], second["sequence"]);
    assert_eq!(bench.sink.len(), 2);
    for bad in ["", "with space", &"x".repeat(129)] {
        assert_eq!(bench.post(&[TEXT, ("idempotency-key", bad)], "x\n").await.status, 400, "{bad:?}");
    }
}

#[tokio::test]
async fn refusals_of_the_sink() {
    let bench = bench(HttpSettings::default());
    for (refused, status, retry_after) in [
        (Refused::Pressure { retry_after_ms: 1_500 }, 429, "2"),
        (Refused::Closing, 503, "5"),
        (Refused::Failed("disk full on /srv/data".into()), 503, "5"),
    ] {
        *bench.sink.refuse.lock().unwrap() = Some(refused);
        let answer = bench.post(&[TEXT], "x\n").await;
        assert_eq!((answer.status, answer.retry_after.as_deref()), (status, Some(retry_after)));
        assert!(!answer.json.to_string().contains("/srv"), "internals stay inside");
    }
    assert_eq!(bench.counters().pressure.load(Relaxed), 3);
}

#[tokio::test]
async fn hostile_bodies_are_bounded_and_counted() {
    let settings = HttpSettings {
        body_max: Bytes::kib(64),
        unpacked_max: Bytes::mib(4),
        record_max: Bytes(100),
        ratio_max: 100,
        ..Default::default()
    };
    let bench = bench(settings);
    assert_eq!(bench.post(&[TEXT], vec![b'x'; 65_537]).await.status, 413);
    // Declared too long: refused before a byte is read.
    assert_eq!(bench.post(&[TEXT, ("content-length", "99999999999")], "x").await.status, 413);
    // Never-ending, without a length.
    let endless = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[b'x'; 1024])));
    assert_eq!(bench.post(&[TEXT], Body::from_stream(endless)).await.status, 413);
    for (name, bomb) in [("gzip", gzip(&[b'\n'; 3 << 20])), ("zstd", zstd(&[b'\n'; 3 << 20]))] {
        assert!(bomb.len() < 64 << 10);
        let answer = bench.post(&[TEXT, ("content-encoding", name)], bomb).await;
        assert_eq!(answer.status, 413);
        assert!(answer.json["error"]["message"].as_str().unwrap().contains("bomb"), "{}", answer.json);
    }
    let packed = gzip("a line that is cut off\n".repeat(500).as_bytes());
    let truncated = packed[..packed.len() - 10].to_vec();
    assert_eq!(bench.post(&[TEXT, ("content-encoding", "gzip")], truncated).await.status, 400);
    assert_eq!(bench.counters().refused(RefusedReason::Limit), 5);
    assert_eq!(bench.counters().refused(RefusedReason::Malformed), 1);
    assert_eq!(bench.sink.len(), 0);
    // One long record does not spoil its neighbours.
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(200));
    let answer = bench.post(&[JSON], format!("[{{\"b\":1}},{long},{long}]")).await;
    assert_eq!((answer.json["accepted"].as_u64(), answer.json["refused"].as_u64()), (Some(1), Some(2)));
    assert_eq!(bench.sink.refused()["limit"], 2);
    bench.post(&[TEXT], "y".repeat(300)).await;
    assert_eq!(bench.sink.records().last().unwrap(), &"y".repeat(100));
    assert_eq!(bench.counters().cut_bytes.load(Relaxed), 200);
}

#[tokio::test]
async fn memory_of_all_bodies_is_bounded() {
    let bench = bench(HttpSettings { memory_max: Bytes::kib(100), ..Default::default() });
    let blocked = Arc::new(AtomicBool::new(true));
    let waiting = Arc::clone(&blocked);
    // A first body has sent 48 KiB and pauses.
    let slow = async_stream(move || waiting.load(Relaxed));
    let router = bench.router.clone();
    let first = tokio::spawn(async move {
        let request = Request::post("/ingest/v1/web").header("authorization", "Bearer good").header("content-type", "text/plain");
        router.oneshot(request.body(Body::from_stream(slow)).unwrap()).await.unwrap().status()
    });
    let answer = loop {
        let answer = bench.post(&[TEXT], vec![b'x'; 60 << 10]).await;
        if answer.status != 200 {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((answer.status, answer.retry_after.as_deref()), (429, Some("1")));
    blocked.store(false, Relaxed);
    assert_eq!(first.await.unwrap(), 200);
    assert_eq!(bench.post(&[TEXT], vec![b'x'; 60 << 10]).await.status, 200);
}

/// 48 KiB, then nothing until `is_blocked` says no, then a last line.
fn async_stream(is_blocked: impl Fn() -> bool) -> impl futures::Stream<Item = Result<bytes::Bytes, std::io::Error>> {
    futures::stream::unfold((0, is_blocked), |(step, is_blocked)| async move {
        match step {
            0 => Some((Ok(bytes::Bytes::from(vec![b'x'; 48 << 10])), (1, is_blocked))),
            1 => {
                while is_blocked() {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                Some((Ok(bytes::Bytes::from_static(b"\nend\n")), (2, is_blocked)))
            }
            _ => None,
        }
    })
}

#[tokio::test]
async fn hostile_slow_body_over_a_socket() {
    let settings = HttpSettings { idle_timeout: Span::millis(500), body_timeout: Span::millis(300), ..Default::default() };
    let bench = bench(settings);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = bench.router.clone().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });

    let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
    let drip = tokio::spawn(async move {
        let head = "POST /ingest/v1/web HTTP/1.1\r\nhost: x\r\nauthorization: Bearer good\r\ncontent-length: 1000\r\n\r\n";
        write.write_all(head.as_bytes()).await.unwrap();
        while write.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut answer = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(10), read.read_to_end(&mut answer)).await;
    end.expect("the connection is closed in time").ok();
    assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    drop(read);
    drip.await.unwrap();
    assert_eq!(bench.counters().timeouts.load(Relaxed), 1);

    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "POST /ingest/v1/web HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer good\r\ncontent-length: 4\r\n\r\none\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(bench.sink.batches.lock().unwrap()[0].sender, Some("127.0.0.1".parse().unwrap()));
}
