//! The command parser: no panic, and what is written parses to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::smtp::Command;

fuzz_target!(|line: &[u8]| {
    match Command::parse(line) {
        Ok(command) => {
            let written = command.to_string();
            assert_eq!(Command::parse(written.as_bytes()), Ok(command));
        }
        Err(e) => assert!(e.reply().code() >= 500),
    }
});
