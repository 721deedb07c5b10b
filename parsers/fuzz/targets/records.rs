//! Whole records through envelope and recognition; the target itself is `parsers::fuzzing::records`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| parsers::fuzzing::records(bytes));
