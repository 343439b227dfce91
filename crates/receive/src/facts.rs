//! The facts that acceptance rested on, kept with the item so that it can be judged again.

use std::net::IpAddr;

use mailtypes::ForwardPath;
use serde::Serialize;
use store::{Facts, Listing};

use crate::limits::FACTS_LOOKUPS_MAX;
use crate::verdict::{RecipientFacts, Skipped};

/// Grows when the form of the JSON changes.
const VERSION: u32 = 1;

/// All that is kept of one acceptance.
#[derive(Serialize)]
pub(crate) struct AcceptFacts<'a> {
    pub(crate) client: IpAddr,
    pub(crate) helo: &'a str,
    pub(crate) protocol: &'a str,
    pub(crate) from: String,
    /// What SIZE said.
    pub(crate) announced: Option<u64>,
    pub(crate) body: &'a str,
    #[serde(flatten)]
    pub(crate) kept: &'a KeptFacts,
    pub(crate) size: u64,
    pub(crate) has_8bit: bool,
    pub(crate) longest_line: u64,
    pub(crate) received: u32,
    pub(crate) delivered_to: &'a [String],
}

impl AcceptFacts<'_> {
    /// As the store keeps them.
    pub(crate) fn write(&self) -> Facts {
        let json = serde_json::to_string(self).expect("text keys and plain values");
        Facts {
            version: VERSION,
            json,
        }
    }
}

/// What is kept of the RCPT commands: bounded, however large the aliases are.
#[derive(Default, Serialize)]
pub(crate) struct KeptFacts {
    rcpt: Vec<RcptFacts>,
    /// Answers that had no place any more.
    #[serde(skip_serializing_if = "is_zero")]
    lookups_left_out: usize,
    #[serde(skip)]
    room_used: usize,
}

impl KeptFacts {
    pub(crate) fn add(&mut self, mut rcpt: RcptFacts, facts: &RecipientFacts) {
        rcpt.oldest = facts
            .oldest
            .as_ref()
            .map(|oldest| oldest.as_ref().map(|(id, _)| id.0));
        rcpt.skipped
            .truncate(FACTS_LOOKUPS_MAX.saturating_sub(self.room_used));
        self.room_used += rcpt.skipped.len();
        for (address, listing) in &facts.listings {
            let room = match listing {
                Some(Listing::Alias(targets) | Listing::Forward { to: targets, .. }) => {
                    1 + targets.len()
                }
                Some(Listing::Account(_)) | None => 1,
            };
            if self.room_used + room > FACTS_LOOKUPS_MAX {
                self.lookups_left_out += 1;
                continue;
            }
            self.room_used += room;
            rcpt.lookups
                .push((address.to_string(), listing.as_ref().map(ListingFact::from)));
        }
        self.rcpt.push(rcpt);
    }
}

/// One RCPT: what was asked about it, and the answers.
#[derive(Serialize)]
pub(crate) struct RcptFacts {
    path: String,
    lookups: Vec<(String, Option<ListingFact>)>,
    /// The number of the oldest account, when that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<Option<i64>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    skipped: Vec<String>,
}

impl RcptFacts {
    pub(crate) fn new(path: &ForwardPath, skipped: &[Skipped]) -> Self {
        let skipped = skipped
            .iter()
            .take(FACTS_LOOKUPS_MAX)
            .map(ToString::to_string)
            .collect();
        Self {
            path: path.to_string(),
            lookups: Vec::new(),
            oldest: None,
            skipped,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum ListingFact {
    Account(i64),
    Forward {
        account: i64,
        to: Vec<String>,
        keep: bool,
    },
    Alias(Vec<String>),
}

impl From<&Listing> for ListingFact {
    fn from(listing: &Listing) -> Self {
        match listing {
            Listing::Account(account) => Self::Account(account.0),
            Listing::Forward { account, to, keep } => Self::Forward {
                account: account.0,
                to: to.iter().map(ToString::to_string).collect(),
                keep: *keep,
            },
            Listing::Alias(targets) => {
                Self::Alias(targets.iter().map(ToString::to_string).collect())
            }
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

#[cfg(test)]
mod tests {
    use mailtypes::Mailbox;
    use store::AccountId;

    use super::*;

    #[test]
    fn facts_are_readable_and_bounded() {
        let mailbox = |text: &str| Mailbox::parse(text).unwrap();
        let mut kept = KeptFacts::default();
        let path = ForwardPath::Mailbox(mailbox("ann@example.org"));
        let mut facts = RecipientFacts::default();
        facts.listings.insert(
            mailbox("ann@example.org"),
            Some(Listing::Account(AccountId(7))),
        );
        kept.add(RcptFacts::new(&path, &[]), &facts);
        let json = serde_json::to_string(&kept).unwrap();
        assert_eq!(
            json,
            r#"{"rcpt":[{"path":"ann@example.org","lookups":[["ann@example.org",{"account":7}]]}]}"#
        );

        let targets = vec![mailbox("x@example.org"); FACTS_LOOKUPS_MAX];
        facts
            .listings
            .insert(mailbox("all@example.org"), Some(Listing::Alias(targets)));
        kept.add(RcptFacts::new(&path, &[]), &facts);
        assert_eq!(kept.lookups_left_out, 1);
        assert_eq!(kept.room_used, 2);
    }
}
