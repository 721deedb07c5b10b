//! The store on a real directory, behind a toy pipe. The log under a bad disk is in [`crate::wal::sim`].

mod durability;
mod reading;
mod support;
