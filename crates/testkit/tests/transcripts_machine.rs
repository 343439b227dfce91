//! Every golden transcript, run against the SMTP server machine.

use testkit::transcript::{Machine, golden};

#[test]
fn every_transcript_holds() {
    let all = golden().unwrap();
    let mut wrong = Vec::new();
    for file in &all {
        if let Err(what) = Machine::run(&file.lines) {
            wrong.push(format!("{}: {what}", file.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(all.len() >= 25, "only {} transcripts found", all.len());
}
