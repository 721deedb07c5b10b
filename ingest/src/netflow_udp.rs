//! NetFlow over UDP: datagrams are handed on whole, as records of the source `netflow`; what is in them is a parser's
//! business. Reading, batching and counting are those of [`crate::udp`].

use std::net::SocketAddr;

use tokio_util::sync::CancellationToken;

use crate::{
    Context, Error,
    settings::NetflowSettings,
    udp::{Kind, Options, UdpListener},
};

/// A bound address; reading starts with [`NetflowUdp::run`].
pub struct NetflowUdp(UdpListener);

impl NetflowUdp {
    pub fn bind(address: SocketAddr, settings: &NetflowSettings, context: Context) -> Result<Self, Error> {
        let options = Options {
            kind: Kind::Netflow,
            address,
            sockets: settings.udp_sockets,
            receive_buffer: settings.receive_buffer.len(),
            // Exporters keep to the path's MTU; the protocol's own limit is that of UDP.
            message_max: 1 << 16,
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
    use std::net::UdpSocket;

    use super::*;
    use crate::{settings::SourceSettings, testing::context};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_datagram_is_kept_byte_for_byte() {
        // A syslog source of the same address does not take the flows over.
        let local = SourceSettings { from: vec!["127.0.0.1".parse().unwrap()], ..SourceSettings::named("router") };
        let (context, sink) = context(&[local]);
        let listener = NetflowUdp::bind("127.0.0.1:0".parse().unwrap(), &NetflowSettings::default(), context).unwrap();
        let datagram = b"\x00\x05\x00\x01\x00\x00\n\x00\n";
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(datagram, listener.local_addr()).unwrap();
        let stop = CancellationToken::new();
        stop.cancel();
        listener.run(stop).await;
        let batches = sink.batches.lock().unwrap();
        assert_eq!(batches.len(), 1);
        assert_eq!(batches[0].source, "netflow");
        assert_eq!(batches[0].data, datagram);
    }
}
