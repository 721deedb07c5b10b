//! Flow exports: datagrams of a fixed or described layout → plain structs. Not events: flows live in a table of their own.

pub mod netflow_v5;
