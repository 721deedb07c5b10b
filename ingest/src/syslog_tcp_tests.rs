//! Real connections on loopback, honest and hostile.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use event::seam::Refused;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

use super::*;
use crate::{
    testing::{MemorySink, context, until},
    units::{Bytes, Span},
};

struct Running {
    address: SocketAddr,
    sink: Arc<MemorySink>,
    counters: Arc<Counters>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

fn start(settings: SyslogSettings) -> Running {
    let (context, sink) = context(&[]);
    let listener = SyslogTcp::bind("127.0.0.1:0".parse().unwrap(), &settings, context.clone()).unwrap();
    let (address, stop) = (listener.local_addr(), CancellationToken::new());
    let counters = context.metrics.of("syslog_tcp", address.to_string());
    let task = tokio::spawn(listener.run(stop.clone()));
    Running { address, sink, counters, stop, task }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes, closes, and waits until the connection is gone.
    async fn send(&self, bytes: &[u8]) {
        let before = self.counters.connections_total.load(Relaxed);
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        drop(stream);
        until("the connection was accepted", || self.counters.connections_total.load(Relaxed) > before).await;
        self.all_closed().await;
    }

    async fn all_closed(&self) {
        until("all connections are closed", || {
            self.counters.connections_total.load(Relaxed) > 0 && self.counters.connections_open.load(Relaxed) == 0
        })
        .await;
    }
}

/// Reads until the other side closes; a reset counts as closing.
async fn closed(stream: &mut TcpStream) {
    let mut buffer = [0; 64];
    let end = tokio::time::timeout(Duration::from_secs(10), async {
        while !matches!(stream.read(&mut buffer).await, Ok(0) | Err(_)) {}
    });
    end.await.expect("the connection is closed in time");
}

#[tokio::test]
async fn framing_is_found_per_connection() {
    let running = start(SyslogSettings::default());
    running.send(b"<13>a\n<13>b\r\n<13>c").await;
    running.send(b"6 <13>d\n5 <13>e").await;
    running.send(b"<13>f\0<13>g\nh\0").await;
    assert_eq!(running.sink.records(), ["<13>a", "<13>b", "<13>c", "<13>d", "<13>e", "<13>f", "<13>g\nh"]);
    assert_eq!(running.counters.stored.load(Relaxed), 7);
}

#[tokio::test]
async fn a_record_is_handed_on_while_the_connection_stays_open() {
    let running = start(SyslogSettings::default());
    let mut stream = running.connect().await;
    stream.write_all(b"<13>now\n<13>not ye").await.unwrap();
    until("the first record is stored", || running.sink.len() == 1).await;
    stream.write_all(b"t\n").await.unwrap();
    until("the second record is stored", || running.sink.len() == 2).await;
    assert_eq!(running.sink.records(), ["<13>now", "<13>not yet"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_sink_holds_the_sender_back_and_loses_nothing() {
    let running = start(SyslogSettings::default());
    running.sink.stalled.store(true, Relaxed);
    let (line, total) = (format!("<13>{}\n", "x".repeat(995)), 40_000u64);
    let mut stream = running.connect().await;
    let writer = tokio::spawn(async move {
        for _ in 0..total {
            stream.write_all(line.as_bytes()).await.unwrap();
        }
    });
    until("the connection waits for receipts", || running.sink.asked.load(Relaxed) == IN_FLIGHT as u64).await;
    // 40 MB do not fit into what may be underway: eight batches, one being built, and the kernel's buffers.
    let held = running.counters.received_bytes.load(Relaxed);
    assert!(held <= (IN_FLIGHT as u64 + 2) * 2 * READ_BYTES as u64, "{held} bytes were read ahead");
    assert!(!writer.is_finished());
    *running.sink.refuse.lock().unwrap() = Some(Refused::Pressure { retry_after_ms: 5 });
    running.sink.stalled.store(false, Relaxed);
    until("refused batches are offered again", || running.counters.pressure.load(Relaxed) > 20).await;
    *running.sink.refuse.lock().unwrap() = None;
    writer.await.unwrap();
    running.all_closed().await;
    assert_eq!(running.sink.len() as u64, total);
}

#[tokio::test]
async fn stopping_hands_on_what_was_framed() {
    let running = start(SyslogSettings::default());
    let mut stream = running.connect().await;
    stream.write_all(b"<13>whole\n<13>begun").await.unwrap();
    until("the bytes were read", || running.counters.received.load(Relaxed) == 1).await;
    running.stop.cancel();
    running.task.await.unwrap();
    assert_eq!(running.sink.records(), ["<13>whole", "<13>begun"]);
    closed(&mut stream).await;
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn hostile_oversized() {
    let running = start(SyslogSettings { message_max: Bytes(100), ..Default::default() });
    running.send(format!("<13>{}\n<13>next\n", "x".repeat(5_000)).as_bytes()).await;
    assert_eq!(running.sink.records(), [format!("<13>{}", "x".repeat(96)), "<13>next".into()]);
    assert_eq!(running.counters.cut.load(Relaxed), 1);
    assert_eq!(running.counters.cut_bytes.load(Relaxed), 4_904);
}

#[tokio::test]
async fn hostile_never_ending() {
    let running = start(SyslogSettings { message_max: Bytes(100), ..Default::default() });
    let mut stream = running.connect().await;
    let piece = vec![b'x'; 1 << 16];
    let mut sent = 0usize;
    while stream.write_all(&piece).await.is_ok() {
        sent += piece.len();
        assert!(sent < 256 << 20, "the connection is never cut");
    }
    running.all_closed().await;
    assert_eq!(running.sink.records(), ["x".repeat(100)]);
}

#[tokio::test]
async fn hostile_slow() {
    let running = start(SyslogSettings { slow_timeout: Span::millis(100), ..Default::default() });
    let (mut read, mut write) = running.connect().await.into_split();
    let drip = tokio::spawn(async move {
        while write.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut buffer = [0; 16];
    let end = tokio::time::timeout(Duration::from_secs(10), read.read(&mut buffer)).await;
    assert!(matches!(end, Ok(Ok(0) | Err(_))), "a message that never gets on is cut");
    running.all_closed().await;
    drip.await.unwrap();
    assert_eq!(running.counters.timeouts.load(Relaxed), 1);
    assert_eq!(running.sink.len(), 1, "what came is kept");
}

#[tokio::test]
async fn hostile_idle() {
    let running = start(SyslogSettings { idle_timeout: Span::millis(50), ..Default::default() });
    closed(&mut running.connect().await).await;
    running.all_closed().await;
    assert_eq!(running.counters.timeouts.load(Relaxed), 1);
    assert_eq!(running.sink.len(), 0);
}

#[tokio::test]
async fn hostile_lying_octet_counts() {
    let running = start(SyslogSettings { message_max: Bytes(100), ..Default::default() });
    running.send(b"5 <13>a and more\n5 <13>b").await;
    assert_eq!(running.sink.records(), ["<13>a", " and more", "<13>b"]);
    assert_eq!(running.counters.framing_errors.load(Relaxed), 1);
    running.send(b"99999999 <13>promised").await;
    assert_eq!(running.sink.records().last().unwrap(), "<13>promised");
    assert_eq!(running.counters.framing_errors.load(Relaxed), 2);
}

#[tokio::test]
async fn hostile_too_many_connections() {
    let settings = SyslogSettings { connections_max: 50, connections_per_address_max: 20, ..Default::default() };
    let running = start(settings);
    let mut kept = Vec::new();
    for _ in 0..20 {
        kept.push(running.connect().await);
    }
    until("twenty are open", || running.counters.connections_open.load(Relaxed) == 20).await;
    for _ in 0..30 {
        closed(&mut running.connect().await).await;
    }
    assert_eq!(running.counters.connections_refused.load(Relaxed), 30);
    // One leaves, one may come.
    kept.pop();
    until("one has left", || running.counters.connections_open.load(Relaxed) == 19).await;
    let mut stream = running.connect().await;
    stream.write_all(b"<13>welcome\n").await.unwrap();
    until("the newcomer is heard", || running.sink.len() == 1).await;
}

#[tokio::test]
async fn hostile_too_many_connections_in_all() {
    let running = start(SyslogSettings { connections_max: 5, ..Default::default() });
    let mut kept = Vec::new();
    for _ in 0..5 {
        kept.push(running.connect().await);
    }
    until("five are open", || running.counters.connections_open.load(Relaxed) == 5).await;
    closed(&mut running.connect().await).await;
    assert_eq!(running.counters.connections_refused.load(Relaxed), 1);
}
