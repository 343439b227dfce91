//! From an address to its final recipients: `+tags`, aliases, catch-alls, postmaster.
//!
//! The walk starts anew with each round of answers, so that it needs no memory of its own. What it
//! does not know becomes a question and is passed over; the rest of the walk collects further
//! questions, so that a large alias costs a few rounds and not one for each target.

use std::collections::HashSet;
use std::fmt;

use mailtypes::{ForwardPath, LocalPart, Mailbox};
use store::{AccountId, Destination, Listing, NewRecipient};

use crate::Settings;
use crate::limits::{ALIAS_DEPTH_MAX, FINAL_RECIPIENTS_MAX, LOOKUPS_MAX};
use crate::settings::is_role;
use crate::verdict::{Question, RecipientFacts, RecipientRefusal, Routed, Skipped, Verdict};

/// One walk from an address to its ends.
pub(crate) struct Expansion<'a> {
    settings: &'a Settings,
    path: &'a ForwardPath,
    taken: &'a [NewRecipient],
    facts: &'a RecipientFacts,
    questions: Vec<Question>,
    /// The way to where the walk is now.
    hops: Vec<Hop>,
    followed: HashSet<Mailbox>,
    routed: Routed,
    /// Final recipients reached, also those that the envelope has already.
    reached: usize,
    stop: Option<RecipientRefusal>,
}

impl<'a> Expansion<'a> {
    pub(crate) fn new(
        settings: &'a Settings,
        path: &'a ForwardPath,
        taken: &'a [NewRecipient],
        facts: &'a RecipientFacts,
    ) -> Self {
        Self {
            settings,
            path,
            taken,
            facts,
            questions: Vec::new(),
            hops: Vec::new(),
            followed: HashSet::new(),
            routed: Routed::default(),
            reached: 0,
            stop: None,
        }
    }

    /// Walks from `address`, which is at one of our domains.
    pub(crate) fn verdict(mut self, address: &Mailbox) -> Verdict {
        let place = self.resolve(address);
        if matches!(place, Place::Unknown) {
            return Verdict::Refuse(RecipientRefusal::UnknownMailbox);
        }
        let leads_to_role = matches!(place, Place::Role(_));
        self.enter(address, place);
        if let Some(refusal) = self.stop {
            return Verdict::Refuse(refusal);
        }
        if !self.questions.is_empty() {
            return Verdict::Ask(self.questions);
        }
        match self.reached {
            0 if leads_to_role => Verdict::Refuse(RecipientRefusal::NoAccountYet),
            0 => Verdict::Refuse(RecipientRefusal::LeadsNowhere),
            _ => Verdict::Accept(self.routed),
        }
    }

    /// What stands under an address. The order is the policy: the address itself, the address
    /// without `+tag`, postmaster and abuse, the catch-all of the domain.
    fn resolve(&mut self, address: &Mailbox) -> Place<'a> {
        if !self.settings.is_local(address) {
            return Place::Outside;
        }
        let exact = address.folded();
        let plain = exact.without_tag();
        for candidate in [Some(&exact), plain.as_ref()].into_iter().flatten() {
            match self.listing(candidate) {
                Answer::Unasked => return Place::Unasked,
                Answer::Nothing => {}
                Answer::Account(account) => return Place::Account(account),
                Answer::Alias(targets) => {
                    return Place::Alias(Hop::Alias(candidate.clone()), targets);
                }
                Answer::Forward(account, to, keep) => {
                    return Place::Forward(Hop::Forward(candidate.clone()), account, to, keep);
                }
            }
        }
        let plain = plain.unwrap_or(exact);
        if is_role(&plain) {
            return Place::Role(Hop::Role(plain));
        }
        let all = plain.with_local(LocalPart::parse("*").expect("a Dot-string"));
        match self.listing(&all) {
            Answer::Unasked => Place::Unasked,
            Answer::Nothing => Place::Unknown,
            Answer::Account(account) => Place::Account(account),
            Answer::Alias(targets) => Place::Alias(Hop::CatchAll(all), targets),
            Answer::Forward(account, to, keep) => {
                Place::Forward(Hop::Forward(all), account, to, keep)
            }
        }
    }

    fn enter(&mut self, address: &Mailbox, place: Place<'a>) {
        match place {
            Place::Unasked => {}
            Place::Unknown => self.skip(Skipped::NoSuchMailbox(address.clone())),
            Place::Outside => self.reach(address.clone(), Destination::Remote, None),
            Place::Account(account) => {
                // The tag stays in the address, so that the reader can sort by it.
                self.reach(address.folded(), Destination::Account(account), None);
            }
            Place::Alias(hop, targets) => self.follow(hop, targets),
            Place::Forward(hop, account, to, keep) => {
                // Mail that comes round to it again stays, so that nothing runs in circles.
                if keep || self.followed.contains(hop.address()) {
                    self.reach(address.folded(), Destination::Account(account), None);
                }
                self.follow(hop, to);
            }
            Place::Role(hop) => self.enter_role(hop),
        }
    }

    fn follow(&mut self, hop: Hop, targets: &'a [Mailbox]) {
        if self.followed.contains(hop.address()) {
            return self.skip(Skipped::FollowedBefore(hop.address().clone()));
        }
        if self.hops.len() >= ALIAS_DEPTH_MAX {
            // Whoever is behind it would get nothing, and the sender would not know.
            self.stop = Some(RecipientRefusal::AliasTooDeep);
            return;
        }
        self.followed.insert(hop.address().clone());
        self.hops.push(hop);
        for target in targets {
            if self.stop.is_some() {
                break;
            }
            let place = self.resolve(target);
            self.enter(target, place);
        }
        self.hops.pop();
    }

    /// Postmaster, abuse and mailer-daemon without a listing: the configured postmaster, or, when there is none
    /// or it leads nowhere, the oldest account.
    fn enter_role(&mut self, hop: Hop) {
        let before = (self.reached, self.questions.len());
        if self.followed.contains(hop.address()) {
            return self.skip(Skipped::FollowedBefore(hop.address().clone()));
        }
        self.follow(hop.clone(), self.settings.postmaster.as_slice());
        if before != (self.reached, self.questions.len()) {
            return;
        }
        match &self.facts.oldest {
            None if self.questions.contains(&Question::OldestAccount) => {}
            None => self.questions.push(Question::OldestAccount),
            Some(None) => {}
            Some(Some((account, address))) => {
                self.hops.push(hop);
                let why = Some("oldest account");
                self.reach(address.clone(), Destination::Account(*account), why);
                self.hops.pop();
            }
        }
    }

    /// An end. The same address twice in an envelope gets one copy.
    fn reach(&mut self, address: Mailbox, destination: Destination, why: Option<&str>) {
        self.reached += 1;
        let is_same =
            |known: &NewRecipient| known.address == address && known.destination == destination;
        if self.taken.iter().any(is_same) || self.routed.recipients.iter().any(is_same) {
            return;
        }
        if self.taken.len() + self.routed.recipients.len() >= FINAL_RECIPIENTS_MAX {
            self.stop = Some(RecipientRefusal::TooManyRecipients);
            return;
        }
        self.routed.recipients.push(NewRecipient {
            reason: self.reason(&address, why),
            original: self.path.clone(),
            via: self.hops.iter().map(|hop| hop.address().clone()).collect(),
            address,
            destination,
        });
    }

    /// Why mail goes to an end, for people.
    fn reason(&self, address: &Mailbox, why: Option<&str>) -> String {
        let hops: Vec<String> = self.hops.iter().map(ToString::to_string).collect();
        match (hops.as_slice(), why) {
            ([], _) => "account".to_owned(),
            (hops, Some(why)) => format!("{}: {why}", hops.join(" → ")),
            (hops, None) => format!("{} → {address}", hops.join(" → ")),
        }
    }

    fn skip(&mut self, skipped: Skipped) {
        self.routed.skipped.push(skipped);
    }

    fn listing(&mut self, address: &Mailbox) -> Answer<'a> {
        match self.facts.listings.get(address) {
            Some(None) => return Answer::Nothing,
            Some(Some(Listing::Account(account))) => return Answer::Account(*account),
            Some(Some(Listing::Alias(targets))) => return Answer::Alias(targets),
            Some(Some(Listing::Forward { account, to, keep })) => {
                return Answer::Forward(*account, to, *keep);
            }
            None => {}
        }
        if self.facts.listings.len() + self.questions.len() >= LOOKUPS_MAX {
            self.stop = Some(RecipientRefusal::AliasTooLarge);
        } else {
            self.questions.push(Question::Listing(address.clone()));
        }
        Answer::Unasked
    }
}

/// What the facts say of one address of the directory.
enum Answer<'a> {
    Unasked,
    Nothing,
    Account(AccountId),
    Alias(&'a [Mailbox]),
    Forward(AccountId, &'a [Mailbox], bool),
}

/// What an address turns out to be.
enum Place<'a> {
    Unasked,
    Unknown,
    Outside,
    Account(AccountId),
    Alias(Hop, &'a [Mailbox]),
    Forward(Hop, AccountId, &'a [Mailbox], bool),
    Role(Hop),
}

/// One step that was taken for an address, with the address it was taken at.
#[derive(Clone, Debug)]
enum Hop {
    Alias(Mailbox),
    Forward(Mailbox),
    CatchAll(Mailbox),
    Role(Mailbox),
}

impl Hop {
    fn address(&self) -> &Mailbox {
        match self {
            Self::Alias(address)
            | Self::Forward(address)
            | Self::CatchAll(address)
            | Self::Role(address) => address,
        }
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias(address) => write!(f, "alias {address}"),
            Self::Forward(address) => write!(f, "forward of {address}"),
            Self::CatchAll(Mailbox { host, .. }) => write!(f, "catch-all of {host}"),
            Self::Role(Mailbox { local, host }) => write!(f, "{local} of {host}"),
        }
    }
}
