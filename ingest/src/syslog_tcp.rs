//! Syslog over TCP, plain or under TLS (RFC 5425): one task a connection, framing found per connection
//! ([`crate::framing`]).
//!
//! While the sink is slow a connection is not read, so TCP itself holds the sender back: nothing is lost here. A task keeps
//! at most [`IN_FLIGHT`] batches waiting for their receipt. Hostile senders meet caps: connections in all and per address,
//! a message that never ends, a message that never gets on, a connection that says nothing, a handshake that does not end.
//!
//! A sender with a verified certificate is who the certificate says, where a source names it; else its address decides.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use event::RawBatch;
use futures::{StreamExt, stream::FuturesUnordered};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::server::TlsStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use crate::{
    Context, Error,
    connections::{Place, Places, listen},
    framing::{Frame, Framer},
    metrics::{Counters, add, one},
    settings::{SyslogSettings, SyslogTls},
    submit::{BATCH_BYTES, BATCH_DELAY, submit_patiently},
    tls::{Certificates, Identity},
};

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;
/// Batches of one connection that wait for their receipt.
const IN_FLIGHT: usize = 8;
/// After this long without a byte the kernel asks whether the sender still lives.
const KEEPALIVE: Duration = Duration::from_secs(120);

/// A closing connection may take so long to say so.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A bound address; accepting starts with [`SyslogTcp::run`].
pub struct SyslogTcp {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    settings: SyslogSettings,
    context: Context,
    counters: Arc<Counters>,
    places: Arc<Places>,
    tls: Option<Tls>,
    /// Read buffers, shared: an idle connection holds none.
    buffers: Mutex<Vec<Box<[u8]>>>,
}

struct Tls {
    certificates: Certificates,
    handshake_timeout: Duration,
}

impl SyslogTcp {
    /// Must be called inside a tokio runtime.
    pub fn bind(address: SocketAddr, settings: &SyslogSettings, context: Context) -> Result<Self, Error> {
        Self::bind_as("syslog_tcp", address, settings, context, None)
    }

    /// Binds an address whose connections begin with a TLS handshake.
    pub fn bind_tls(tls: &SyslogTls, settings: &SyslogSettings, context: Context) -> Result<Self, Error> {
        let certificates = Certificates::load(&tls.files())?;
        let handshake_timeout = tls.handshake_timeout.0;
        Self::bind_as("syslog_tls", tls.listen, settings, context, Some(Tls { certificates, handshake_timeout }))
    }

    fn bind_as(
        kind: &'static str,
        address: SocketAddr,
        settings: &SyslogSettings,
        context: Context,
        tls: Option<Tls>,
    ) -> Result<Self, Error> {
        let error = |source| Error::Bind { protocol: "tcp", address, source };
        let listener = listen(address).map_err(error)?;
        let address = listener.local_addr().map_err(error)?;
        let counters = context.metrics.of(kind, address.to_string());
        let places = Places::new(settings.connections_max, settings.connections_per_address_max, Arc::clone(&counters));
        let shared = Shared { settings: settings.clone(), context, counters, places, tls, buffers: Mutex::default() };
        Ok(Self { listener, address, shared: Arc::new(shared) })
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until `stop`; ends once every connection has handed on what it had framed.
    pub async fn run(self, stop: CancellationToken) {
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let Some(place) = self.shared.places.take(peer.ip().to_canonical()) else { continue };
                    connections.spawn(serve(Arc::clone(&self.shared), place, stream, stop.clone()));
                }
                Err(error) => {
                    // Out of file descriptors, mostly: the pause lets others close.
                    one(&self.shared.counters.errors);
                    warn!(%error, address = %self.address, "failed to accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(self.listener);
        connections.close();
        connections.wait().await;
    }
}

/// One connection from its first byte to its last.
async fn serve(shared: Arc<Shared>, place: Place, stream: TcpStream, stop: CancellationToken) {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    if let Err(error) = SockRef::from(&stream).set_tcp_keepalive(&keepalive) {
        debug!(%error, "failed to set keepalive");
    }
    let Some(tls) = &shared.tls else {
        return Connection::new(&shared, place, None, stop).run(stream).await;
    };
    let accepted = tokio::select! {
        () = stop.cancelled() => return,
        accepted = timeout(tls.handshake_timeout, tls.certificates.acceptor().accept(stream)) => accepted,
    };
    match accepted {
        Ok(Ok(stream)) => {
            let identity = Identity::of(stream.get_ref().1);
            Connection::new(&shared, place, identity, stop).run(stream).await;
        }
        Ok(Err(error)) => {
            one(&shared.counters.handshakes_failed);
            debug!(peer = %place.peer, %error, "connection closed: the TLS handshake failed");
        }
        Err(_) => {
            one(&shared.counters.timeouts);
            debug!(peer = %place.peer, "connection closed: the TLS handshake did not end");
        }
    }
}

/// Where the bytes of a connection come from.
trait Incoming {
    /// Waits for bytes and hands them to `take`; 0 at the end. May be dropped while it waits without losing any.
    fn next(&mut self, shared: &Shared, take: impl FnMut(&[u8]) + Send) -> impl Future<Output = io::Result<usize>> + Send;

    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

impl Incoming for TcpStream {
    async fn next(&mut self, shared: &Shared, mut take: impl FnMut(&[u8]) + Send) -> io::Result<usize> {
        loop {
            // No buffer is held while waiting.
            self.readable().await?;
            let mut buffer = shared.buffer();
            let read = self.try_read(&mut buffer);
            if let Ok(bytes) = read {
                take(&buffer[..bytes]);
            }
            shared.give_back(buffer);
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }

    async fn close(&mut self) {}
}

impl Incoming for TlsStream<TcpStream> {
    async fn next(&mut self, _: &Shared, mut take: impl FnMut(&[u8]) + Send) -> io::Result<usize> {
        let bytes = match self.fill_buf().await {
            // Many senders just close; with octet counting or line ends a cut message shows all the same.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
            filled => filled?,
        };
        take(bytes);
        let length = bytes.len();
        self.consume(length);
        Ok(length)
    }

    async fn close(&mut self) {
        let _ = timeout(CLOSE_TIMEOUT, self.shutdown()).await;
    }
}

struct Connection {
    shared: Arc<Shared>,
    place: Place,
    identity: Option<Identity>,
    stop: CancellationToken,
    framer: Framer,
    batch: RawBatch,
    /// When the batch got its first record.
    batch_begun: Option<Instant>,
    /// When the unfinished message began.
    message_begun: Option<Instant>,
    last_byte: Instant,
}

/// What a connection waits for next, and what came.
enum Step {
    Read { bytes: usize, records: usize },
    End,
    BatchDue,
    Slow,
    Idle,
    Stop,
}

impl Connection {
    fn new(shared: &Arc<Shared>, place: Place, identity: Option<Identity>, stop: CancellationToken) -> Self {
        let framer = Framer::detect(shared.settings.message_max.len());
        Self {
            shared: Arc::clone(shared),
            place,
            identity,
            stop,
            framer,
            batch: RawBatch::default(),
            batch_begun: None,
            message_begun: None,
            last_byte: Instant::now(),
        }
    }

    async fn run(mut self, mut stream: impl Incoming) {
        let shared = Arc::clone(&self.shared);
        let mut receipts = FuturesUnordered::new();
        loop {
            let step = tokio::select! {
                biased;
                Some(stored) = receipts.next(), if !receipts.is_empty() => {
                    // Refused for good: only a closing sink does that, so there is nobody left to read for.
                    if stored { continue } else { break }
                }
                step = self.step(&mut stream), if receipts.len() < IN_FLIGHT => step,
            };
            let goes_on = self.take(step);
            if self.batch.data.len() >= BATCH_BYTES || self.batch_is_due() || !goes_on {
                let batch = self.take_batch();
                if !batch.is_empty() {
                    let stop = self.stop.clone();
                    let shared = Arc::clone(&shared);
                    receipts.push(
                        async move { submit_patiently(&shared.context.sink, batch, &shared.counters, &stop).await.is_ok() },
                    );
                }
            }
            if !goes_on {
                break;
            }
        }
        while receipts.next().await.is_some() {}
        stream.close().await;
    }

    /// Waits for bytes, or for the first of the clocks to run out.
    async fn step(&mut self, stream: &mut impl Incoming) -> Step {
        let shared = Arc::clone(&self.shared);
        let settings = &shared.settings;
        let idle = self.last_byte + settings.idle_timeout.0;
        let slow = self.message_begun.map(|at| at + settings.slow_timeout.0);
        let batch = self.batch_begun.map(|at| at + BATCH_DELAY);
        let before = self.batch.len();
        let (framer, into) = (&mut self.framer, &mut self.batch);
        let readable = async {
            match stream.next(&shared, |bytes| feed(framer, bytes, into, &shared.counters)).await {
                Ok(0) => Step::End,
                Ok(bytes) => Step::Read { bytes, records: into.len() - before },
                Err(_) => {
                    one(&shared.counters.errors);
                    Step::End
                }
            }
        };
        tokio::select! {
            // Bytes that are there come before the clocks: a connection that was held back has not been slow.
            biased;
            () = self.stop.cancelled() => Step::Stop,
            step = readable => step,
            () = sleep_until_some(slow) => Step::Slow,
            () = sleep_until_some(batch) => Step::BatchDue,
            () = sleep_until(idle) => Step::Idle,
        }
    }

    /// Books what a step brought; false when the connection is over.
    fn take(&mut self, step: Step) -> bool {
        let now = Instant::now();
        let counters = Arc::clone(&self.shared.counters);
        match step {
            Step::Read { bytes, records } => {
                if bytes > 0 {
                    self.last_byte = now;
                    self.note_begin(now, records > 0);
                }
                if self.framer.is_broken() {
                    debug!(peer = %self.place.peer, "connection closed: a message that never ends");
                }
                !self.framer.is_broken()
            }
            Step::BatchDue => true,
            Step::Slow | Step::Idle => {
                one(&counters.timeouts);
                debug!(peer = %self.place.peer, "connection closed: idle or too slow");
                self.finish();
                false
            }
            Step::End | Step::Stop => {
                self.finish();
                false
            }
        }
    }

    fn note_begin(&mut self, now: Instant, has_ended_one: bool) {
        if !self.batch.ends.is_empty() && self.batch_begun.is_none() {
            self.batch_begun = Some(now);
        }
        if !self.framer.is_partial() {
            self.message_begun = None;
        } else if self.message_begun.is_none() || has_ended_one {
            self.message_begun = Some(now);
        }
    }

    fn batch_is_due(&self) -> bool {
        self.batch_begun.is_some_and(|at| at.elapsed() >= BATCH_DELAY)
    }

    fn take_batch(&mut self) -> RawBatch {
        self.batch_begun = None;
        let mut batch = std::mem::take(&mut self.batch);
        if !batch.is_empty() {
            let context = &self.shared.context;
            let sources = context.sources.load();
            let named = self.identity.as_ref().and_then(|identity| sources.of_certificate(identity));
            batch.source.clone_from(&named.unwrap_or_else(|| sources.of_sender(self.place.peer)).name);
            batch.sender = Some(self.place.peer);
            batch.received = context.clock.now();
        }
        batch
    }

    /// What was begun is kept as a last record.
    fn finish(&mut self) {
        let counters = Arc::clone(&self.shared.counters);
        let errors = self.framer.errors();
        let batch = &mut self.batch;
        self.framer.finish(|frame| push(frame, batch, &counters));
        add(&counters.framing_errors, self.framer.errors() - errors);
    }
}

fn feed(framer: &mut Framer, bytes: &[u8], batch: &mut RawBatch, counters: &Counters) {
    let errors = framer.errors();
    framer.feed(bytes, |frame| push(frame, batch, counters));
    add(&counters.framing_errors, framer.errors() - errors);
}

fn push(frame: Frame<'_>, batch: &mut RawBatch, counters: &Counters) {
    one(&counters.received);
    add(&counters.received_bytes, frame.bytes.len() as u64);
    if frame.cut > 0 {
        one(&counters.cut);
        add(&counters.cut_bytes, frame.cut);
    }
    batch.push(frame.bytes);
}

async fn sleep_until_some(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl Shared {
    fn buffer(&self) -> Box<[u8]> {
        let free = self.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| vec![0; READ_BYTES].into_boxed_slice())
    }

    fn give_back(&self, buffer: Box<[u8]>) {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        if buffers.len() < 64 {
            buffers.push(buffer);
        }
    }
}

#[cfg(test)]
#[path = "syslog_tcp_tests.rs"]
mod tests;
#[cfg(test)]
#[path = "syslog_tls_tests.rs"]
mod tls_tests;
