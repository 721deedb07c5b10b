//! Respond against real mail and HTTP servers on loopback, with a clock that only moves when told.
#![allow(clippy::unwrap_used)]

mod answers;
mod delivery;
mod escalation;
mod http;
mod mime;
mod processes;
mod replay;
mod rig;
mod smtp;
