//! Syslog over TCP: one task a connection, framing found per connection ([`crate::framing`]).
//!
//! While the sink is slow a connection is not read, so TCP itself holds the sender back: nothing is lost here. A task keeps
//! at most [`IN_FLIGHT`] batches waiting for their receipt. Hostile senders meet caps: connections in all and per address,
//! a message that never ends, a message that never gets on, a connection that says nothing.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use event::RawBatch;
use futures::{StreamExt, stream::FuturesUnordered};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use crate::{
    Context, Error,
    framing::{Frame, Framer},
    metrics::{Counters, add, one},
    settings::SyslogSettings,
    submit::{BATCH_BYTES, BATCH_DELAY, submit_patiently},
};

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;
/// Batches of one connection that wait for their receipt.
const IN_FLIGHT: usize = 8;
/// After this long without a byte the kernel asks whether the sender still lives.
const KEEPALIVE: Duration = Duration::from_secs(120);

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
    /// Open connections by address.
    open: Mutex<HashMap<IpAddr, usize>>,
    /// Read buffers, shared: an idle connection holds none.
    buffers: Mutex<Vec<Box<[u8]>>>,
}

impl SyslogTcp {
    /// Must be called inside a tokio runtime.
    pub fn bind(address: SocketAddr, settings: &SyslogSettings, context: Context) -> Result<Self, Error> {
        let error = |source| Error::Bind { protocol: "tcp", address, source };
        let listener = listen(address).map_err(error)?;
        let address = listener.local_addr().map_err(error)?;
        let counters = context.metrics.of("syslog_tcp", address.to_string());
        let shared = Shared { settings: settings.clone(), context, counters, open: Mutex::default(), buffers: Mutex::default() };
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
                    let Some(guard) = Guard::open(&self.shared, peer.ip().to_canonical()) else {
                        one(&self.shared.counters.connections_refused);
                        debug!(%peer, "connection refused: too many");
                        continue;
                    };
                    let stop = stop.clone();
                    connections.spawn(async move { Connection::new(guard, stop).run(stream).await });
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

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.cloexec().nonblocking(), Some(Protocol::TCP))?;
    // A restart must not wait for old connections to time out.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    TcpListener::from_std(socket.into())
}

/// A place among the connections; given back when dropped.
struct Guard {
    shared: Arc<Shared>,
    peer: IpAddr,
}

impl Guard {
    fn open(shared: &Arc<Shared>, peer: IpAddr) -> Option<Self> {
        let mut open = shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = &shared.settings;
        if shared.counters.connections_open.load(Relaxed) >= settings.connections_max as u64 {
            return None;
        }
        let of_peer = open.entry(peer).or_default();
        if *of_peer >= settings.connections_per_address_max {
            return None;
        }
        *of_peer += 1;
        one(&shared.counters.connections_open);
        one(&shared.counters.connections_total);
        Some(Self { shared: Arc::clone(shared), peer })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut open = self.shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(n) = open.get_mut(&self.peer) {
            *n -= 1;
            if *n == 0 {
                open.remove(&self.peer);
            }
        }
        self.shared.counters.connections_open.fetch_sub(1, Relaxed);
    }
}

struct Connection {
    guard: Guard,
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
    fn new(guard: Guard, stop: CancellationToken) -> Self {
        let framer = Framer::detect(guard.shared.settings.message_max.len());
        Self {
            guard,
            stop,
            framer,
            batch: RawBatch::default(),
            batch_begun: None,
            message_begun: None,
            last_byte: Instant::now(),
        }
    }

    async fn run(mut self, stream: TcpStream) {
        let shared = Arc::clone(&self.guard.shared);
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
        if let Err(error) = SockRef::from(&stream).set_tcp_keepalive(&keepalive) {
            debug!(%error, "failed to set keepalive");
        }
        let mut receipts = FuturesUnordered::new();
        loop {
            let step = tokio::select! {
                biased;
                Some(stored) = receipts.next(), if !receipts.is_empty() => {
                    // Refused for good: only a closing sink does that, so there is nobody left to read for.
                    if stored { continue } else { break }
                }
                step = self.step(&stream), if receipts.len() < IN_FLIGHT => step,
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
    }

    /// Waits for bytes, or for the first of the clocks to run out.
    async fn step(&mut self, stream: &TcpStream) -> Step {
        let settings = &self.guard.shared.settings;
        let idle = self.last_byte + settings.idle_timeout.0;
        let slow = self.message_begun.map(|at| at + settings.slow_timeout.0);
        let batch = self.batch_begun.map(|at| at + BATCH_DELAY);
        let readable = async {
            // No buffer is held while waiting.
            if stream.readable().await.is_err() {
                return Step::End;
            }
            let mut buffer = self.guard.shared.buffer();
            let read = stream.try_read(&mut buffer);
            let step = match read {
                Ok(0) => Step::End,
                Ok(bytes) => {
                    let before = self.batch.len();
                    feed(&mut self.framer, &buffer[..bytes], &mut self.batch, &self.guard.shared.counters);
                    Step::Read { bytes, records: self.batch.len() - before }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Step::Read { bytes: 0, records: 0 },
                Err(_) => {
                    one(&self.guard.shared.counters.errors);
                    Step::End
                }
            };
            self.guard.shared.give_back(buffer);
            step
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
        let counters = Arc::clone(&self.guard.shared.counters);
        match step {
            Step::Read { bytes, records } => {
                if bytes > 0 {
                    self.last_byte = now;
                    self.note_begin(now, records > 0);
                }
                if self.framer.is_broken() {
                    debug!(peer = %self.guard.peer, "connection closed: a message that never ends");
                }
                !self.framer.is_broken()
            }
            Step::BatchDue => true,
            Step::Slow | Step::Idle => {
                one(&counters.timeouts);
                debug!(peer = %self.guard.peer, "connection closed: idle or too slow");
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
            let context = &self.guard.shared.context;
            batch.source.clone_from(&context.sources.load().of_sender(self.guard.peer).name);
            batch.sender = Some(self.guard.peer);
            batch.received = context.clock.now();
        }
        batch
    }

    /// What was begun is kept as a last record.
    fn finish(&mut self) {
        let counters = Arc::clone(&self.guard.shared.counters);
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
