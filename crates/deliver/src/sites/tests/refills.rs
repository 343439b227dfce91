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
    assert_eq!(sites.next_refill(), None);
    let id = connect(&mut sites);
    while take(&mut sites, id, 1) > 0 {}
    for due in [second, first] {
        let refill = sites.next_refill().unwrap();
        assert_eq!(refill.domain.as_ref(), Some(&due.address.host));
        assert_eq!(refill.after, Cursor::before(&due));
        assert_eq!((refill.age, refill.limit), (Age::Fresh, SITE_WAITING_MAX));
        // Until somebody says what came of it, it is not forgotten.
        assert_eq!(sites.next_refill().as_ref(), Some(&refill));
        sites.went_on(&refill, None);
    }
    assert_eq!(sites.next_refill(), None);
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
    let refill = sites.next_refill().unwrap();
    let next = Cursor::before(&due(2000));
    sites.went_on(&refill, Some(next));
    let refill = sites.next_refill().unwrap();
    assert_eq!(refill.after, next);
    for n in 0..limit {
        offer(&mut sites, &hop, due(3000 + n));
    }
    assert_eq!(offer(&mut sites, &hop, due(1500)), "no room");
    assert_eq!(offer(&mut sites, &hop, due(9000)), "no room");
    while take(&mut sites, id, 1) > 0 {}
    let refill = sites.next_refill().unwrap();
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
    let refill = sites.next_refill().unwrap();
    assert_eq!(refill.domain, None);
    assert_eq!(
        refill.after,
        Cursor::before(&to(limit, "ann@d0.example")),
        "from the first that found no room"
    );
}
