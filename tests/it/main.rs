//! Tests of the whole program, as its users meet it: the real binary, real sockets, real `kill -9`, a real browser.
//!
//! One binary, so that it links once. What a lower layer can show is tested there; here stands what only the wiring can break.

#![allow(clippy::unwrap_used)]

mod adoption;
mod browser;
mod checks;
mod cli;
mod crash;
mod detection;
mod doors;
mod harness;
mod hostile;
mod jobs;
mod mapping;
mod openapi;
mod pipeline;
mod proof;
mod restart;
mod web_api;
