//! Compares what was promised with what arrived.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use mailtypes::ItemId;
use store::limits::PAGE_MAX;
use store::{EventKind, ItemView, RecipientState, Store};

use super::host::{Host, USERS};
use super::ledger::{Books, Ledger, Promise};

/// How much happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Recipients of messages that were promised.
    pub promised: usize,
    /// Those that got theirs.
    pub delivered: usize,
    /// Those whose sender was told that they did not.
    pub reported: usize,
    /// Those whose sender could not be told either.
    pub untold: usize,
    /// Messages that came more than once, or came and were reported: an attempt was cut off.
    pub doubles: usize,
    /// Attempts that were cut off when nobody knew whether the message had arrived.
    pub unknown: usize,
    /// Starts that repeated what the journal had promised.
    pub repeats: usize,
    /// Time that has passed for the servers.
    pub simulated: Duration,
}

impl Tally {
    /// Whether something never happened that does happen in enough seeds.
    pub fn has_gaps(&self) -> bool {
        let all = [
            self.promised,
            self.delivered,
            self.reported,
            self.untold,
            self.doubles,
            self.unknown,
            self.repeats,
        ];
        all.contains(&0)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.promised += other.promised;
        self.delivered += other.delivered;
        self.reported += other.reported;
        self.untold += other.untold;
        self.doubles += other.doubles;
        self.unknown += other.unknown;
        self.repeats += other.repeats;
        self.simulated += other.simulated;
    }
}

/// What lies in the mailboxes: by the token of a message and an address.
#[derive(Default)]
struct Found {
    copies: BTreeMap<(String, String), usize>,
    reports: BTreeMap<(String, String), usize>,
}

/// Looks everywhere. The first thing that is not as it should be is the error.
pub(super) async fn judge(hosts: &[Arc<Host>], ledger: &Ledger) -> anyhow::Result<Tally> {
    let mut found = Found::default();
    for host in hosts {
        let report = host.store()?.audit().await?;
        ensure!(
            report.problems.is_empty(),
            "{}: {:?}",
            host.name,
            report.problems
        );
        ensure!(
            report.totals.balance(),
            "{}: {:?}",
            host.name,
            report.totals
        );
        let read = host.store()?.check().await?;
        ensure!(read.problems.is_empty(), "{}: {read:?}", host.name);
        for user in USERS {
            look(host, user, ledger, &mut found).await?;
        }
    }
    let promises = ledger.books().promises.clone();
    let mut tally = Tally {
        repeats: hosts.iter().map(|host| host.repeats()).sum(),
        ..Tally::default()
    };
    for promise in promises {
        let host = &hosts[promise.letter.host];
        let story = host.store()?.story(promise.id).await?;
        let story = story.with_context(|| format!("{} has no story", promise.id))?;
        for address in &promise.taken {
            let kept = kept(host, &promise, &story, address, &found).await;
            tally += kept.with_context(|| format!("{}: {story:#?}", promise.letter.token))?;
        }
    }
    Ok(tally)
}

/// Whether the promise was kept for one recipient.
async fn kept(
    host: &Host,
    promise: &Promise,
    story: &ItemView,
    address: &str,
    found: &Found,
) -> anyhow::Result<Tally> {
    let recipient = story
        .recipients
        .iter()
        .find(|r| r.address.to_string() == address);
    let recipient = recipient.with_context(|| format!("{address} is not in the story"))?;
    ensure!(recipient.state.is_end(), "{address} has no end");
    let unknown = story
        .events
        .iter()
        .filter(|event| event.recipient == Some(recipient.n) && may_have_arrived(event))
        .count();
    let key = (promise.letter.token.clone(), address.to_owned());
    let copies = found.copies.get(&key).copied().unwrap_or_default();
    let reports = found.reports.get(&key).copied().unwrap_or_default();
    ensure!(
        copies <= 1 + unknown,
        "{address} got {copies} copies, and {unknown} attempts were cut off"
    );
    ensure!(
        copies == 0 || reports == 0 || unknown > 0,
        "{address} got it, and the sender was told otherwise"
    );
    // Nobody knows what a lost connection has done elsewhere; here it is one transaction.
    let ours = matches!(recipient.destination, store::Destination::Account(_));
    ensure!(
        !ours || copies + reports <= 1,
        "{address} is here and got {copies} copies, and the sender {reports} reports"
    );
    let home = promise.letter.sender.ends_with(&format!("@{}", host.name));
    ensure!(reports <= 1 || !home, "{reports} reports on {address}");
    let untold = copies == 0 && reports == 0;
    if untold {
        ensure!(
            recipient.state == RecipientState::Bounced && !home,
            "{address} got nothing, nor the sender a report: {:?}",
            recipient.state
        );
        report_ended(host, story, recipient.n).await?;
    }
    Ok(Tally {
        promised: 1,
        delivered: usize::from(copies > 0),
        reported: usize::from(copies == 0 && reports > 0),
        untold: usize::from(untold),
        doubles: usize::from(copies + reports.min(1) > 1),
        unknown,
        repeats: 0,
        simulated: Duration::ZERO,
    })
}

/// An attempt was cut off behind the last octet of the message.
fn may_have_arrived(event: &store::Event) -> bool {
    let at_the_end = |status: &mailtypes::Status| status.text.contains(AT_THE_END);
    match event.kind {
        EventKind::Interrupted => true,
        EventKind::Deferred | EventKind::Failed => event.status.as_ref().is_some_and(at_the_end),
        _ => false,
    }
}

/// The report to a sender who is elsewhere has failed for its part, and its story says so.
async fn report_ended(host: &Host, story: &ItemView, n: u32) -> anyhow::Result<()> {
    let event = story
        .events
        .iter()
        .find(|event| event.recipient == Some(n) && event.kind == EventKind::Bounced);
    let detail = event.map(|event| event.detail.clone()).unwrap_or_default();
    let id = detail
        .split_whitespace()
        .find_map(|word| ItemId::parse(word).ok());
    let id = id.with_context(|| format!("no report is named: {detail}"))?;
    let report = host
        .store()?
        .story(id)
        .await?
        .context("the report has no story")?;
    match report.recipients.as_slice() {
        [one] if one.state == RecipientState::Suppressed => Ok(()),
        other => bail!("the report {id} did not arrive: {other:?}"),
    }
}

/// Looks through one mailbox.
async fn look(host: &Host, user: &str, ledger: &Ledger, found: &mut Found) -> anyhow::Result<()> {
    let store = host.store()?;
    let account = host.account(user).await?;
    let address = format!("{user}@{}", host.name);
    let entries = store.entries(account, "INBOX", 0, PAGE_MAX).await?;
    ensure!(entries.len() < PAGE_MAX, "too many messages for one page");
    for entry in entries {
        let message = store.open_message(account, "INBOX", entry.uid).await?;
        let octets = message.context("a message is gone")?.read_all().await?;
        let text = String::from_utf8_lossy(&octets);
        let token = text
            .lines()
            .find_map(|line| line.strip_prefix("Subject: t-"));
        let token = format!(
            "t-{}",
            token.with_context(|| format!("what is this? {text}"))?
        );
        if text.starts_with("Return-Path: <>") {
            for failed in failures(&text) {
                *found.reports.entry((token.clone(), failed)).or_default() += 1;
            }
        } else {
            check_whole(&ledger.books(), &token, &octets)?;
            *found.copies.entry((token, address.clone())).or_default() += 1;
        }
    }
    Ok(())
}

/// Nothing of a message was changed but what stands in front.
fn check_whole(books: &Books, token: &str, octets: &[u8]) -> anyhow::Result<()> {
    let letter = books.letters.get(token).context("nobody sent this")?;
    let whole = octets.ends_with(&letter.octets);
    ensure!(
        whole,
        "{token} was changed: {} octets, and {} were sent",
        octets.len(),
        letter.octets.len()
    );
    Ok(())
}

/// The recipients that a report says have failed. RFC 3464 §2.3
fn failures(report: &str) -> Vec<String> {
    let mut failed = Vec::new();
    let mut recipient = "";
    for line in report.lines() {
        if let Some(address) = line.strip_prefix("Final-Recipient: rfc822; ") {
            recipient = address;
        } else if line == "Action: failed" {
            failed.push(recipient.to_owned());
        }
    }
    failed
}

/// How a status says that the connection was lost behind the final dot.
const AT_THE_END: &str = "at the end of the message";
