//! Every golden transcript, run against the SMTP server machine.

use testkit::transcript::{Machine, golden};

#[test]
#[expect(clippy::print_stdout, reason = "the tally of all tests reads it")]
fn every_transcript_holds() {
    let all = golden().unwrap();
    let mut wrong = Vec::new();
    for file in &all {
        if let Err(what) = Machine::run(&file.lines) {
            wrong.push(format!("{}: {what}", file.name));
        }
    }
    println!("cases: transcripts {}", all.len() - wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(all.len() >= 25, "only {} transcripts found", all.len());
}
