//! Tests of the crate from outside, in one binary.

#![allow(clippy::unwrap_used)]

mod oracle;
mod own_rules;
mod shared;
mod sigmahq;
mod truth;
