//! Syslog under TLS with certificates made here: honest senders, wrong ones, and the real rsyslog where it is installed.

use std::{
    fs,
    process::{Command, Stdio},
    sync::atomic::Ordering::Relaxed,
};

use tokio::{io::AsyncReadExt as _, task::JoinHandle};
use tokio_rustls::{TlsConnector, client};

use super::*;
use crate::{
    settings::SourceSettings,
    testing::{MemorySink, context, until},
    tls::tests::Authority,
    units::Span,
};

struct Running {
    address: SocketAddr,
    sink: Arc<MemorySink>,
    counters: Arc<Counters>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Listens with the certificate `server` of an authority.
fn start(authority: &Authority, with_clients: bool, sources: &[SourceSettings]) -> Running {
    authority.issue("server", "siem", &["localhost"]);
    let (context, sink) = context(sources);
    let files = authority.files("server", with_clients);
    let certificates = Certificates::checked_every(&files, Duration::ZERO).unwrap();
    let tls = Tls { certificates, handshake_timeout: Duration::from_millis(500) };
    let any = "127.0.0.1:0".parse().unwrap();
    let listener = SyslogTcp::bind_as("syslog_tls", any, &SyslogSettings::default(), context.clone(), Some(tls)).unwrap();
    let (address, stop) = (listener.local_addr(), CancellationToken::new());
    let counters = context.metrics.of("syslog_tls", address.to_string());
    let task = tokio::spawn(listener.run(stop.clone()));
    Running { address, sink, counters, stop, task }
}

impl Running {
    async fn connect(&self, config: rustls::ClientConfig) -> io::Result<client::TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await
    }

    /// Sends bytes and closes as TLS wants it; waits until the connection is gone.
    async fn send(&self, config: rustls::ClientConfig, pieces: &[&[u8]]) {
        let mut stream = self.connect(config).await.unwrap();
        for piece in pieces {
            stream.write_all(piece).await.unwrap();
            stream.flush().await.unwrap();
        }
        stream.shutdown().await.unwrap();
        let _ = stream.read(&mut [0; 16]).await;
        until("the connection is closed", || self.counters.connections_open.load(Relaxed) == 0).await;
    }
}

#[tokio::test]
async fn both_framings_come_through_split_at_any_byte() {
    let authority = Authority::new();
    let running = start(&authority, false, &[]);
    let (counted, lines) = (b"9 <13>a\nb c8 <13>d\xc3\xa9f".as_slice(), b"<13>a\n<13>b\r\n<13>c".as_slice());
    let mut wanted = 0;
    for (bytes, records) in [(counted, 2), (lines, 3)] {
        for at in 0..bytes.len() {
            running.send(authority.client(None), &[&bytes[..at], &bytes[at..]]).await;
            wanted += records;
            assert_eq!(running.sink.len(), wanted, "split at {at}");
        }
    }
    let records = running.sink.records();
    assert_eq!(records[..2], ["<13>a\nb c", "<13>déf"]);
    assert_eq!(records[records.len() - 3..], ["<13>a", "<13>b", "<13>c"]);
    assert_eq!(running.counters.stored.load(Relaxed), wanted as u64);
    running.stop.cancel();
    running.task.await.unwrap();
}

#[tokio::test]
async fn a_flood_larger_than_every_buffer_arrives_whole() {
    let authority = Authority::new();
    let running = start(&authority, false, &[]);
    let line = format!("<13>{}\n", "x".repeat(995));
    running.send(authority.client(None), &[line.repeat(3_000).as_bytes()]).await;
    assert_eq!(running.sink.len(), 3_000);
    assert!(running.sink.records().iter().all(|record| record.len() == 999));
}

#[tokio::test]
async fn a_certificate_is_demanded_and_names_the_source() {
    let authority = Authority::new();
    let stranger = Authority::new();
    for (authority, name, cn) in
        [(&authority, "web", "web01.tinh.gov.vn"), (&authority, "fw", "Tường lửa"), (&stranger, "web", "web01.tinh.gov.vn")]
    {
        authority.issue(name, cn, if name == "fw" { &[] } else { &["web01.tinh.gov.vn"] });
    }
    let named = |name: &str, from: &str| SourceSettings { from_certificate: vec![from.into()], ..SourceSettings::named(name) };
    let by_address = SourceSettings { from: vec!["127.0.0.0/8".parse().unwrap()], ..SourceSettings::named("local") };
    let sources = [named("web", "WEB01.tinh.gov.vn"), named("fw", "tường lửa"), by_address];
    let running = start(&authority, true, &sources);
    running.send(authority.client(Some("web")), &[b"<13>web\n"]).await;
    running.send(authority.client(Some("fw")), &[b"<13>fw\n"]).await;
    authority.issue("other", "other", &["other.tinh.gov.vn"]);
    running.send(authority.client(Some("other")), &[b"<13>other\n"]).await;
    let of: Vec<String> = running.sink.batches.lock().unwrap().iter().map(|batch| batch.source.clone()).collect();
    assert_eq!(of, ["web", "fw", "local"], "who no source names is known by address");
    // In TLS 1.3 a client learns of the refusal when it reads.
    for config in [authority.client(None), mixed(authority.client(None), &stranger)] {
        if let Ok(mut stream) = running.connect(config).await {
            let _ = stream.write_all(b"<13>intruder\n").await;
            let _ = stream.read(&mut [0; 16]).await;
        }
    }
    until("both are refused", || running.counters.handshakes_failed.load(Relaxed) == 2).await;
    assert_eq!(running.sink.len(), 3, "nothing of a refused sender is stored");
}

/// A client that trusts the server, with a certificate that somebody else signed.
fn mixed(mut trusting: rustls::ClientConfig, stranger: &Authority) -> rustls::ClientConfig {
    trusting.client_auth_cert_resolver = stranger.client(Some("web")).client_auth_cert_resolver;
    trusting
}

#[tokio::test]
async fn who_speaks_no_tls_or_nothing_is_cut() {
    let authority = Authority::new();
    let running = start(&authority, false, &[]);
    let mut plain = TcpStream::connect(running.address).await.unwrap();
    plain.write_all(b"<13>Nov 23 08:00:01 web01 app: no TLS\n").await.unwrap();
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    let mut rest = Vec::new();
    let _ = plain.read_to_end(&mut rest).await;
    let _ = silent.read_to_end(&mut rest).await;
    until("one failed", || running.counters.handshakes_failed.load(Relaxed) == 1).await;
    until("one was too slow", || running.counters.timeouts.load(Relaxed) == 1).await;
    until("both are gone", || running.counters.connections_open.load(Relaxed) == 0).await;
    assert_eq!(running.sink.len(), 0);
}

#[tokio::test]
async fn changed_certificates_are_taken_without_a_restart() {
    let authority = Authority::new();
    let running = start(&authority, false, &[]);
    let shown = |stream: &client::TlsStream<TcpStream>| stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    let first = shown(&running.connect(authority.client(None)).await.unwrap());
    assert_eq!(shown(&running.connect(authority.client(None)).await.unwrap()), first);
    authority.issue("server", "siem", &["localhost"]);
    let second = shown(&running.connect(authority.client(None)).await.unwrap());
    assert_ne!(second, first);
    // A broken pair changes nothing, and the repaired one is taken.
    fs::write(authority.path("server.key"), "no key").unwrap();
    assert_eq!(shown(&running.connect(authority.client(None)).await.unwrap()), second);
    authority.issue("server", "siem", &["localhost"]);
    let third = shown(&running.connect(authority.client(None)).await.unwrap());
    assert!(third != first && third != second);
}

#[tokio::test]
async fn a_listener_is_bound_by_its_settings() {
    let authority = Authority::new();
    authority.issue("server", "siem", &["localhost"]);
    let files = authority.files("server", true);
    let (context, _) = context(&[]);
    let tls = SyslogTls {
        listen: "127.0.0.1:0".parse().unwrap(),
        certificate: files.certificate,
        key: files.key,
        client_ca: files.client_ca,
        handshake_timeout: Span::secs(10),
    };
    let mut settings = crate::Settings::default();
    settings.syslog.tls = vec![tls.clone(), SyslogTls { key: authority.path("none.key"), ..tls }];
    let errors = crate::Listeners::bind(&settings, &context).err().unwrap();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].to_string().contains("none.key"));
    settings.syslog.tls.pop();
    let listeners = crate::Listeners::bind(&settings, &context).unwrap();
    assert_eq!(listeners.addresses()[0].kind, "syslog_tls");
}

#[tokio::test(flavor = "multi_thread")]
async fn rsyslog_sends_under_mutual_tls() {
    let module = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map(|machine| format!("/usr/lib/{machine}/rsyslog/lmnsd_gtls.so"));
    if !module.iter().any(|path| fs::exists(path).unwrap_or(false)) {
        eprintln!("skipped: rsyslog with its module for TLS (rsyslog-gnutls) is not installed");
        return;
    }
    let authority = Authority::new();
    authority.issue("web", "web01", &["web01.tinh.gov.vn"]);
    let named = SourceSettings { from_certificate: vec!["web01.tinh.gov.vn".into()], ..SourceSettings::named("web") };
    let running = start(&authority, true, &[named]);
    let path = |name: &str| authority.path(name).display().to_string();
    let lines: String = (0..500).map(|i| format!("dòng {i}\n")).collect();
    fs::write(authority.path("in.log"), lines).unwrap();
    let text = format!(
        "global(workDirectory=\"{dir}\" defaultNetstreamDriver=\"gtls\" defaultNetstreamDriverCAFile=\"{ca}\"\n  \
         defaultNetstreamDriverCertFile=\"{cert}\" defaultNetstreamDriverKeyFile=\"{key}\")\n\
         module(load=\"imfile\")\ninput(type=\"imfile\" file=\"{input}\" tag=\"app:\")\n\
         action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{port}\" protocol=\"tcp\" streamDriver=\"gtls\" streamDriverMode=\"1\"\n  \
         streamDriverAuthMode=\"x509/name\" streamDriverPermittedPeers=\"localhost\" tcp_framing=\"octet-counted\"\n  \
         template=\"RSYSLOG_SyslogProtocol23Format\")\n",
        dir = authority.dir.path().display(),
        ca = path("ca.pem"),
        cert = path("web.pem"),
        key = path("web.key"),
        input = path("in.log"),
        port = running.address.port(),
    );
    fs::write(authority.path("rsyslog.conf"), text).unwrap();
    let mut rsyslog = Command::new("rsyslogd")
        .args(["-n", "-f", &path("rsyslog.conf"), "-i", &path("pid")])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    until("all lines have arrived", || running.sink.len() >= 500).await;
    rsyslog.kill().unwrap();
    rsyslog.wait().unwrap();
    let records = running.sink.records();
    assert!(records[0].starts_with("<1") && records[499].ends_with("dòng 499"), "{:?}", records[499]);
    assert_eq!(running.sink.batches.lock().unwrap()[0].source, "web");
}
