//! Any octets behind the end that a commit names, and any octets for an entry of the journal.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| store::fuzzing::journal(bytes));
