//! Tests of the whole engine, over hot batches and real Parquet files.

mod amend;
mod answers;
mod limits;
mod names;
mod oracle;
mod pipes;
mod property;
mod safety;
mod scope;
mod slt;
mod store_wiring;
pub(crate) mod world;
