//! The part for people.

use mailtypes::{EnhancedCode, Status};

use super::lines::{WIDTH, ascii, wrapped};
use super::{Kind, Recipient, Report};
use crate::date;

pub(super) fn part(report: &Report<'_>) -> String {
    let mut out = "Content-Type: text/plain; charset=us-ascii\r\n\r\n".to_owned();
    let mut say = |text: &str, indent: &str| {
        for line in wrapped(&ascii(text, TEXT_LEN_MAX), WIDTH - indent.len()) {
            out.push_str(indent);
            out.push_str(&line);
            out.push_str("\r\n");
        }
    };
    say(
        &format!("This is the mail server {}.", report.hostname.as_str()),
        "",
    );
    say("", "");
    say(&opening(report), "");
    // One in encoded-words (RFC 2047 §2), or without the letters that are not ASCII, would be a
    // riddle here; the header of the report has it.
    if let Some(subject) = &report.original.subject
        && subject.is_ascii()
        && !subject.contains("=?")
    {
        say("", "");
        say(&format!("Subject: {subject}"), "    ");
    }
    for recipient in report.recipients {
        say("", "");
        say(&format!("<{}>", recipient.address), "");
        if let Some(original) = recipient.original {
            say(&format!("(you wrote to {original})"), "    ");
        }
        for text in told(recipient) {
            say(&text, "    ");
        }
        if let Some(advice) = advice(recipient.status, report.kind) {
            say(&format!("What to do: {advice}"), "    ");
        }
    }
    say("", "");
    say(&closing(report), "");
    out
}

fn opening(report: &Report<'_>) -> String {
    let many = report.recipients.len() > 1;
    let arrived = date::rfc5322(report.arrived);
    match report.kind {
        Kind::Failure => {
            let whom = if many {
                "these recipients"
            } else {
                "this recipient"
            };
            format!(
                "Your message of {arrived} could not be delivered to {whom}. It will not be tried \
                 again."
            )
        }
        Kind::Delay { until } => {
            let whom = if many {
                "these recipients"
            } else {
                "this recipient"
            };
            format!(
                "Your message of {arrived} has not been delivered to {whom} yet. You need not send \
                 it again: this server goes on trying until {}.",
                date::rfc5322(until)
            )
        }
    }
}

fn closing(report: &Report<'_>) -> String {
    format!(
        "Should you ask somebody about this message, give them its number at {}: {}",
        report.hostname.as_str(),
        report.queue_id
    )
}

/// What happened, at which host, and what it said.
fn told(recipient: &Recipient<'_>) -> Vec<String> {
    let happened = format!("What happened: {}", recipient.status.text);
    let remote = recipient.remote.as_ref();
    let Some(remote) = remote.filter(|remote| !remote.reply.is_empty()) else {
        return vec![happened];
    };
    let host = match remote.ip {
        Some(ip) if !remote.host.starts_with('[') => format!("{} [{ip}]", remote.host),
        _ => remote.host.to_owned(),
    };
    let mut lines = vec![
        format!("The server {host} answered, to {}:", remote.command),
        format!("\"{}\"", remote.reply),
    ];
    // That its time is over is our word, not that of the server.
    if recipient.status.code == EXPIRED {
        lines.insert(0, happened);
    }
    lines
}

/// What the sender can do, by the code. RFC 3463 §3
fn advice(status: &Status, kind: Kind) -> Option<&'static str> {
    if kind != Kind::Failure {
        return None;
    }
    let code = status.code;
    Some(match (code.subject, code.detail) {
        (1, 1 | 6) => "check the spelling of the address; perhaps it is no longer in use.",
        (1, 2) => "check the part of the address behind the @: there is no such domain.",
        (1, 10) => "this domain takes no mail at all; find another address.",
        (1, 7 | 8) => "ask your own provider: your sender address was not accepted.",
        (2, 2) => "the mailbox is full; try again later, or reach the person another way.",
        (2, 1) => "the mailbox is switched off; reach the person another way.",
        (2, _) | (1, _) => "check the address, and ask the recipient whether it is in use.",
        (3, 4) => "the message is too large; send it without attachments, or a link to them.",
        (4, 4) => "check the domain; if it is right, its owner must say where its mail goes.",
        (4, 6) => "tell the postmaster: the mail for this domain runs in circles.",
        (4, 7) => "the server of the recipient took no mail in all that time; ask them to look.",
        (4, _) => "try again later; the server of the recipient could not be reached.",
        (6, _) => "the server of the recipient cannot take this kind of text; send plain ASCII.",
        (7, _) => {
            "the recipient's server refuses it by policy; its words above may say why, and \
                   its administrator can change that."
        }
        _ => "its words above may say why; ask the recipient's administrator.",
    })
}

/// RFC 3463 §3.5: delivery time expired
const EXPIRED: EnhancedCode = EnhancedCode::new(5, 4, 7);
/// Characters of one text.
const TEXT_LEN_MAX: usize = 2000;
