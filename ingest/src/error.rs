//! The crate's one error: what was attempted, on what, and what the caller can do about it.

use std::{io, net::SocketAddr, path::PathBuf};

/// What to do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The configuration or the command line must change (port taken, no such file, no permission).
    Fix,
    /// It may work later (the sink is under pressure or closing).
    Retry,
    /// The input is not what it claims to be; the rest of it is lost.
    Input,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to listen on {protocol} {address}")]
    Bind { protocol: &'static str, address: SocketAddr, source: io::Error },
    #[error("failed to open {}", .path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("failed to read {}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is not a readable EVTX file: {reason}", .path.display())]
    Evtx { path: PathBuf, reason: String },
    #[error("failed to use {}: {reason}", .path.display())]
    Tls { path: PathBuf, reason: String },
    #[error("failed to store records of {what}")]
    Refused { what: String, source: event::seam::Refused },
}

impl Error {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Bind { .. } | Self::Open { .. } | Self::Tls { .. } => ErrorKind::Fix,
            Self::Read { .. } | Self::Evtx { .. } => ErrorKind::Input,
            Self::Refused { .. } => ErrorKind::Retry,
        }
    }

    /// A sentence for the operator, where there is a usual remedy.
    pub fn hint(&self) -> Option<String> {
        let (Self::Bind { source, .. } | Self::Open { source, .. }) = self else { return None };
        match (self, source.kind()) {
            (Self::Bind { address, .. }, io::ErrorKind::AddrInUse) => Some(format!(
                "port {} is taken by another process; see [ingest.syslog], [ingest.netflow] and [ingest.elastic]",
                address.port()
            )),
            (Self::Bind { address, .. }, io::ErrorKind::PermissionDenied) => Some(format!(
                "port {} needs the right to bind ports below 1024 (CAP_NET_BIND_SERVICE), or choose a higher port",
                address.port()
            )),
            (Self::Bind { .. }, io::ErrorKind::AddrNotAvailable) => Some("this machine does not have that address".into()),
            (Self::Open { .. }, io::ErrorKind::PermissionDenied) => Some("the user that runs chieng may not read it".into()),
            _ => None,
        }
    }
}
