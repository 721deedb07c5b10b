//! The store on a real directory, behind a toy pipe. The log under a bad disk is in [`crate::wal::sim`].

pub mod durability;
mod flush_format;
mod reading;
pub mod support;
