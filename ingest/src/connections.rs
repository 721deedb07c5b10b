//! Places for connections: so many in all, so many from one address; what is over is closed at the door and counted.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::metrics::{Counters, one};

/// The places of one listener.
pub(crate) struct Places {
    all_max: usize,
    address_max: usize,
    counters: Arc<Counters>,
    /// Open connections by address.
    open: Mutex<HashMap<IpAddr, usize>>,
}

impl Places {
    pub fn new(all_max: usize, address_max: usize, counters: Arc<Counters>) -> Arc<Self> {
        Arc::new(Self { all_max, address_max, counters, open: Mutex::default() })
    }

    /// A place for a connection from an address; `None` when there is none left, which is counted.
    pub fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let place = self.try_take(peer);
        if place.is_none() {
            one(&self.counters.connections_refused);
            tracing::debug!(%peer, "connection refused: too many");
        }
        place
    }

    fn try_take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if self.counters.connections_open.load(Relaxed) >= self.all_max as u64 {
            return None;
        }
        let of_peer = open.entry(peer).or_default();
        if *of_peer >= self.address_max {
            return None;
        }
        *of_peer += 1;
        one(&self.counters.connections_open);
        one(&self.counters.connections_total);
        Some(Place { places: Arc::clone(self), peer })
    }
}

/// A place among the connections; given back when dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    pub peer: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(n) = open.get_mut(&self.peer) {
            *n -= 1;
            if *n == 0 {
                open.remove(&self.peer);
            }
        }
        self.places.counters.connections_open.fetch_sub(1, Relaxed);
    }
}

/// Binds a TCP address. Must be called inside a tokio runtime.
pub(crate) fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
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
