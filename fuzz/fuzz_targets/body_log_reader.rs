//! Any octets for a segment file, and a row that points anywhere into it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| store::fuzzing::body_log_reader(bytes));
