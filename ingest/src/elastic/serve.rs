//! The door on addresses of its own, plain or under TLS: places for connections are bounded, and a connection on which
//! nothing comes for long is closed.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll},
    time::Duration,
};

use axum::{
    Router,
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Instant, Sleep, sleep, timeout},
};
use tokio_rustls::server::TlsStream;
use tokio_util::{either::Either, sync::CancellationToken};
use tracing::{debug, info, warn};

use super::Elastic;
use crate::{
    Error,
    connections::{Place, Places, listen},
    metrics::{Counters, one},
    tls::Certificates,
};

/// A handshake must end within this time.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection without a byte in either direction for this long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);
/// Requests still running at the end get so long.
const GRACE: Duration = Duration::from_secs(10);

/// A bound address; accepting starts with [`ElasticListener::run`].
pub struct ElasticListener {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    places: Arc<Places>,
    counters: Arc<Counters>,
    tls: Option<Arc<Certificates>>,
}

/// The peer of a connection on these addresses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub SocketAddr);

impl Elastic {
    /// Binds every address of the settings, or says all that could not be bound. Must be called inside a tokio runtime.
    pub fn bind(&self) -> Result<Vec<ElasticListener>, Vec<Error>> {
        let (mut bound, mut errors) = (Vec::new(), Vec::new());
        for address in &self.0.settings.listen {
            match self.bind_one(*address) {
                Ok(one) => bound.push(one),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(bound) } else { Err(errors) }
    }

    fn bind_one(&self, address: SocketAddr) -> Result<ElasticListener, Error> {
        let settings = &self.0.settings;
        let tls = settings.tls.as_ref().map(Certificates::load).transpose()?.map(Arc::new);
        let error = |source| Error::Bind { protocol: "tcp", address, source };
        let listener = listen(address).map_err(error)?;
        let address = listener.local_addr().map_err(error)?;
        let counters = self.0.context.metrics.of("elastic", address.to_string());
        let places = Places::new(settings.connections_max, settings.connections_per_address_max, Arc::clone(&counters));
        Ok(ElasticListener { listener, address, router: self.router(), places, counters, tls })
    }
}

impl ElasticListener {
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`; requests under way are finished.
    pub async fn run(self, stop: CancellationToken) {
        info!(kind = "elastic", address = %self.address, "listening");
        let (ready, waiting) = mpsc::channel(64);
        let door = Door { waiting, address: self.address };
        let service = self.router.clone().into_make_service_with_connect_info::<Peer>();
        let serving = axum::serve(door, service).with_graceful_shutdown(stop.clone().cancelled_owned());
        let grace = async {
            stop.cancelled().await;
            sleep(GRACE).await;
        };
        tokio::select! {
            ended = serving.into_future() => {
                if let Err(error) = ended {
                    warn!(%error, address = %self.address, "the listener ended");
                }
            }
            () = grace => {}
            () = self.accept(ready, &stop) => {}
        }
    }

    /// Accepts, and hands on the connections that are ready for a request. Never ends by itself.
    async fn accept(&self, ready: mpsc::Sender<(Stream, SocketAddr)>, stop: &CancellationToken) {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return std::future::pending().await,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, mostly: the pause lets others close.
                    one(&self.counters.errors);
                    warn!(%error, address = %self.address, "failed to accept a connection");
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Some(place) = self.places.take(peer.ip().to_canonical()) else { continue };
            let (ready, tls, counters) = (ready.clone(), self.tls.clone(), Arc::clone(&self.counters));
            tokio::spawn(async move {
                let io = match tls {
                    None => Either::Left(stream),
                    Some(tls) => match timeout(HANDSHAKE_TIMEOUT, tls.acceptor().accept(stream)).await {
                        Ok(Ok(stream)) => Either::Right(Box::new(stream)),
                        Ok(Err(error)) => {
                            one(&counters.handshakes_failed);
                            return debug!(%peer, %error, "connection closed: the TLS handshake failed");
                        }
                        Err(_) => {
                            one(&counters.timeouts);
                            return debug!(%peer, "connection closed: the TLS handshake did not end");
                        }
                    },
                };
                let _ = ready.send((Stream { io, idle: Box::pin(sleep(IDLE_TIMEOUT)), counters, _place: place }, peer)).await;
            });
        }
    }
}

/// Gives out the connections that are ready.
struct Door {
    waiting: mpsc::Receiver<(Stream, SocketAddr)>,
    address: SocketAddr,
}

impl Listener for Door {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        match self.waiting.recv().await {
            Some(ready) => ready,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// A connection that holds its place and ends when nothing comes.
struct Stream {
    io: Either<TcpStream, Box<TlsStream<TcpStream>>>,
    idle: Pin<Box<Sleep>>,
    counters: Arc<Counters>,
    _place: Place,
}

impl Stream {
    fn moved(&mut self) {
        self.idle.as_mut().reset(Instant::now() + IDLE_TIMEOUT);
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Task<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(context, buffer);
        if read.is_ready() {
            self.moved();
        } else if self.idle.as_mut().poll(context).is_ready() {
            one(&self.counters.timeouts);
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        if written.is_ready() {
            self.moved();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
#[path = "clients_tests.rs"]
mod tests;
