//! The store on a real directory, behind a toy pipe. The log under a bad disk is in [`crate::wal::sim`].

mod cold;
#[cfg(feature = "s3")]
mod cold_s3;
pub mod durability;
mod flush_format;
mod holds;
mod reading;
mod sizes;
pub mod support;
