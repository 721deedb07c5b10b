//! Datagram sockets, shared by syslog and NetFlow: several sockets per address, read in batches by threads of their own.
//!
//! ```text
//! kernel ─recvmmsg─▶ thread per socket: group by sender (≤ 64 KiB or 10 ms) ─bounded channel─▶ task: submit, 16 in flight
//! ```
//!
//! UDP is the one place where loss is possible, so it is counted twice over: what the kernel dropped (`SO_RXQ_OVFL` with
//! each datagram, `SO_MEMINFO` while idle) and what the sink refused under pressure both enter the ledger with the next
//! batch of the source. When the channel is full the thread stops reading: the kernel's large buffer is the queue.

use std::{
    collections::HashMap,
    io, mem,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::AsRawFd,
    ptr,
    sync::Arc,
    time::{Duration, Instant},
};

use event::{RawBatch, raw::RefusedReason, seam::Refused};
use futures::{StreamExt, stream::FuturesUnordered};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    Context, Error,
    framing::trim,
    metrics::{Counters, add, one},
    submit::{BATCH_BYTES, BATCH_DELAY, Owed, retry_after},
};

/// Datagrams taken by one system call.
const DATAGRAMS: usize = 64;
/// Batches between a thread and its task; when it is full the thread waits and the kernel's buffer fills.
const CHANNEL_BATCHES: usize = 64;
/// Batches that wait for the sink's receipt at once.
const IN_FLIGHT: usize = 16;
/// How long one refused batch is offered again before it is given up: the kernel's buffer bridges as long.
const PATIENCE: Duration = Duration::from_millis(250);
/// How often an idle thread looks at its stop flag and the drop counter.
const IDLE: Duration = Duration::from_millis(100);

/// Which datagrams these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text; the source follows from the sender.
    Syslog,
    /// Binary; one source for all.
    Netflow,
}

impl Kind {
    pub fn component(self) -> &'static str {
        match self {
            Self::Syslog => "syslog_udp",
            Self::Netflow => "netflow_udp",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub kind: Kind,
    pub address: SocketAddr,
    pub sockets: usize,
    pub receive_buffer: usize,
    pub message_max: usize,
}

/// One bound address with all its sockets.
pub(crate) struct UdpListener {
    options: Options,
    sockets: Vec<Socket>,
    address: SocketAddr,
    context: Context,
    counters: Arc<Counters>,
}

impl UdpListener {
    pub fn bind(options: Options, context: Context) -> Result<Self, Error> {
        let error = |source| Error::Bind { protocol: "udp", address: options.address, source };
        let mut address = options.address;
        let mut sockets = Vec::new();
        for _ in 0..options.sockets.max(1) {
            let socket = open(address, options.receive_buffer).map_err(error)?;
            // Port 0 means any: the other sockets share the one the kernel chose.
            address = socket.local_addr().map_err(error)?.as_socket().unwrap_or(address);
            sockets.push(socket);
        }
        warn_if_capped(&sockets[0], options.receive_buffer, address);
        let counters = context.metrics.of(options.kind.component(), address.to_string());
        Ok(Self { options, sockets, address, context, counters })
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Reads until `stop`, then empties the sockets and ends once everything read has its receipt.
    pub async fn run(self, stop: CancellationToken) {
        let mut ends = Vec::new();
        for (i, socket) in self.sockets.into_iter().enumerate() {
            let (sender, receiver) = mpsc::channel(CHANNEL_BATCHES);
            let (context, counters) = (self.context.clone(), Arc::clone(&self.counters));
            let reader = Reader::new(socket, self.options, context.clone(), Arc::clone(&counters), sender, stop.clone());
            let name = format!("{}-{i}", self.options.kind.component());
            match std::thread::Builder::new().name(name).spawn(move || reader.run()) {
                Ok(thread) => ends.push((thread, tokio::spawn(forward(receiver, context, counters, stop.clone())))),
                Err(error) => warn!(%error, address = %self.address, "failed to start a thread for a socket"),
            }
        }
        for (thread, task) in ends {
            // The task ends when its thread has dropped the sending side.
            let _ = task.await;
            if thread.join().is_err() {
                warn!(address = %self.address, "a socket thread has panicked");
            }
        }
    }
}

fn open(address: SocketAddr, receive_buffer: usize) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM.cloexec().nonblocking(), Some(Protocol::UDP))?;
    socket.set_reuse_port(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_recv_buffer_size(receive_buffer)?;
    let on: libc::c_int = 1;
    // SAFETY: `on` lives through the call and its size is given.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RXQ_OVFL,
            ptr::from_ref(&on).cast(),
            mem::size_of_val(&on) as libc::socklen_t,
        )
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

fn warn_if_capped(socket: &Socket, wanted: usize, address: SocketAddr) {
    // Linux reports twice what was asked for, its own book-keeping included.
    if let Ok(got) = socket.recv_buffer_size()
        && got / 2 < wanted
    {
        warn!(
            %address,
            wanted_bytes = wanted,
            got_bytes = got / 2,
            "the kernel caps the receive buffer; raise net.core.rmem_max to lose less in a burst"
        );
    }
}

/// The thread of one socket.
struct Reader {
    socket: Socket,
    options: Options,
    context: Context,
    counters: Arc<Counters>,
    sender: mpsc::Sender<RawBatch>,
    stop: CancellationToken,
    /// Batches being filled, by sender.
    open: HashMap<IpAddr, RawBatch>,
    open_bytes: usize,
    opened: Option<Instant>,
    /// The kernel's drop counter as last seen.
    dropped: u32,
    /// Drops that no batch carries yet, and the source that they are booked on.
    drops_owed: u64,
    last_source: String,
}

impl Reader {
    fn new(
        socket: Socket,
        options: Options,
        context: Context,
        counters: Arc<Counters>,
        sender: mpsc::Sender<RawBatch>,
        stop: CancellationToken,
    ) -> Self {
        let last_source = match options.kind {
            Kind::Syslog => crate::sources::SOURCE_SYSLOG,
            Kind::Netflow => crate::sources::SOURCE_NETFLOW,
        };
        Self {
            socket,
            options,
            context,
            counters,
            sender,
            stop,
            open: HashMap::new(),
            open_bytes: 0,
            opened: None,
            dropped: 0,
            drops_owed: 0,
            last_source: last_source.to_owned(),
        }
    }

    fn run(mut self) {
        let mut inbox = Inbox::new(self.options.message_max);
        loop {
            // Taken before the read: whatever arrived before the stop is read.
            let is_stopping = self.stop.is_cancelled();
            let count = match inbox.receive(&self.socket) {
                Ok(count) => count,
                Err(error) => {
                    one(&self.counters.errors);
                    warn!(%error, "failed to read datagrams");
                    std::thread::sleep(IDLE);
                    0
                }
            };
            self.take(&inbox, count);
            let is_due = self.opened.is_some_and(|at| at.elapsed() >= BATCH_DELAY) || self.open_bytes >= BATCH_BYTES;
            if count == 0 && is_stopping {
                self.note_idle_drops();
                self.flush();
                return;
            }
            if is_due && !self.flush() {
                return;
            }
            if count == 0 {
                self.wait();
            }
        }
    }

    fn take(&mut self, inbox: &Inbox, count: usize) {
        if count == 0 {
            return;
        }
        let (received, table) = (self.context.clock.now(), self.context.sources.load());
        for datagram in (0..count).map(|i| inbox.datagram(i)) {
            if let Some(total) = datagram.dropped {
                self.note_drops(total);
            }
            let payload = if self.options.kind == Kind::Syslog { trim(datagram.bytes) } else { datagram.bytes };
            if payload.is_empty() {
                one(&self.counters.empty);
                continue;
            }
            one(&self.counters.received);
            add(&self.counters.received_bytes, payload.len() as u64);
            if datagram.is_cut {
                one(&self.counters.cut);
            }
            let batch = self.open.entry(datagram.sender).or_insert_with(|| {
                let source = match self.options.kind {
                    Kind::Syslog => &table.of_sender(datagram.sender).name,
                    Kind::Netflow => crate::sources::SOURCE_NETFLOW,
                };
                RawBatch::new(source, Some(datagram.sender), received)
            });
            batch.push(payload);
            self.open_bytes += payload.len();
            if self.last_source != batch.source {
                self.last_source.clone_from(&batch.source);
            }
        }
        if !self.open.is_empty() && self.opened.is_none() {
            self.opened = Some(Instant::now());
        }
    }

    /// The kernel counts drops per socket and never resets; an older reading than the last one is no news.
    fn note_drops(&mut self, total: u32) {
        let new = total.wrapping_sub(self.dropped);
        if new > 0 && new < u32::MAX / 2 {
            self.dropped = total;
            self.drops_owed += u64::from(new);
            self.counters.refuse(RefusedReason::KernelDrop, u64::from(new));
        }
    }

    /// Drops behind the last datagram read are told by no datagram.
    fn note_idle_drops(&mut self) {
        if let Some(total) = socket_drops(&self.socket) {
            self.note_drops(total);
        }
    }

    /// Hands the open batches on; false when nobody takes them any more.
    fn flush(&mut self) -> bool {
        self.opened = None;
        self.open_bytes = 0;
        if self.drops_owed > 0 {
            let drops = (RefusedReason::KernelDrop, mem::take(&mut self.drops_owed));
            match self.open.values_mut().find(|batch| batch.source == self.last_source) {
                Some(batch) => batch.refused.push(drops),
                None => {
                    let mut batch = RawBatch::new(&self.last_source, None, self.context.clock.now());
                    batch.refused.push(drops);
                    if self.sender.blocking_send(batch).is_err() {
                        return false;
                    }
                }
            }
        }
        self.open.drain().all(|(_, batch)| self.sender.blocking_send(batch).is_ok())
    }

    /// Sleeps until a datagram is there, a batch is due, or it is time to look around.
    fn wait(&mut self) {
        let wait = match self.opened {
            Some(at) => BATCH_DELAY.saturating_sub(at.elapsed()),
            None => {
                self.note_idle_drops();
                if self.drops_owed > 0 {
                    self.opened = Some(Instant::now());
                }
                IDLE
            }
        };
        let mut poll = libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd, which lives through the call.
        unsafe { libc::poll(&mut poll, 1, wait.as_millis().max(1) as libc::c_int) };
    }
}

/// `SO_MEMINFO`: the drop counter without a datagram to carry it (index 8, `SK_MEMINFO_DROPS`).
fn socket_drops(socket: &Socket) -> Option<u32> {
    let mut values = [0u32; 16];
    let mut len = mem::size_of_val(&values) as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes into `values`.
    let done =
        unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_MEMINFO, values.as_mut_ptr().cast(), &mut len) };
    (done == 0 && len as usize >= 9 * mem::size_of::<u32>()).then(|| values[8])
}

struct Datagram<'a> {
    sender: IpAddr,
    bytes: &'a [u8],
    is_cut: bool,
    /// The kernel's drop counter, when the datagram carried it.
    dropped: Option<u32>,
}

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; 64]);

/// Room for one `recvmmsg`: buffers, addresses, control messages and the headers that point at them.
struct Inbox {
    size: usize,
    buffers: Vec<u8>,
    addresses: Vec<libc::sockaddr_storage>,
    controls: Vec<Control>,
    headers: Vec<libc::mmsghdr>,
    vectors: Vec<libc::iovec>,
}

impl Inbox {
    fn new(message_max: usize) -> Self {
        // No UDP datagram is longer than 65,535 bytes.
        let size = message_max.clamp(1, 1 << 16);
        // SAFETY: all-zero is a valid value of these plain C structures.
        let (address, header) = unsafe { (mem::zeroed::<libc::sockaddr_storage>(), mem::zeroed::<libc::mmsghdr>()) };
        Self {
            size,
            buffers: vec![0; size * DATAGRAMS],
            addresses: vec![address; DATAGRAMS],
            controls: vec![Control([0; 64]); DATAGRAMS],
            headers: vec![header; DATAGRAMS],
            vectors: vec![libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; DATAGRAMS],
        }
    }

    /// Takes what is there, up to [`DATAGRAMS`]; 0 when nothing is.
    fn receive(&mut self, socket: &Socket) -> io::Result<usize> {
        for i in 0..DATAGRAMS {
            let base = self.buffers[i * self.size..].as_mut_ptr();
            self.vectors[i] = libc::iovec { iov_base: base.cast(), iov_len: self.size };
            let header = &mut self.headers[i].msg_hdr;
            header.msg_name = ptr::from_mut(&mut self.addresses[i]).cast();
            header.msg_namelen = mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_iov = ptr::from_mut(&mut self.vectors[i]);
            header.msg_iovlen = 1;
            header.msg_control = ptr::from_mut(&mut self.controls[i]).cast();
            header.msg_controllen = mem::size_of::<Control>() as _;
            header.msg_flags = 0;
        }
        // SAFETY: every header points into vectors of `self` that live and stay in place through the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                DATAGRAMS as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        if count >= 0 {
            return Ok(count as usize);
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::ConnectionRefused => Ok(0),
            _ => Err(error),
        }
    }

    fn datagram(&self, i: usize) -> Datagram<'_> {
        let header = &self.headers[i];
        let len = (header.msg_len as usize).min(self.size);
        Datagram {
            sender: address(&self.addresses[i]),
            bytes: &self.buffers[i * self.size..][..len],
            is_cut: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
            dropped: dropped(&header.msg_hdr),
        }
    }
}

fn address(storage: &libc::sockaddr_storage) -> IpAddr {
    match i32::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says which structure the kernel wrote.
            let v4 = unsafe { &*ptr::from_ref(storage).cast::<libc::sockaddr_in>() };
            IpAddr::V4(Ipv4Addr::from_bits(u32::from_be(v4.sin_addr.s_addr)))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { &*ptr::from_ref(storage).cast::<libc::sockaddr_in6>() };
            IpAddr::V6(Ipv6Addr::from(v6.sin6_addr.s6_addr)).to_canonical()
        }
        _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    }
}

fn dropped(header: &libc::msghdr) -> Option<u32> {
    // SAFETY: the kernel has filled the control buffer up to `msg_controllen`; the macros stay inside it.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(header);
        while !control.is_null() {
            if (*control).cmsg_level == libc::SOL_SOCKET && (*control).cmsg_type == libc::SO_RXQ_OVFL {
                return Some(ptr::read_unaligned(libc::CMSG_DATA(control).cast::<u32>()));
            }
            control = libc::CMSG_NXTHDR(header, control);
        }
    }
    None
}

/// Submits what a thread has read, in order, several batches in flight; books what the sink refuses.
async fn forward(mut batches: mpsc::Receiver<RawBatch>, context: Context, counters: Arc<Counters>, stop: CancellationToken) {
    let mut owed = Owed::default();
    let mut in_flight = FuturesUnordered::new();
    let mut look = tokio::time::interval(Duration::from_millis(500));
    let mut is_open = true;
    while is_open || !in_flight.is_empty() {
        tokio::select! {
            biased;
            Some(given_up) = in_flight.next(), if !in_flight.is_empty() => {
                if let Some(batch) = given_up {
                    owed.add_batch(&batch, RefusedReason::Pressure);
                }
            }
            next = batches.recv(), if is_open && in_flight.len() < IN_FLIGHT => match next {
                Some(mut batch) => {
                    owed.settle(&mut batch);
                    in_flight.push(offer(batch, &context, &counters, &stop));
                }
                None => is_open = false,
            },
            _ = look.tick(), if is_open && !owed.is_empty() && in_flight.is_empty() => {
                for source in owed.sources() {
                    let mut batch = RawBatch::new(&source, None, context.clock.now());
                    owed.settle(&mut batch);
                    in_flight.push(offer(batch, &context, &counters, &stop));
                }
            }
        }
    }
    for source in owed.sources() {
        let mut batch = RawBatch::new(&source, None, context.clock.now());
        owed.settle(&mut batch);
        if let Err(error) = context.sink.submit(batch).await {
            warn!(%error, source, "refused datagrams could not be entered into the ledger");
        }
    }
}

/// Offers a batch for a while; returns it when it was given up.
async fn offer(batch: RawBatch, context: &Context, counters: &Counters, stop: &CancellationToken) -> Option<RawBatch> {
    let begun = Instant::now();
    loop {
        let refused = match context.sink.submit(batch.clone()).await {
            Ok(_) => {
                add(&counters.stored, batch.len() as u64);
                one(&counters.batches);
                return None;
            }
            Err(refused) => refused,
        };
        one(&counters.pressure);
        let wait = retry_after(&refused).unwrap_or(PATIENCE).min(PATIENCE);
        if refused == Refused::Closing || stop.is_cancelled() || begun.elapsed() + wait > PATIENCE {
            counters.refuse(RefusedReason::Pressure, batch.len() as u64);
            return Some(batch);
        }
        tokio::time::sleep(wait).await;
    }
}
