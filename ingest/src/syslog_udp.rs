//! Syslog over UDP (RFC 5426): one datagram is one message. See [`crate::udp`] for how it is read and what is counted.

use std::net::SocketAddr;

use tokio_util::sync::CancellationToken;

use crate::{
    Context, Error,
    settings::SyslogSettings,
    udp::{Kind, Options, UdpListener},
};

/// A bound address; reading starts with [`SyslogUdp::run`].
pub struct SyslogUdp(UdpListener);

impl SyslogUdp {
    pub fn bind(address: SocketAddr, settings: &SyslogSettings, context: Context) -> Result<Self, Error> {
        let options = Options {
            kind: Kind::Syslog,
            address,
            sockets: settings.udp_sockets,
            receive_buffer: settings.receive_buffer.len(),
            message_max: settings.message_max.len(),
        };
        UdpListener::bind(options, context).map(Self)
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.0.local_addr()
    }

    /// Reads until `stop`; ends once everything read was answered by the sink.
    pub async fn run(self, stop: CancellationToken) {
        self.0.run(stop).await;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::UdpSocket,
        sync::{Arc, atomic::Ordering::Relaxed},
    };

    use event::seam::Refused;

    use super::*;
    use crate::{
        settings::SourceSettings,
        testing::{MemorySink, context, until},
        units::Bytes,
    };

    struct Running {
        address: SocketAddr,
        sink: Arc<MemorySink>,
        context: Context,
        stop: CancellationToken,
        task: tokio::task::JoinHandle<()>,
    }

    fn start(settings: SyslogSettings, sources: &[SourceSettings]) -> Running {
        let (context, sink) = context(sources);
        let listener = SyslogUdp::bind("127.0.0.1:0".parse().unwrap(), &settings, context.clone()).unwrap();
        let (address, stop) = (listener.local_addr(), CancellationToken::new());
        let task = tokio::spawn(listener.run(stop.clone()));
        Running { address, sink, context, stop, task }
    }

    impl Running {
        async fn close(self) -> Arc<MemorySink> {
            self.stop.cancel();
            self.task.await.unwrap();
            self.sink
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn datagrams_become_records_of_their_source() {
        let local = SourceSettings { from: vec!["127.0.0.0/8".parse().unwrap()], ..SourceSettings::named("local") };
        let running = start(SyslogSettings { udp_sockets: 3, ..Default::default() }, &[local]);
        for i in 0..300 {
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            client.send_to(format!("<13>message {i}\n\0").as_bytes(), running.address).unwrap();
        }
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"\n", running.address).unwrap();
        // The stop reads what has arrived, so nothing waits here.
        let sink = running.close().await;
        let mut records = sink.records();
        records.sort_unstable();
        let mut expected: Vec<_> = (0..300).map(|i| format!("<13>message {i}")).collect();
        expected.sort_unstable();
        assert_eq!(records, expected);
        assert!(sink.batches.lock().unwrap().iter().all(|b| b.source == "local" && b.sender.is_some()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_long_datagram_is_cut_and_counted() {
        let running = start(SyslogSettings { message_max: Bytes(100), udp_sockets: 1, ..Default::default() }, &[]);
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.send_to(&[b'x'; 500], running.address).unwrap();
        let context = running.context.clone();
        let sink = running.close().await;
        assert_eq!(sink.records(), ["x".repeat(100)]);
        assert_eq!(context.metrics.snapshot()[0].1.cut.load(Relaxed), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_the_kernel_drops_enters_the_ledger() {
        let settings = SyslogSettings { udp_sockets: 1, receive_buffer: Bytes::kib(4), ..Default::default() };
        let running = start(settings, &[]);
        // The sink stands still: the channel fills, the thread stops reading, the small kernel buffer overflows.
        running.sink.stalled.store(true, Relaxed);
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut sent = 0u64;
        let counters = running.context.metrics.of("syslog_udp", running.address.to_string());
        let mut drops = 0;
        while drops == 0 {
            for _ in 0..20_000 {
                client.send_to(&[b'y'; 400], running.address).unwrap();
                sent += 1;
            }
            assert!(sent < 5_000_000);
            // A drop shows once the thread reads again.
            running.sink.stalled.store(false, Relaxed);
            until("the sink caught up", || running.sink.len() as u64 >= counters.received.load(Relaxed)).await;
            tokio::task::yield_now().await;
            drops = counters.refused(event::raw::RefusedReason::KernelDrop);
            running.sink.stalled.store(true, Relaxed);
        }
        running.sink.stalled.store(false, Relaxed);
        let sink = running.close().await;
        let dropped = sink.refused()["kernel_drop"];
        assert_eq!(sink.len() as u64 + dropped, sent, "received + dropped = sent");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_the_sink_refuses_is_booked_with_the_next_batch() {
        let running = start(SyslogSettings { udp_sockets: 1, ..Default::default() }, &[]);
        *running.sink.refuse.lock().unwrap() = Some(Refused::Pressure { retry_after_ms: 50 });
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.send_to(b"lost 1", running.address).unwrap();
        client.send_to(b"lost 2", running.address).unwrap();
        let counters = running.context.metrics.of("syslog_udp", running.address.to_string());
        until("both were given up", || counters.refused(event::raw::RefusedReason::Pressure) == 2).await;
        *running.sink.refuse.lock().unwrap() = None;
        client.send_to(b"kept", running.address).unwrap();
        until("the next one is stored", || running.sink.len() == 1).await;
        let sink = running.close().await;
        assert_eq!(sink.records(), ["kept"]);
        assert_eq!(sink.refused()["pressure"], 2);
    }

    #[tokio::test]
    async fn a_taken_address_is_one_sentence_and_a_hint() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = SyslogUdp::bind(address, &SyslogSettings::default(), context(&[]).0).err().unwrap();
        assert_eq!(error.to_string(), format!("failed to listen on udp {address}"));
        assert!(error.hint().unwrap().contains("taken by another process"));
    }
}
