//! Every golden transcript, run over TCP against a whole server: no file is left out, since the
//! server's clock is the transcript's to move.

use store::AuditReport;
use testkit::transcript::{Wire, golden};

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the tally of all tests reads it")]
async fn every_transcript_holds_over_tcp() {
    let all = golden().unwrap();
    let mut ran = 0;
    let mut wrong = Vec::new();
    for file in &all {
        match Wire::run(&file.lines).await {
            Ok(books) => {
                ran += 1;
                wrong.extend(wrong_in(&books, &file.name));
            }
            Err(what) => wrong.push(format!("{}: {what}", file.name)),
        }
    }
    println!("cases: transcripts_tcp {ran}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(ran, all.len());
    assert!(ran >= 25, "only {ran} transcripts found");
}

/// What is wrong with the books after a transcript.
fn wrong_in(books: &AuditReport, name: &str) -> Option<String> {
    let totals = books.totals;
    if totals.accepted != totals.delivered {
        return Some(format!("{name}: not all was delivered: {totals:?}"));
    }
    let problems = &books.problems;
    (!problems.is_empty()).then(|| format!("{name}: the books do not balance: {problems:?}"))
}
