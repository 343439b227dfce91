use std::sync::Arc;

use mailtypes::Domain;
use proto::smtp;
use store::Destination;

use store::{AccountId, Listing, StoreError};

use super::*;
use crate::verdict::{Question, Routed, Skipped};

mod forwarding;

/// A directory as a map: account number, or targets.
struct FakeDirectory {
    listings: Vec<(Mailbox, Listing)>,
    oldest: Option<(AccountId, Mailbox)>,
}

impl FakeDirectory {
    /// Accounts are numbered as they come, from 1; the first is the oldest.
    fn new(accounts: &[&str], aliases: &[(&str, &[&str])]) -> Self {
        let mut listings: Vec<_> = (1..)
            .zip(accounts)
            .map(|(n, address)| (mailbox(address), Listing::Account(AccountId(n))))
            .collect();
        let oldest = accounts
            .first()
            .map(|address| (AccountId(1), mailbox(address)));
        for (address, targets) in aliases {
            let targets = targets.iter().map(|target| mailbox(target)).collect();
            listings.push((mailbox(address), Listing::Alias(targets)));
        }
        Self { listings, oldest }
    }

    /// An account that sends its mail on, with a copy here or without.
    fn forward(mut self, address: &str, to: &[&str], keep: bool) -> Self {
        let known = self.listings.iter_mut();
        let mut known = known.filter(|(known, _)| *known == mailbox(address));
        let (_, listing) = known.next().unwrap();
        let Listing::Account(account) = *listing else {
            panic!("{address} is no account");
        };
        let to = to.iter().map(|to| mailbox(to)).collect();
        *listing = Listing::Forward { account, to, keep };
        self
    }

    fn answer(&self, question: Question, facts: &mut RecipientFacts) {
        match question {
            Question::Listing(address) => {
                assert_eq!(
                    address,
                    address.folded(),
                    "the directory is asked in lower case"
                );
                let found = self.listings.iter().find(|(known, _)| *known == address);
                facts
                    .listings
                    .insert(address, found.map(|(_, listing)| listing.clone()));
            }
            Question::OldestAccount => facts.oldest = Some(self.oldest.clone()),
        }
    }
}

/// The verdict, and what was asked on the way to it.
fn route(
    directory: &FakeDirectory,
    settings: &Settings,
    path: &str,
    taken: &[NewRecipient],
) -> (Result<Routed, RecipientRefusal>, Vec<String>) {
    let path = match path {
        "Postmaster" => ForwardPath::Postmaster,
        address => ForwardPath::Mailbox(mailbox(address)),
    };
    let mut facts = RecipientFacts::default();
    let mut asked = Vec::new();
    loop {
        match decide(settings, &path, taken, &facts) {
            Verdict::Accept(routed) => return (Ok(routed), asked),
            Verdict::Refuse(refusal) => return (Err(refusal), asked),
            Verdict::Ask(questions) => {
                assert!(!questions.is_empty(), "a question that is none");
                for question in questions {
                    asked.push(match &question {
                        Question::Listing(address) => address.to_string(),
                        Question::OldestAccount => "oldest".to_owned(),
                    });
                    directory.answer(question, &mut facts);
                }
            }
        }
    }
}

fn settings(postmaster: Option<&str>) -> Settings {
    Settings {
        hostname: "mx.example.org".to_owned(),
        domains: vec![domain("example.org"), domain("example.com")],
        postmaster: postmaster.map(mailbox),
        relay_networks: Vec::new(),
        smtp: Arc::new(smtp::Settings::default()),
    }
}

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

fn house() -> FakeDirectory {
    FakeDirectory::new(
        &[
            "ann@example.org",
            "bob@example.org",
            "ann+list@example.org",
            "eve@example.com",
        ],
        &[
            ("sales@example.org", &["ann@example.org", "Bob@example.org"]),
            (
                "away@example.org",
                &["ann@elsewhere.example", "bob@example.org"],
            ),
            (
                "deep@example.org",
                &["sales@example.org", "bob@example.org"],
            ),
            ("loop1@example.org", &["loop2@example.org"]),
            ("loop2@example.org", &["loop1@example.org"]),
            ("half@example.org", &["half@example.org", "ann@example.org"]),
            ("gone@example.org", &["nobody@example.org"]),
            (
                "partly@example.org",
                &["nobody@example.org", "bob@example.org"],
            ),
            ("*@example.com", &["eve@example.com"]),
        ],
    )
}

#[test]
fn the_address_decides() {
    // address → final addresses with account (0: outside), reason of the first
    let check = |path: &str, expect: &[(&str, i64)], reason: &str| {
        let routed = route(&house(), &settings(None), path, &[]).0.unwrap();
        let ends: Vec<_> = routed
            .recipients
            .iter()
            .map(|recipient| {
                let account = match recipient.destination {
                    Destination::Account(AccountId(n)) => n,
                    Destination::Remote => 0,
                };
                (recipient.address.to_string(), account)
            })
            .collect();
        let expect: Vec<_> = expect.iter().map(|(a, n)| ((*a).to_owned(), *n)).collect();
        assert_eq!(ends, expect, "{path}");
        assert_eq!(routed.recipients[0].reason, reason, "{path}");
    };
    check("ann@example.org", &[("ann@example.org", 1)], "account");
    check("ANN@Example.ORG", &[("ann@example.org", 1)], "account");
    check(
        "ann+news@example.org",
        &[("ann+news@example.org", 1)],
        "account",
    );
    check(
        "ann+list@example.org",
        &[("ann+list@example.org", 3)],
        "account",
    ); // exact goes first
    check(
        "sales@example.org",
        &[("ann@example.org", 1), ("bob@example.org", 2)],
        "alias sales@example.org → ann@example.org",
    );
    check(
        "sales+spring@example.org",
        &[("ann@example.org", 1), ("bob@example.org", 2)],
        "alias sales@example.org → ann@example.org",
    );
    check(
        "away@example.org",
        &[("ann@elsewhere.example", 0), ("bob@example.org", 2)],
        "alias away@example.org → ann@elsewhere.example",
    );
    check(
        "deep@example.org",
        &[("ann@example.org", 1), ("bob@example.org", 2)], // bob once
        "alias deep@example.org → alias sales@example.org → ann@example.org",
    );
    check(
        "half@example.org",
        &[("ann@example.org", 1)],
        "alias half@example.org → ann@example.org",
    );
    check(
        "partly@example.org",
        &[("bob@example.org", 2)],
        "alias partly@example.org → bob@example.org",
    );
    check(
        "x@example.com",
        &[("eve@example.com", 4)],
        "catch-all of example.com → eve@example.com",
    );
    check(
        "Postmaster",
        &[("ann@example.org", 1)],
        "postmaster of example.org: oldest account",
    );
    check(
        "abuse@example.com", // not the catch-all
        &[("ann@example.org", 1)],
        "abuse of example.com: oldest account",
    );
    // Where reports come from, and our own name.
    for (path, role) in [
        ("MAILER-DAEMON@example.com", "mailer-daemon of example.com"),
        (
            "mailer-daemon@mx.example.org",
            "mailer-daemon of mx.example.org",
        ),
        (
            "Postmaster+x@MX.example.org",
            "postmaster of mx.example.org",
        ),
        ("abuse@mx.example.org", "abuse of mx.example.org"),
    ] {
        let expect = format!("{role}: oldest account");
        check(path, &[("ann@example.org", 1)], &expect);
    }
}

#[test]
fn refusals() {
    let check = |path: &str, expect: RecipientRefusal| {
        assert_eq!(
            route(&house(), &settings(None), path, &[]).0,
            Err(expect),
            "{path}"
        );
    };
    check("nobody@example.org", RecipientRefusal::UnknownMailbox);
    check("nobody+x@example.org", RecipientRefusal::UnknownMailbox);
    check("ann@elsewhere.example", RecipientRefusal::RelayDenied);
    check("ann@sub.example.org", RecipientRefusal::RelayDenied);
    check("ann@mx.example.org", RecipientRefusal::RelayDenied);
    check("postmaster@[127.0.0.1]", RecipientRefusal::RelayDenied);
    check("loop1@example.org", RecipientRefusal::LeadsNowhere);
    check("gone@example.org", RecipientRefusal::LeadsNowhere);
    let empty = FakeDirectory::new(&[], &[]);
    let verdict = route(&empty, &settings(None), "postmaster@example.org", &[]).0;
    assert_eq!(verdict, Err(RecipientRefusal::NoAccountYet));
}

#[test]
fn nothing_needless_is_asked() {
    let check = |path: &str, expect: &[&str]| {
        assert_eq!(
            route(&house(), &settings(None), path, &[]).1,
            expect,
            "{path}"
        );
    };
    check("ann@elsewhere.example", &[]);
    check("ann@example.org", &["ann@example.org"]);
    check(
        "ann+x@example.org",
        &["ann+x@example.org", "ann@example.org"],
    );
    check(
        "x@example.com",
        &["x@example.com", "*@example.com", "eve@example.com"],
    );
    check("Postmaster", &["postmaster@example.org", "oldest"]);
    check(
        "nobody@example.org",
        &["nobody@example.org", "*@example.org"],
    );
}

#[test]
fn postmaster_always_has_a_reader() {
    let check = |postmaster: Option<&str>, expect: &str| {
        let path = "postmaster@example.org";
        let routed = route(&house(), &settings(postmaster), path, &[]).0.unwrap();
        assert_eq!(routed.recipients[0].reason, expect, "{postmaster:?}");
    };
    let oldest = "postmaster of example.org: oldest account";
    check(
        Some("bob@example.org"),
        "postmaster of example.org → bob@example.org",
    );
    check(
        Some("root@elsewhere.example"),
        "postmaster of example.org → root@elsewhere.example",
    );
    check(
        Some("sales@example.org"),
        "postmaster of example.org → alias sales@example.org → ann@example.org",
    );
    check(Some("nobody@example.org"), oldest);
    check(Some("postmaster@example.org"), oldest);
    check(None, oldest);
    // A listing of its own goes before all that.
    let directory = FakeDirectory::new(
        &["ann@example.org", "bob@example.org"],
        &[("postmaster@example.org", &["bob@example.org"])],
    );
    let routed = route(&directory, &settings(None), "Postmaster", &[])
        .0
        .unwrap();
    assert_eq!(routed.recipients[0].address, mailbox("bob@example.org"));
}

#[test]
fn the_same_final_address_gets_one_copy() {
    let taken = route(&house(), &settings(None), "ann@example.org", &[])
        .0
        .unwrap()
        .recipients;
    let again = route(&house(), &settings(None), "Ann@example.org", &taken)
        .0
        .unwrap();
    assert!(again.recipients.is_empty());
    let sales = route(&house(), &settings(None), "sales@example.org", &taken)
        .0
        .unwrap();
    assert_eq!(sales.recipients.len(), 1);
    assert_eq!(sales.recipients[0].address, mailbox("bob@example.org"));
}

#[test]
fn what_is_left_out_is_said() {
    let skipped = |path| {
        route(&house(), &settings(None), path, &[])
            .0
            .unwrap()
            .skipped
    };
    assert_eq!(
        skipped("partly@example.org"),
        [Skipped::NoSuchMailbox(mailbox("nobody@example.org"))]
    );
    assert_eq!(
        skipped("half@example.org"),
        [Skipped::FollowedBefore(mailbox("half@example.org"))]
    );
    assert_eq!(skipped("sales@example.org"), []);
}

#[test]
fn limits_hold() {
    use crate::limits::{ALIAS_DEPTH_MAX, FINAL_RECIPIENTS_MAX};

    let chain: Vec<(String, String)> = (0..=ALIAS_DEPTH_MAX)
        .map(|n| {
            (
                format!("a{n}@example.org"),
                format!("a{}@example.org", n + 1),
            )
        })
        .collect();
    let targets: Vec<[&str; 1]> = chain.iter().map(|(_, to)| [to.as_str()]).collect();
    let aliases: Vec<(&str, &[&str])> = chain
        .iter()
        .zip(&targets)
        .map(|((from, _), to)| (from.as_str(), to.as_slice()))
        .collect();
    let last = format!("a{}@example.org", ALIAS_DEPTH_MAX + 1);
    let deep = FakeDirectory::new(&[&last], &aliases);
    assert!(
        route(&deep, &settings(None), "a1@example.org", &[])
            .0
            .is_ok()
    );
    let verdict = route(&deep, &settings(None), "a0@example.org", &[]).0;
    assert_eq!(verdict, Err(RecipientRefusal::AliasTooDeep));

    let many: Vec<String> = (0..=FINAL_RECIPIENTS_MAX)
        .map(|n| format!("u{n}@elsewhere.example"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let wide = FakeDirectory::new(
        &["ann@example.org"],
        &[("all@example.org", &many), ("most@example.org", &many[1..])],
    );
    let verdict = route(&wide, &settings(None), "all@example.org", &[]).0;
    assert_eq!(verdict, Err(RecipientRefusal::TooManyRecipients));
    let most = route(&wide, &settings(None), "most@example.org", &[])
        .0
        .unwrap()
        .recipients;
    assert_eq!(most.len(), FINAL_RECIPIENTS_MAX);
    let verdict = route(&wide, &settings(None), "ann@example.org", &most).0;
    assert_eq!(verdict, Err(RecipientRefusal::TooManyRecipients));
}

/// The long way to an alias must not cost those behind it the short way: everybody, or 451.
#[test]
fn two_ways_of_different_length_lose_nobody() {
    use crate::limits::ALIAS_DEPTH_MAX;

    let name = |n: usize| format!("b{n}@example.org");
    for (length, fits) in [(ALIAS_DEPTH_MAX - 2, true), (ALIAS_DEPTH_MAX - 1, false)] {
        let names: Vec<String> = (0..=length).map(name).collect();
        let steps: Vec<[&str; 1]> = (1..=length).map(|n| [names[n].as_str()]).collect();
        let mut aliases: Vec<(&str, &[&str])> = (0..length)
            .map(|n| (names[n].as_str(), steps[n].as_slice()))
            .collect();
        let both = [names[0].as_str(), names[length].as_str()];
        aliases.push((names[length].as_str(), &["ann@example.org"]));
        aliases.push(("all@example.org", &both));
        let directory = FakeDirectory::new(&["ann@example.org"], &aliases);
        let verdict = route(&directory, &settings(None), "all@example.org", &[]).0;
        if fits {
            assert_eq!(verdict.unwrap().recipients.len(), 1, "{length}");
        } else {
            assert_eq!(verdict, Err(RecipientRefusal::AliasTooDeep), "{length}");
        }
    }
}

#[test]
fn our_fault_is_never_a_5yz() {
    use RecipientRefusal as R;
    let lookup = R::Lookup(StoreError::Closed);
    for refusal in [
        R::NoAccountYet,
        R::LeadsNowhere,
        R::AliasTooDeep,
        R::AliasTooLarge,
        lookup,
        R::LookupTimeout,
    ] {
        assert!(refusal.reply().is_transient(), "{refusal:?}");
    }
    assert_eq!(R::UnknownMailbox.reply().code(), 550);
    assert_eq!(R::RelayDenied.reply().code(), 550);
    assert_eq!(R::TooManyRecipients.reply().code(), 452);
}
