//! All listeners and tailed files of the settings, bound together and stopped together.

use std::net::SocketAddr;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{Context, Error, Settings, netflow_udp::NetflowUdp, syslog_tcp::SyslogTcp, syslog_udp::SyslogUdp, tail::Tail};

/// A listening address, as it was bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listening {
    pub kind: &'static str,
    pub address: SocketAddr,
}

enum Bound {
    Udp(SyslogUdp),
    Tcp(SyslogTcp),
    Tls(SyslogTcp),
    Netflow(NetflowUdp),
}

/// Bound, not yet reading.
pub struct Listeners {
    bound: Vec<Bound>,
    tail: Tail,
}

impl Listeners {
    /// Binds every address, or says all that could not be bound. Must be called inside a tokio runtime.
    pub fn bind(settings: &Settings, context: &Context) -> Result<Self, Vec<Error>> {
        let (mut bound, mut errors) = (Vec::new(), Vec::new());
        let mut keep = |result: Result<Bound, Error>| match result {
            Ok(one) => bound.push(one),
            Err(error) => errors.push(error),
        };
        for address in &settings.syslog.udp {
            keep(SyslogUdp::bind(*address, &settings.syslog, context.clone()).map(Bound::Udp));
        }
        for address in &settings.syslog.tcp {
            keep(SyslogTcp::bind(*address, &settings.syslog, context.clone()).map(Bound::Tcp));
        }
        for tls in &settings.syslog.tls {
            keep(SyslogTcp::bind_tls(tls, &settings.syslog, context.clone()).map(Bound::Tls));
        }
        for address in &settings.netflow.udp {
            keep(NetflowUdp::bind(*address, &settings.netflow, context.clone()).map(Bound::Netflow));
        }
        let tail = Tail::new(context.clone(), &settings.files);
        if errors.is_empty() { Ok(Self { bound, tail }) } else { Err(errors) }
    }

    /// Where things listen, with the ports the kernel chose for port 0.
    pub fn addresses(&self) -> Vec<Listening> {
        let listening = |one: &Bound| match one {
            Bound::Udp(udp) => Listening { kind: "syslog_udp", address: udp.local_addr() },
            Bound::Tcp(tcp) => Listening { kind: "syslog_tcp", address: tcp.local_addr() },
            Bound::Tls(tls) => Listening { kind: "syslog_tls", address: tls.local_addr() },
            Bound::Netflow(netflow) => Listening { kind: "netflow_udp", address: netflow.local_addr() },
        };
        self.bound.iter().map(listening).collect()
    }

    /// Reads until `stop`; ends once everything taken was handed to the sink and answered.
    pub async fn run(self, stop: CancellationToken) {
        for Listening { kind, address } in self.addresses() {
            info!(kind, %address, "listening");
        }
        let mut tasks = JoinSet::new();
        tasks.spawn(self.tail.run(stop.clone()));
        for one in self.bound {
            match one {
                Bound::Udp(udp) => tasks.spawn(udp.run(stop.clone())),
                Bound::Tcp(tcp) | Bound::Tls(tcp) => tasks.spawn(tcp.run(stop.clone())),
                Bound::Netflow(netflow) => tasks.spawn(netflow.run(stop.clone())),
            };
        }
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                warn!(%error, "a listener has ended by panic");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::testing::{context, until};

    #[tokio::test(flavor = "multi_thread")]
    async fn everything_listens_and_stops() {
        let mut settings = Settings::default();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        (settings.syslog.udp, settings.syslog.tcp, settings.netflow.udp) = (vec![any], vec![any], vec![any]);
        let (context, sink) = context(&[]);
        let listeners = Listeners::bind(&settings, &context).unwrap();
        let addresses = listeners.addresses();
        let stop = CancellationToken::new();
        let running = tokio::spawn(listeners.run(stop.clone()));
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.send_to(b"<13>udp", addresses[0].address).unwrap();
        udp.send_to(b"\0\x05", addresses[2].address).unwrap();
        let mut tcp = tokio::net::TcpStream::connect(addresses[1].address).await.unwrap();
        tcp.write_all(b"<13>tcp\n").await.unwrap();
        until("all three have arrived", || sink.len() == 3).await;
        stop.cancel();
        running.await.unwrap();
    }

    #[tokio::test]
    async fn all_taken_ports_are_named_at_once() {
        let taken = (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let mut settings = Settings::default();
        settings.syslog.tcp = vec![taken.0.local_addr().unwrap()];
        settings.syslog.udp = vec![taken.1.local_addr().unwrap()];
        let errors = Listeners::bind(&settings, &context(&[]).0).err().unwrap();
        assert_eq!(errors.len(), 2);
        assert!(errors.iter().all(|e| e.hint().unwrap().contains("another process")));
    }
}
