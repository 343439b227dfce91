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
    for (name, why) in KNOWN {
        println!("known: {name}: the books do not balance: {why}");
    }
    println!("cases: transcripts_tcp {ran}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(ran, all.len());
    assert!(ran >= 25, "only {ran} transcripts found");
}

/// What is wrong with the books after a transcript; a known fault that is gone is wrong too.
fn wrong_in(books: &AuditReport, name: &str) -> Option<String> {
    let totals = books.totals;
    if totals.accepted != totals.delivered {
        return Some(format!("{name}: not all was delivered: {totals:?}"));
    }
    let known = KNOWN.iter().find(|(file, _)| *file == name);
    match (known, &books.problems[..]) {
        (None, []) => None,
        (Some((_, why)), [problem]) if problem.text == *why => None,
        (Some(_), []) => Some(format!(
            "{name}: the books balance now: take it out of KNOWN"
        )),
        (_, problems) => Some(format!("{name}: the books do not balance: {problems:?}")),
    }
}

/// Transcripts whose conversation and mailboxes are right, and the one thing that the audit finds
/// wrong afterwards all the same.
///
/// `dots.smtp` sends an empty body. The entry in the mailbox then refers to no body, and the audit
/// counts it as if it did.
const KNOWN: &[(&str, &str)] = &[("dots.smtp", "has no body where 1 refer to its body")];
