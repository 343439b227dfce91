//! The paths of MAIL and RCPT: no panic, and what is written parses to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::smtp::{forward_path, reverse_path};

fuzz_target!(|text: &str| {
    if let Ok((path, rest)) = reverse_path(text) {
        assert!(text.ends_with(rest));
        assert_eq!(reverse_path(&format!("<{path}>")), Ok((path, "")));
    }
    if let Ok((path, _)) = forward_path(text) {
        assert_eq!(forward_path(&format!("<{path}>")), Ok((path, "")));
    }
});
