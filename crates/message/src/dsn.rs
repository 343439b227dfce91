//! Delivery status notifications: reports to a sender on what became of a message.
//!
//! A report has three parts (RFC 6522 §3): one in plain words, one for programs (RFC 3464), and what
//! there is of the message itself. Whatever servers have said goes in harmless: the octets of a
//! report are ASCII in lines that fit, and no text becomes a header field.

mod encoded_words;
mod lines;
mod original;
mod returned;
mod status;
#[cfg(test)]
mod tests;
mod words;

use std::net::IpAddr;

use mailtypes::{Domain, Mailbox, Status, Timestamp};

use crate::date;
use encoded_words::encoded_words;
use lines::cut_between_words;

pub use original::{Original, original};
pub use returned::Returned;

/// A report, before it is written.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// What it says.
    pub kind: Kind,
    /// Our name.
    pub hostname: &'a Domain,
    /// The queue id of the message it is about.
    pub queue_id: &'a str,
    /// When that message came to us.
    pub arrived: Timestamp,
    /// The date of the report.
    pub now: Timestamp,
    /// Who reports, in the From field. The envelope of a report has no sender.
    pub from: &'a Mailbox,
    /// The sender of the message.
    pub to: &'a Mailbox,
    /// Without angle brackets.
    pub message_id: &'a str,
    /// A text that is in none of the parts.
    pub boundary: &'a str,
    /// Whom it is about: never empty.
    pub recipients: &'a [Recipient<'a>],
    /// What is known of the message.
    pub original: &'a Original,
    /// What of the message comes along.
    pub returned: Returned<'a>,
}

/// What a report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The message did not arrive and never will.
    Failure,
    /// It has not arrived yet.
    Delay {
        /// When we give up.
        until: Timestamp,
    },
}

/// One recipient in a report.
#[derive(Clone, Debug)]
pub struct Recipient<'a> {
    /// The final address.
    pub address: &'a Mailbox,
    /// What the sender wrote, when it is another address: for people.
    pub original: Option<&'a str>,
    /// What happened.
    pub status: &'a Status,
    /// The server that said so.
    pub remote: Option<Remote<'a>>,
    /// When it was tried last.
    pub last_attempt: Option<Timestamp>,
}

/// A server and what it said.
#[derive(Clone, Debug)]
pub struct Remote<'a> {
    /// Its name, or its address in brackets.
    pub host: &'a str,
    /// Its address.
    pub ip: Option<IpAddr>,
    /// To which command.
    pub command: &'a str,
    /// Its reply, with the code in front; empty when there was none.
    pub reply: &'a str,
}

/// A report as it goes into the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// All of it.
    pub octets: Vec<u8>,
    /// The header section in octets, with the empty line.
    pub header_len: u64,
    /// The longest line in octets, without CRLF.
    pub longest_line: u64,
}

// todo RFC 3461 §4: NOTIFY, RET, ENVID and ORCPT are not offered; with them come
// Original-Recipient (RFC 3464 §2.3.1) and Original-Envelope-Id.
/// Writes a report, with CRLF and in ASCII.
pub fn write(report: &Report<'_>) -> Written {
    let mut parts = vec![words::part(report), status::part(report)];
    parts.extend(returned::part(report));
    let boundary = free_boundary(report.boundary, &parts);
    let mut out = header(report, &boundary);
    let header_len = out.len() as u64;
    out.push_str("This is a report in MIME format. Its first part is for people.\r\n");
    for part in &parts {
        out.push_str(&format!("\r\n--{boundary}\r\n"));
        out.push_str(part);
    }
    out.push_str(&format!("\r\n--{boundary}--\r\n"));
    Written {
        header_len,
        longest_line: out.split("\r\n").map(str::len).max().unwrap_or(0) as u64,
        octets: out.into_bytes(),
    }
}

// RFC 5322 §3.6, RFC 3464 §2, RFC 3834 §5
fn header(report: &Report<'_>, boundary: &str) -> String {
    let line = |name: &str, value: &str| format!("{name}: {value}\r\n");
    let mut out = line("Date", &date::rfc5322(report.now));
    let from = format!("Mail Delivery System <{}>", report.from);
    out += &line("From", &from);
    out += &line("To", &format!("<{}>", report.to));
    // Folded: a line with an encoded-word is short. RFC 2047 §2
    out += &lines::field("Subject", &subject(report));
    out += &line("Message-ID", &format!("<{}>", report.message_id));
    if let Some(id) = &report.original.message_id {
        out += &line("In-Reply-To", id);
        // RFC 5322 §3.6.4
        let chain: Vec<&str> = report
            .original
            .references
            .iter()
            .chain([id])
            .map(String::as_str)
            .collect();
        out += &line("References", &chain.join("\r\n "));
    }
    out += &line("Auto-Submitted", "auto-replied");
    out += &line("MIME-Version", "1.0");
    let kind =
        format!("multipart/report; report-type=delivery-status;\r\n boundary=\"{boundary}\"");
    out += &line("Content-Type", &kind);
    out + "\r\n"
}

fn subject(report: &Report<'_>) -> String {
    let start = match report.kind {
        Kind::Failure => "Not delivered",
        Kind::Delay { .. } => "Delayed",
    };
    let Some(subject) = &report.original.subject else {
        return start.to_owned();
    };
    let text = if subject.is_ascii() {
        cut_between_words(subject, SUBJECT_LEN_MAX)
    } else {
        let text: String = subject.chars().take(SUBJECT_LEN_MAX).collect();
        let mut words = encoded_words(&text);
        words.truncate(ENCODED_WORDS_MAX);
        words.join(" ")
    };
    format!("{start}: {text}")
}

/// RFC 2046 §5.1.1: the boundary must not stand in a part.
fn free_boundary(wish: &str, parts: &[String]) -> String {
    let mut boundary = wish.to_owned();
    while parts.iter().any(|part| part.contains(&boundary)) {
        boundary.push('=');
        boundary.push('x');
    }
    boundary
}

/// Characters of the original subject in ours.
const SUBJECT_LEN_MAX: usize = 200;
/// Encoded-words in our subject: they must not be cut for the length of a field.
const ENCODED_WORDS_MAX: usize = 10;
