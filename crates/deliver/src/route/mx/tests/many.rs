//! More exchangers than are asked about at a time.

use super::*;
use crate::limits::MX_ASKED_MAX;

/// `h1.example` to `h<count>.example`, each worse than the one before.
fn mx(count: usize) -> String {
    let list: Vec<String> = (1..=count).map(|n| format!("{n} h{n}.example")).collect();
    format!("MX example.org = {}", list.join(", "))
}

/// That exchangers have no address (``), are not to be had now (`!`) or have one.
fn hosts(numbers: impl Iterator<Item = usize>, address: &str) -> Vec<String> {
    let lines = numbers.flat_map(|n| {
        [
            format!("A h{n}.example = {address}"),
            format!("AAAA h{n}.example ="),
        ]
    });
    lines.collect()
}

#[track_caller]
fn check_many(count: usize, parts: &[Vec<String>], visit: u32, expect: &str) {
    let mx = mx(count);
    let lines = parts.iter().flatten().map(String::as_str);
    let zone: Vec<&str> = std::iter::once(mx.as_str()).chain(lines).collect();
    let mut rng = SmallRng::seed_from_u64(1);
    let verdict = decide(
        &mx_of("example.org"),
        &own(),
        &facts(&zone),
        visit,
        &mut rng,
    );
    assert_eq!(in_words(verdict), expect, "{count} of them, visit {visit}");
}

fn asks(from: usize, to: usize) -> String {
    let questions: Vec<String> = (from..=to)
        .map(|n| format!("Aaaa h{n}.example, A h{n}.example"))
        .collect();
    format!("ask {}", questions.join(", "))
}

#[test]
fn when_the_first_ones_have_no_address_the_next_ones_are_asked_about() {
    check_many(26, &[], 0, &asks(1, 20));
    let none = hosts(1..=20, "");
    check_many(26, std::slice::from_ref(&none), 0, &asks(21, 26));
    let rest = [
        none.clone(),
        hosts(21..=25, ""),
        hosts(26..=26, "192.0.2.1"),
    ];
    check_many(26, &rest, 0, "h26.example [192.0.2.1]");
    check_many(
        26,
        &[none, hosts(21..=26, "")],
        0,
        "never 5.4.4 no mail exchanger of example.org has an address",
    );
    let ill = [hosts(1..=20, "!"), hosts(21..=26, "192.0.2.1")];
    let found: Vec<String> = (21..=26)
        .map(|n| format!("h{n}.example [192.0.2.1]"))
        .collect();
    check_many(26, &ill, 0, &format!("{}, perhaps more", found.join(", ")));
}

#[test]
fn what_was_not_asked_about_is_not_known() {
    let some = [hosts(1..=1, "192.0.2.1"), hosts(2..=20, "")];
    check_many(20, &some, 0, "h1.example [192.0.2.1]");
    check_many(21, &some, 0, "h1.example [192.0.2.1], perhaps more");
    let none = hosts(1..=MX_ASKED_MAX, "");
    check_many(
        MX_ASKED_MAX + 1,
        &[none],
        0,
        "later 4.4.4 none of the first 100 mail exchangers of example.org has an address",
    );
}

/// Hosts that are there and take nothing do not hide those behind them for ever.
#[test]
fn each_visit_that_reached_nobody_looks_further() {
    let dead = hosts(1..=20, "192.0.2.1");
    check_many(50, std::slice::from_ref(&dead), 1, &asks(21, 40));
    let more = hosts(21..=40, "192.0.2.2");
    check_many(50, &[dead, more], 2, &asks(41, 50));
    let all = hosts(1..=MX_ASKED_MAX, "");
    check_many(
        300,
        &[all],
        u32::MAX,
        "later 4.4.4 none of the first 100 mail exchangers of example.org has an address",
    );
}

#[test]
fn who_was_not_asked_about_is_told_so() {
    let (mx, lines) = (mx(21), hosts(1..=20, "192.0.2.1"));
    let zone: Vec<&str> = std::iter::once(mx.as_str())
        .chain(lines.iter().map(String::as_str))
        .collect();
    let hop = mx_of("example.org");
    assert_eq!(
        left_out(&hop, &own(), &facts(&zone), &mut SmallRng::seed_from_u64(1)),
        [("h21.example".to_owned(), 21, "not asked".to_owned())]
    );
}
