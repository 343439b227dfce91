//! The part for programs: message/delivery-status. RFC 3464 §2

use std::fmt::Write;

use super::lines::field;
use super::{Kind, Recipient, Remote, Report};
use crate::date;

pub(super) fn part(report: &Report<'_>) -> String {
    let mut out = "Content-Type: message/delivery-status\r\n\r\n".to_owned();
    out += &field(
        "Reporting-MTA",
        &format!("dns; {}", report.hostname.as_str()),
    );
    out += &field("X-Postrider-Queue-ID", report.queue_id);
    out += &field("Arrival-Date", &date::rfc5322(report.arrived));
    for recipient in report.recipients {
        out.push_str("\r\n");
        out += &group(report, recipient);
    }
    out
}

fn group(report: &Report<'_>, recipient: &Recipient<'_>) -> String {
    let mut out = String::new();
    out += &field("Final-Recipient", &format!("rfc822; {}", recipient.address));
    let action = match report.kind {
        Kind::Failure => "failed",
        Kind::Delay { .. } => "delayed",
    };
    let _ = write!(
        out,
        "Action: {action}\r\nStatus: {}\r\n",
        recipient.status.code
    );
    if let Some(remote) = &recipient.remote {
        out += &field("Remote-MTA", &format!("dns; {}", name(remote)));
    }
    let reply = recipient.remote.as_ref().map_or("", |remote| remote.reply);
    let diagnostic = if reply.is_empty() {
        // RFC 3464 §2.3.6: a type of our own for what no server has said.
        format!("x-postrider; {}", recipient.status.text)
    } else {
        format!("smtp; {reply}")
    };
    out += &field("Diagnostic-Code", &diagnostic);
    if let Some(at) = recipient.last_attempt {
        out += &field("Last-Attempt-Date", &date::rfc5322(at));
    }
    if let Kind::Delay { until } = report.kind {
        out += &field("Will-Retry-Until", &date::rfc5322(until));
    }
    out
}

/// RFC 3464 §2.1.2: a name, or an address literal. The comment is for people.
fn name(remote: &Remote<'_>) -> String {
    match remote.ip {
        Some(ip) if !remote.host.starts_with('[') => format!("{} ({ip})", remote.host),
        _ => remote.host.to_owned(),
    }
}
