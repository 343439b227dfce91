use std::collections::HashSet;
use std::time::Duration;

use mailtypes::dns::{Exchange, MxRecord};
use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::*;
use crate::limits::MX_HOSTS_MAX;

mod many;

/// A small zone: `MX example.org = 10 a.example, 20 b.example`, `A a.example = 192.0.2.1`.
/// `!` stands for SERVFAIL, `?` for a name that does not exist; nothing for no such records.
fn facts(zone: &[&str]) -> Facts {
    zone.iter().map(|line| fact(line)).collect()
}

fn fact(line: &str) -> (Question, Result<Answer, DnsError>) {
    let (question, data) = line.split_once(" =").unwrap();
    let (kind, name) = question.split_once(' ').unwrap();
    let data = data.trim();
    let list: Vec<&str> = data.split(", ").filter(|entry| !entry.is_empty()).collect();
    let (kind, records) = match kind {
        "MX" => (Kind::Mx, Records::Mx(mx_records(&list))),
        "A" => (Kind::A, Records::A(parsed(&list))),
        _ => (Kind::Aaaa, Records::Aaaa(parsed(&list))),
    };
    let question = Question {
        name: DnsName::parse(name).unwrap(),
        kind,
    };
    let answer = match data {
        "!" => Err(DnsError::ServFail("192.0.2.53".to_owned())),
        "?" => Err(DnsError::NoSuchName),
        _ => Ok(Answer {
            records,
            aliases: Vec::new(),
            ttl: Duration::from_secs(60),
        }),
    };
    (question, answer)
}

fn parsed<T: std::str::FromStr>(list: &[&str]) -> Vec<T> {
    list.iter().filter_map(|text| text.parse().ok()).collect()
}

fn mx_records(list: &[&str]) -> Vec<MxRecord> {
    let record = |text: &&str| {
        let (preference, exchange) = text.split_once(' ')?;
        Some(MxRecord {
            preference: preference.parse().ok()?,
            exchange: match exchange {
                "." => Exchange::Root,
                "bad" => Exchange::Bad("a b".to_owned()),
                host => Exchange::Host(DnsName::parse(host).ok()?),
            },
        })
    };
    list.iter().filter_map(record).collect()
}

fn own() -> Own {
    Own {
        hostname: Domain::parse("mx.home.example").unwrap(),
        addresses: vec![[192, 0, 2, 99].into()],
    }
}

/// The way to the exchangers of a domain of the mail.
fn mx_of(domain: &str) -> NextHop {
    NextHop::mx_of(Domain::parse(domain).unwrap())
}

fn decided(hop: &NextHop, zone: &[&str]) -> String {
    let mut rng = SmallRng::seed_from_u64(1);
    in_words(decide(hop, &own(), &facts(zone), 0, &mut rng))
}

fn in_words(verdict: Verdict) -> String {
    match verdict {
        Verdict::Ask(questions) => {
            let texts: Vec<String> = questions
                .iter()
                .map(|q| format!("{:?} {}", q.kind, q.name.as_str()))
                .collect();
            format!("ask {}", texts.join(", "))
        }
        Verdict::Try(hosts) => {
            let mut texts: Vec<String> = hosts
                .list
                .iter()
                .map(|host| format!("{} {:?}", host.name, host.addresses))
                .collect();
            if hosts.incomplete {
                texts.push("perhaps more".to_owned());
            }
            texts.join(", ")
        }
        Verdict::Later(status) => format!("later {status}"),
        Verdict::Never(status) => format!("never {status}"),
    }
}

#[track_caller]
fn check(domain: &str, zone: &[&str], expect: &str) {
    let hop = mx_of(domain);
    assert_eq!(decided(&hop, zone), expect, "{domain} {zone:?}");
}

#[track_caller]
fn check_route(hop: &str, zone: &[&str], expect: &str) {
    let hop = NextHop::parse(hop).unwrap();
    assert_eq!(decided(&hop, zone), expect, "{hop} {zone:?}");
}

const A: [&str; 2] = ["A a.example = 192.0.2.1", "AAAA a.example ="];
const B: [&str; 2] = ["A b.example = 192.0.2.2", "AAAA b.example ="];
const SELF: [&str; 2] = ["A mx.home.example = 192.0.2.99", "AAAA mx.home.example ="];

fn zone<'a>(mx: &'a str, more: &[[&'a str; 2]]) -> Vec<&'a str> {
    let mut all = vec![mx];
    all.extend(more.iter().flatten());
    all
}

#[test]
fn hosts_come_in_the_order_of_preference() {
    check("example.org", &[], "ask Mx example.org");
    let mx = "MX example.org = 20 b.example, 10 a.example";
    check(
        "example.org",
        &[mx],
        "ask Aaaa a.example, A a.example, Aaaa b.example, A b.example",
    );
    check(
        "example.org",
        &zone(mx, &[A, B]),
        "a.example [192.0.2.1], b.example [192.0.2.2]",
    );
}

#[test]
fn equals_come_in_an_order_of_chance() {
    let facts = facts(&zone(
        "MX example.org = 10 a.example, 10 b.example",
        &[A, B],
    ));
    let hop = mx_of("example.org");
    let mut rng = SmallRng::seed_from_u64(1);
    let mut first = |_| match decide(&hop, &own(), &facts, 0, &mut rng) {
        Verdict::Try(hosts) => hosts.list[0].name.clone(),
        other => panic!("{other:?}"),
    };
    let firsts: Vec<String> = (0..100).map(&mut first).collect();
    let a = firsts.iter().filter(|name| *name == "a.example").count();
    assert!((20..80).contains(&a), "{a} of 100");
}

#[test]
fn a_host_that_is_named_twice_is_tried_once() {
    let twice = "MX example.org = 10 a.example, 20 b.example, 30 a.example";
    let hosts = "a.example [192.0.2.1], b.example [192.0.2.2]";
    check("example.org", &zone(twice, &[A, B]), hosts);
    let side_by_side = "MX example.org = 10 a.example, 20 a.example, 20 b.example";
    check("example.org", &zone(side_by_side, &[A, B]), hosts);
}

#[test]
fn of_many_equals_each_gets_its_share() {
    let names: Vec<String> = (0..2 * MX_HOSTS_MAX)
        .map(|n| format!("h{n:02}.example"))
        .collect();
    let mx: Vec<String> = names.iter().map(|name| format!("10 {name}")).collect();
    let mx = format!("MX example.org = 5 first.example, {}", mx.join(", "));
    let facts = facts(&[&mx]);
    let hop = mx_of("example.org");
    let mut asked = HashSet::new();
    for seed in 0..20 {
        let again = || {
            let mut rng = SmallRng::seed_from_u64(seed);
            decide(&hop, &own(), &facts, 0, &mut rng)
        };
        assert_eq!(again(), again(), "the same chance asks the same");
        let Verdict::Ask(questions) = again() else {
            panic!("nothing is known yet");
        };
        assert_eq!(questions.len(), 2 * MX_HOSTS_MAX);
        assert_eq!(questions[0].name.as_str(), "first.example");
        asked.extend(questions.into_iter().map(|question| question.name));
    }
    assert!(asked.len() > names.len() * 9 / 10, "{}", asked.len());
}

#[test]
fn null_mx_means_no_mail() {
    // RFC 7505 §3
    check(
        "example.org",
        &["MX example.org = 0 ."],
        "never 5.1.10 the domain example.org takes no mail (null MX)",
    );
    check(
        "example.org",
        &zone("MX example.org = 0 ., 10 a.example", &[A]),
        "a.example [192.0.2.1]",
    );
}

#[test]
fn the_domain_itself_only_on_an_empty_answer() {
    check(
        "a.example",
        &zone("MX a.example =", &[A]),
        "a.example [192.0.2.1]",
    );
    check(
        "a.example",
        &zone("MX a.example = !", &[A]),
        "later 4.4.3 cannot look up the MX records of a.example: \
         the DNS server 192.0.2.53 failed (SERVFAIL)",
    );
    check(
        "a.example",
        &zone("MX a.example = ?", &[A]),
        "never 5.1.2 the domain a.example does not exist",
    );
    check(
        "a.example",
        &["MX a.example =", "A a.example =", "AAAA a.example ="],
        "never 5.4.4 no mail exchanger of a.example has an address",
    );
}

#[test]
fn hosts_without_addresses_are_passed_over() {
    let mx = "MX example.org = 10 a.example, 20 b.example";
    let gone = ["A a.example = ?", "AAAA a.example = ?"];
    let ill = ["A a.example = !", "AAAA a.example ="];
    check(
        "example.org",
        &zone(mx, &[gone, B]),
        "b.example [192.0.2.2]",
    );
    check(
        "example.org",
        &zone(mx, &[ill, B]),
        "b.example [192.0.2.2], perhaps more",
    );
    check(
        "example.org",
        &zone("MX example.org = 20 a.example, 10 b.example", &[ill, B]),
        "b.example [192.0.2.2], perhaps more",
    );
    let only = "MX example.org = 10 a.example";
    check(
        "example.org",
        &zone(only, &[gone]),
        "never 5.4.4 no mail exchanger of example.org has an address",
    );
    check(
        "example.org",
        &zone(only, &[ill]),
        "later 4.4.3 cannot find a.example: the DNS server 192.0.2.53 failed (SERVFAIL)",
    );
    check(
        "example.org",
        &["MX example.org = 10 bad"],
        "never 5.4.4 no MX of example.org names a host",
    );
}

#[test]
fn one_family_is_enough() {
    let six = ["A a.example = !", "AAAA a.example = 2001:db8::1"];
    check(
        "a.example",
        &zone("MX a.example =", &[six]),
        "a.example [2001:db8::1], perhaps more",
    );
    let both = ["A a.example = 192.0.2.1", "AAAA a.example = 2001:db8::1"];
    check(
        "a.example",
        &zone("MX a.example =", &[both]),
        "a.example [2001:db8::1, 192.0.2.1]",
    );
}

#[test]
fn never_to_one_that_is_no_better_than_ourselves() {
    let looped = "never 5.4.6 the MX records of example.org lead back to this server, \
                  which is not its home";
    check(
        "example.org",
        &zone(
            "MX example.org = 10 a.example, 20 mx.home.example, 30 b.example",
            &[A, SELF, B],
        ),
        "a.example [192.0.2.1]",
    );
    for mx in [
        "MX example.org = 10 mx.home.example, 20 b.example",
        "MX example.org = 10 mx.home.example, 10 b.example",
        "MX example.org = 10 b.example, 10 mx.home.example",
    ] {
        check("example.org", &zone(mx, &[SELF, B]), looped);
        // Whoever is no better than ourselves says nothing.
        let ill = ["A b.example = !", "AAAA b.example ="];
        check("example.org", &zone(mx, &[SELF, ill]), looped);
    }
    // Another name for one of our addresses, and loopback.
    for address in ["192.0.2.99", "127.0.0.2"] {
        let a = format!("A a.example = {address}");
        let hosts = [[a.as_str(), "AAAA a.example ="], B];
        let mx = "MX example.org = 10 a.example, 20 b.example";
        check("example.org", &zone(mx, &hosts), looped);
    }
}

#[test]
fn configured_hosts_are_taken_as_they_are() {
    check_route("[192.0.2.7]:26", &[], "[192.0.2.7]:26 [192.0.2.7]");
    check_route("[a.example]:26", &[], "ask Aaaa a.example, A a.example");
    check_route("[a.example]:26", &A, "a.example [192.0.2.1]");
    // What we were told to use and cannot find is not the sender's fault.
    check_route(
        "[a.example]:26",
        &["A a.example = ?", "AAAA a.example = ?"],
        "later 4.4.3 the host a.example of a configured route has no address",
    );
}

/// What is mistyped or has lapsed in the configuration is not the sender's fault.
#[test]
fn a_configured_route_by_mx_fails_no_mail() {
    let leads_nowhere = "later 4.4.3 the configured route by a.example leads nowhere: ";
    for (zone, why) in [
        (
            &["MX a.example = ?"][..],
            "the domain a.example does not exist",
        ),
        (
            &["MX a.example = 0 ."],
            "the domain a.example takes no mail (null MX)",
        ),
        (
            &["MX a.example =", "A a.example =", "AAAA a.example ="],
            "no mail exchanger of a.example has an address",
        ),
        (
            &["MX a.example = 10 bad"],
            "no MX of a.example names a host",
        ),
        (
            &[
                "MX a.example = 10 mx.home.example",
                "A mx.home.example = 192.0.2.99",
                "AAAA mx.home.example =",
            ],
            "the MX records of a.example lead back to this server, which is not its home",
        ),
    ] {
        check_route("a.example", zone, &format!("{leads_nowhere}{why}"));
        let of_the_mail = decided(&mx_of("a.example"), zone);
        assert!(of_the_mail.starts_with("never 5."), "{of_the_mail}");
    }
    let found = "b.example [192.0.2.2]";
    check_route(
        "a.example",
        &zone("MX a.example = 10 b.example", &[B]),
        found,
    );
}

#[test]
fn each_address_of_a_host_is_first_some_time() {
    let mut zone = vec!["MX x.example = 10 a.example".to_owned()];
    let list =
        |from: &str, to: u8| -> Vec<String> { (1..=to).map(|n| format!("{from}{n}")).collect() };
    zone.push(format!("A a.example = {}", list("192.0.2.", 16).join(", ")));
    zone.push(format!(
        "AAAA a.example = {}",
        list("2001:db8::", 3).join(", ")
    ));
    let zone: Vec<&str> = zone.iter().map(String::as_str).collect();
    let hop = mx_of("x.example");
    let mut first_four = HashSet::new();
    for seed in 0..200 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let Verdict::Try(hosts) = decide(&hop, &own(), &facts(&zone), 0, &mut rng) else {
            panic!("a host with addresses");
        };
        let addresses = &hosts.list[0].addresses;
        assert_eq!(addresses.len(), 19);
        let kinds: Vec<bool> = addresses.iter().map(IpAddr::is_ipv6).collect();
        assert_eq!(kinds[..6], [true, false, true, false, true, false]);
        first_four.insert(addresses[1]);
    }
    assert_eq!(first_four.len(), 16);
}

#[test]
fn who_is_left_out_is_told_why() {
    let zone = [
        "MX example.org = 10 a.example, 20 mx.home.example, 20 b.example, 30 b.example, 5 no.example, 1 bad",
        "A a.example = 192.0.2.1",
        "A mx.home.example = 192.0.2.99",
        "A b.example = 192.0.2.2",
        "A no.example =",
        "AAAA no.example =",
    ];
    let hop = mx_of("example.org");
    let told: Vec<String> = left_out(&hop, &own(), &facts(&zone), &mut SmallRng::seed_from_u64(1))
        .into_iter()
        .map(|(name, preference, why)| format!("{preference} {name}: {why}"))
        .collect();
    assert_eq!(
        told,
        [
            "1 a b: it is no host name",
            "5 no.example: it has no address",
            "20 mx.home.example: it is this server",
            "20 b.example: equal to or worse than this server (MX 20)",
            "30 b.example: equal to or worse than this server (MX 20)",
        ]
    );
}
