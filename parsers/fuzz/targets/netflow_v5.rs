//! NetFlow v5 datagrams; the target itself is `parsers::fuzzing::netflow_v5`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| parsers::fuzzing::netflow_v5(bytes));
