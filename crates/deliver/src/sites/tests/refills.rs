//! What finds no place, and where it is found again.

use mailtypes::Mailbox;
use store::Cursor;

use super::*;
use crate::limits::{OVERFLOW_DOMAINS_MAX, SITE_WAITING_MAX};

fn to(n: u32, address: &str) -> Due {
    Due {
        address: Mailbox::parse(address).unwrap(),
        ..due(n)
    }
}

#[test]
fn what_finds_no_place_is_fetched_when_there_is_some() {
    let mut sites = sites(1, 1);
    let hop = hop("one.example");
    let limit = u32::try_from(SITE_WAITING_MAX).unwrap();
    for n in 0..limit {
        assert_eq!(offer(&mut sites, &hop, due(n)), "taken");
    }
    // Retries have room of their own.
    assert_eq!(offer(&mut sites, &hop, retry(9000)), "taken");
    let (first, second) = (to(limit, "ann@b.example"), to(limit + 1, "ann@a.example"));
    for due in [&second, &first] {
        assert_eq!(offer(&mut sites, &hop, due.clone()), "no room");
    }
    assert_eq!(sites.next_refill(Age::Fresh), None);
    let id = connect(&mut sites);
    while take(&mut sites, id, 1) > 0 {}
    for due in [second, first] {
        let refill = sites.next_refill(Age::Fresh).unwrap();
        assert_eq!(refill.domain.as_ref(), Some(&due.address.host));
        assert_eq!(refill.after, Cursor::before(&due));
        assert_eq!((refill.age, refill.limit), (Age::Fresh, SITE_WAITING_MAX));
        // Until somebody says what came of it, it is not forgotten.
        assert_eq!(sites.next_refill(Age::Fresh).as_ref(), Some(&refill));
        sites.went_on(&refill, None);
    }
    assert_eq!(sites.next_refill(Age::Fresh), None);
}

/// A page that was full is not all that there is.
#[test]
fn a_refill_goes_on_behind_its_page_and_back_to_what_found_no_room() {
    let mut sites = sites(1, 1);
    let hop = hop("one.example");
    let limit = u32::try_from(SITE_WAITING_MAX).unwrap();
    for n in 0..=limit {
        offer(&mut sites, &hop, due(n));
    }
    let id = connect(&mut sites);
    while take(&mut sites, id, 1) > 0 {}
    let refill = sites.next_refill(Age::Fresh).unwrap();
    let next = Cursor::before(&due(2000));
    sites.went_on(&refill, Some(next));
    let refill = sites.next_refill(Age::Fresh).unwrap();
    assert_eq!(refill.after, next);
    for n in 0..limit {
        offer(&mut sites, &hop, due(3000 + n));
    }
    assert_eq!(offer(&mut sites, &hop, due(1500)), "no room");
    assert_eq!(offer(&mut sites, &hop, due(9000)), "no room");
    while take(&mut sites, id, 1) > 0 {}
    let refill = sites.next_refill(Age::Fresh).unwrap();
    assert_eq!(refill.after, Cursor::before(&due(1500)));
}

#[test]
fn with_too_many_domains_the_whole_lane_is_gone_through() {
    let mut sites = sites(1, 1);
    let hop = hop("one.example");
    let limit = u32::try_from(SITE_WAITING_MAX).unwrap();
    for n in 0..limit {
        offer(&mut sites, &hop, due(n));
    }
    for n in 0..=u32::try_from(OVERFLOW_DOMAINS_MAX).unwrap() {
        let address = format!("ann@d{n}.example");
        offer(&mut sites, &hop, to(limit + n, &address));
    }
    let id = connect(&mut sites);
    while take(&mut sites, id, 1) > 0 {}
    let refill = sites.next_refill(Age::Fresh).unwrap();
    assert_eq!(refill.domain, None);
    assert_eq!(
        refill.after,
        Cursor::before(&to(limit, "ann@d0.example")),
        "from the first that found no room"
    );
}

/// Neither age has to go through the sites of the other to find its own.
#[test]
fn first_attempts_and_others_are_fetched_apart_and_site_by_site() {
    let mut sites = sites(9, 9);
    let (one, other) = (hop("one.example"), hop("other.example"));
    let limit = u32::try_from(SITE_WAITING_MAX).unwrap();
    for (at, hop) in [(0, &one), (1, &other)] {
        for n in 0..=limit {
            let item = message(at).item;
            offer(&mut sites, hop, Due { item, ..retry(n) });
        }
    }
    for hop in [&one, &other] {
        let id = hire(&mut sites).unwrap();
        let Failed::Down(jobs) = sites.turned_away(hop, Some(id), true) else {
            panic!("nobody is connected there");
        };
        assert!(!jobs.is_empty());
    }
    let third = hop("new.example");
    for n in 0..=limit {
        let item = message(2).item;
        offer(&mut sites, &third, Due { item, ..due(n) });
    }
    let id = hire(&mut sites).unwrap();
    let Failed::Down(_) = sites.turned_away(&third, Some(id), true) else {
        panic!("nobody is connected there");
    };
    assert_eq!(sites.next_refill(Age::Fresh).unwrap().hop, third);
    let first = sites.next_refill(Age::Again).unwrap();
    let second = sites.next_refill(Age::Again).unwrap();
    assert_eq!((&first.hop, &second.hop), (&one, &other), "in turn");
    assert_eq!(sites.next_refill(Age::Again), Some(first.clone()));
    for refill in [first, second] {
        sites.went_on(&refill, None);
    }
    assert_eq!(sites.next_refill(Age::Again), None);
}
