//! The same bytes as payload of every parser; the target itself is `parsers::fuzzing::payloads`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| parsers::fuzzing::payloads(bytes));
