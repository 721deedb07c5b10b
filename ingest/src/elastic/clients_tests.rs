//! Real clients against a real address: rsyslog's omelasticsearch and the official Python client, where they are installed.

use std::{
    fs,
    process::{Command, Stdio},
    sync::atomic::Ordering::Relaxed,
};

use event::seam::Refused;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::{
    Bodies, SourceTable, Sources,
    settings::{ElasticSettings, HttpSettings, Secret, SourceSettings},
    testing::{MemorySink, context, until},
    tls::tests::Authority,
    tokens::ConfiguredTokens,
};

struct Running {
    address: SocketAddr,
    sink: Arc<MemorySink>,
    context: crate::Context,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    dir: tempfile::TempDir,
}

/// Listens for the source `web`, whose token is `secret-web`.
fn start(settings: ElasticSettings) -> Running {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("token"), "secret-web").unwrap();
    let source = SourceSettings { token: Some(Secret::File(dir.path().join("token"))), ..SourceSettings::named("web") };
    let (mut context, sink) = context(&[]);
    context.sources = Arc::new(Sources::new(SourceTable::new(&[source], |_| true).unwrap()));
    let tokens = Arc::new(ConfiguredTokens(Arc::clone(&context.sources)));
    let settings = ElasticSettings { listen: vec!["127.0.0.1:0".parse().unwrap()], ..settings };
    let elastic = Elastic::new(context.clone(), Bodies::new(&HttpSettings::default()), &settings, tokens);
    let listener = elastic.bind().unwrap().remove(0);
    let (address, stop) = (listener.local_addr(), CancellationToken::new());
    let task = tokio::spawn(listener.run(stop.clone()));
    Running { address, sink, context, stop, task, dir }
}

const BULK: &str = "POST /_bulk HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer secret-web\r\ncontent-length: 21\r\n\r\n{\"create\":{}}\n{\"a\":1}";

#[tokio::test]
async fn a_request_over_tls_knows_its_sender() {
    let authority = Authority::new();
    authority.issue("server", "siem", &["localhost"]);
    let running = start(ElasticSettings { tls: Some(authority.files("server", false)), ..Default::default() });
    let connector = tokio_rustls::TlsConnector::from(Arc::new(authority.client(None)));
    let stream = TcpStream::connect(running.address).await.unwrap();
    let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    stream.write_all(BULK.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"errors\":false,\"items\":["), "{answer}");
    assert_eq!(running.sink.batches.lock().unwrap()[0].sender, Some("127.0.0.1".parse().unwrap()));
    // Plain HTTP is no handshake.
    let mut plain = TcpStream::connect(running.address).await.unwrap();
    plain.write_all(BULK.as_bytes()).await.unwrap();
    let _ = plain.read(&mut [0; 64]).await;
    let counters = running.context.metrics.of("elastic", running.address.to_string());
    until("the handshake failed", || counters.handshakes_failed.load(Relaxed) == 1).await;
    running.stop.cancel();
    running.task.await.unwrap();
}

#[tokio::test]
async fn connections_are_bounded() {
    let running = start(ElasticSettings { connections_per_address_max: 2, ..Default::default() });
    let counters = running.context.metrics.of("elastic", running.address.to_string());
    let kept = [TcpStream::connect(running.address).await.unwrap(), TcpStream::connect(running.address).await.unwrap()];
    until("both are open", || counters.connections_open.load(Relaxed) == 2).await;
    let mut third = TcpStream::connect(running.address).await.unwrap();
    assert!(matches!(third.read(&mut [0; 1]).await, Ok(0) | Err(_)), "the third is closed");
    drop(kept);
    until("places are given back", || counters.connections_open.load(Relaxed) == 0).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(BULK.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rsyslog_sends_in_bulk() {
    let module =
        ["x86_64-linux-gnu", "aarch64-linux-gnu"].map(|machine| format!("/usr/lib/{machine}/rsyslog/omelasticsearch.so"));
    if !module.iter().any(|path| fs::exists(path).unwrap_or(false)) {
        eprintln!("skipped: rsyslog with omelasticsearch (rsyslog-elasticsearch) is not installed");
        return;
    }
    let running = start(ElasticSettings::default());
    let path = |name: &str| running.dir.path().join(name).display().to_string();
    let lines: String = (0..300).map(|i| format!("dòng \"{i}\"\n")).collect();
    fs::write(path("in.log"), lines).unwrap();
    let text = format!(
        "global(workDirectory=\"{dir}\")\nmodule(load=\"imfile\")\nmodule(load=\"omelasticsearch\")\n\
         template(name=\"doc\" type=\"list\" option.jsonf=\"on\") {{\n  \
         property(outname=\"@timestamp\" name=\"timereported\" dateFormat=\"rfc3339\" format=\"jsonf\")\n  \
         property(outname=\"host.name\" name=\"hostname\" format=\"jsonf\")\n  \
         property(outname=\"message\" name=\"msg\" format=\"jsonf\")\n}}\n\
         input(type=\"imfile\" file=\"{input}\" tag=\"app:\")\n\
         action(type=\"omelasticsearch\" server=\"127.0.0.1\" serverport=\"{port}\" uid=\"web\" pwd=\"secret-web\"\n  \
         template=\"doc\" searchIndex=\"logs\" searchType=\"\" bulkmode=\"on\" maxbytes=\"10k\" action.resumeRetryCount=\"-1\" action.resumeInterval=\"1\")\n",
        dir = running.dir.path().display(),
        input = path("in.log"),
        port = running.address.port(),
    );
    fs::write(path("rsyslog.conf"), text).unwrap();
    let mut rsyslog = Command::new("rsyslogd")
        .args(["-n", "-f", &path("rsyslog.conf"), "-i", &path("pid")])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    until("all lines have arrived", || running.sink.len() >= 300).await;
    rsyslog.kill().unwrap();
    rsyslog.wait().unwrap();
    let mut seen: Vec<String> = Vec::new();
    for record in running.sink.records() {
        let document: serde_json::Value = serde_json::from_str(&record).unwrap();
        seen.push(document["message"].as_str().unwrap().trim().to_owned());
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 300, "every line is there");
}

const SCRIPT: &str = r#"
import sys
from elasticsearch import Elasticsearch, helpers
url, mode = sys.argv[1], sys.argv[2]
for client in (
    Elasticsearch(url, basic_auth=("web", "secret-web"), http_compress=True),
    Elasticsearch(url, api_key=("web", "secret-web")),
    Elasticsearch(url, bearer_auth="secret-web"),
):
    assert client.ping()
    assert client.info()["tagline"] == "You Know, for Search"
client = Elasticsearch(url, basic_auth=("web", "secret-web"), http_compress=True, max_retries=0)
if mode == "busy":
    try:
        client.bulk(operations=[{"create": {"_index": "logs"}}, {"message": "x"}])
    except Exception as error:
        assert error.status_code == 429, error
        sys.exit(0)
    sys.exit("the overload was not told")
documents = ({"_op_type": "create", "_index": "logs", "_id": str(i), "message": f"dòng {i}"} for i in range(1200))
ok, errors = helpers.bulk(client, documents, chunk_size=500)
assert (ok, errors) == (1200, []), (ok, errors)
again = [{"_op_type": "create", "_index": "logs", "_id": "7", "message": "dòng 7"}, {"_index": "logs", "message": "mới"}]
ok, errors = helpers.bulk(client, again, raise_on_error=False)
assert ok == 1 and errors[0]["create"]["status"] == 409, (ok, errors)
answer = client.bulk(operations=[{"delete": {"_index": "logs", "_id": "7"}}], filter_path="errors,items.*.status")
assert answer.body == {"errors": False, "items": [{"delete": {"status": 404}}]}, answer.body
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_official_python_client_is_content() {
    let python = std::env::var("CHIENG_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let has_client = Command::new(&python).args(["-c", "import elasticsearch"]).stderr(Stdio::null()).status();
    if !has_client.is_ok_and(|status| status.success()) {
        eprintln!("skipped: {python} has no module elasticsearch (name one that has in CHIENG_TEST_PYTHON)");
        return;
    }
    let running = start(ElasticSettings::default());
    let url = format!("http://{}", running.address);
    let run = |mode: &'static str| {
        let (python, url) = (python.clone(), url.clone());
        tokio::task::spawn_blocking(move || Command::new(python).args(["-c", SCRIPT, &url, mode]).output().unwrap())
    };
    *running.sink.refuse.lock().unwrap() = Some(Refused::Pressure { retry_after_ms: 100 });
    let busy = run("busy").await.unwrap();
    assert!(busy.status.success(), "{}", String::from_utf8_lossy(&busy.stderr));
    assert_eq!(running.sink.len(), 0);
    *running.sink.refuse.lock().unwrap() = None;
    let done = run("all").await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(running.sink.len(), 1201);
    assert_eq!(running.context.metrics.of("elastic", "web").stored.load(Relaxed), 1201);
}
