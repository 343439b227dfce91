//! The form in which a trail is kept with one recipient: what was said of the others is passed over,
//! not copied and thrown away.

use mailtypes::Mailbox;
use serde::Serialize;

use super::{Blamed, DnsLine, HostLine, SaidLine, Trail, is_zero};

/// A trail as one recipient has it. The names and their order stay.
#[derive(Serialize)]
pub(super) struct Kept<'a> {
    hop: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    dns: &'a [DnsLine],
    hosts: Vec<KeptHost<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blamed: Option<&'a Blamed>,
    #[serde(skip_serializing_if = "is_zero")]
    left_out: u64,
}

#[derive(Serialize)]
struct KeptHost<'a> {
    #[serde(flatten)]
    line: &'a HostLine,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    said: Vec<&'a SaidLine>,
}

impl<'a> Kept<'a> {
    pub(super) fn of(trail: &'a Trail, recipient: &Mailbox) -> Self {
        let own = format!("RCPT TO:<{recipient}>");
        let is_kept = |line: &&SaidLine| !line.is_of_one() || line.to == own;
        let hosts = trail.hosts.iter().map(|line| KeptHost {
            line,
            said: line.said.iter().filter(is_kept).collect(),
        });
        Self {
            hop: &trail.hop,
            reason: &trail.reason,
            dns: &trail.dns,
            hosts: hosts.collect(),
            blamed: trail.blamed.as_ref(),
            left_out: trail.left_out,
        }
    }
}
