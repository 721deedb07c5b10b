//! The store on a real directory, behind a toy pipe. The log under a bad disk is in [`crate::wal::sim`].

mod cold;
#[cfg(feature = "s3")]
mod cold_s3;
pub mod durability;
mod flush_format;
pub mod gate;
mod holds;
mod machine;
mod reading;
mod sim;
mod sizes;
pub mod support;
