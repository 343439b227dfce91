//! Any octets for the list of spans that a row keeps.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| store::fuzzing::spans(bytes));
