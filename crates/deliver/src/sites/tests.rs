use mailtypes::{EnhancedCode, Mailbox};

use super::*;
use crate::limits::OVERFLOW_DOMAINS_MAX;
use crate::testing::due;

fn sites(total: usize, per_hop: usize) -> Sites {
    Sites::new(Limits { total, per_hop })
}

fn hop(name: &str) -> NextHop {
    NextHop::mx_of(mailtypes::Domain::parse(name).unwrap())
}

fn retry(n: u32) -> Due {
    Due {
        attempts: 1,
        ..due(n)
    }
}

fn to(n: u32, address: &str) -> Due {
    Due {
        address: Mailbox::parse(address).unwrap(),
        ..due(n)
    }
}

fn offer(sites: &mut Sites, hop: &NextHop, due: Due) -> &'static str {
    match sites.offer(hop, due, "test", Timestamp::EPOCH) {
        Offered::Taken => "taken",
        Offered::NoRoom => "no room",
        Offered::Down(..) => "down",
    }
}

/// Recipients of the jobs that a worker gets.
fn take(sites: &mut Sites, hop: &NextHop, max: usize) -> usize {
    let jobs = sites.take(hop, max);
    jobs.iter().map(|job| job.recipients.len()).sum()
}

fn status() -> Status {
    Status::new(EnhancedCode::new(4, 4, 1), "nobody there")
}

#[test]
fn a_site_gets_workers_up_to_both_limits() {
    let mut sites = sites(3, 2);
    let (one, other) = (hop("one.example"), hop("other.example"));
    for n in 0..1000 {
        // Each is a message of its own.
        let hop = if n % 2 == 0 { &one } else { &other };
        let due = Due {
            item: ItemId::from_i64(i64::from(n) + 1).unwrap(),
            ..due(0)
        };
        offer(&mut sites, hop, due);
    }
    let hired: Vec<_> = std::iter::from_fn(|| sites.hire())
        .map(|(hop, _)| hop)
        .collect();
    assert_eq!(hired, [one.clone(), other.clone(), one.clone()]);
    sites.leave(&one, false);
    assert_eq!(sites.hire(), Some((other.clone(), false)));
    assert_eq!(sites.hire(), None);
}

#[test]
fn retries_leave_workers_for_what_is_new() {
    let mut sites = sites(4, 4);
    for n in 0..4 {
        let name = format!("old{n}.example");
        assert_eq!(offer(&mut sites, &hop(&name), retry(n)), "taken");
    }
    let hired = std::iter::from_fn(|| sites.hire()).count();
    assert_eq!(hired, 3);
    offer(&mut sites, &hop("new.example"), due(9));
    assert_eq!(sites.hire(), Some((hop("new.example"), false)));
}

#[test]
fn a_site_that_is_down_says_so_until_its_time_is_over() {
    let mut sites = sites(9, 9);
    let hop = hop("one.example");
    offer(&mut sites, &hop, due(1));
    sites.hire().unwrap();
    take(&mut sites, &hop, 1);
    offer(&mut sites, &hop, due(2));
    let until = Timestamp::from_millis(60_000);
    let back = sites.failed(&hop, &status(), |failures| {
        assert_eq!(failures, 0);
        until
    });
    assert_eq!(back.len(), 1);
    sites.leave(&hop, false);
    assert_eq!(offer(&mut sites, &hop, due(3)), "down");
    // It is in the hand of whoever offered it.
    assert_eq!(offer(&mut sites, &hop, due(3)), "taken");
    let later = sites.offer(&hop, due(4), "test", until);
    assert!(matches!(later, Offered::Taken), "{later:?}");
    // The next failure is the second one in a row.
    sites.hire().unwrap();
    sites.failed(&hop, &status(), |failures| {
        assert_eq!(failures, 1);
        until + std::time::Duration::from_secs(60)
    });
    sites.leave(&hop, false);
    assert_eq!(offer(&mut sites, &hop, due(5)), "down");
    sites.forgive();
    assert_eq!(offer(&mut sites, &hop, due(6)), "taken");
}

#[test]
fn a_host_that_turns_one_worker_away_keeps_the_others() {
    let mut sites = sites(9, 9);
    let hop = hop("one.example");
    for n in 0..100 {
        let due = Due {
            item: ItemId::from_i64(n + 1).unwrap(),
            ..due(0)
        };
        offer(&mut sites, &hop, due);
    }
    while sites.hire().is_some() {}
    assert!(sites.failed(&hop, &status(), |_| unreachable!()).is_empty());
    sites.leave(&hop, false);
    assert_eq!(sites.hire(), None, "eight are enough");
}

#[test]
fn what_finds_no_place_is_fetched_when_there_is_some() {
    let mut sites = sites(1, 1);
    let hop = hop("one.example");
    let limit = u32::try_from(SITE_WAITING_MAX).unwrap();
    for n in 0..limit {
        assert_eq!(offer(&mut sites, &hop, due(n)), "taken");
    }
    assert_eq!(
        offer(&mut sites, &hop, to(limit, "ann@b.example")),
        "no room"
    );
    assert_eq!(
        offer(&mut sites, &hop, to(limit + 1, "ann@a.example")),
        "no room"
    );
    assert_eq!(sites.take_hungry(), vec![]);
    sites.hire().unwrap();
    while take(&mut sites, &hop, 1) > 0 {}
    let hosts = ["a.example", "b.example"].map(|name| Mailbox::parse(&format!("x@{name}")));
    let hosts = hosts.map(|mailbox| mailbox.unwrap().host).to_vec();
    assert_eq!(sites.take_hungry(), vec![Refill::Domains(hosts)]);
    assert_eq!(sites.take_hungry(), vec![]);
}

#[test]
fn with_too_many_domains_the_whole_queue_is_gone_through() {
    let mut sites = sites(1, 1);
    let hop = hop("one.example");
    let limit = u32::try_from(SITE_WAITING_MAX).unwrap();
    for n in 0..limit {
        offer(&mut sites, &hop, due(n));
    }
    for n in 0..=u32::try_from(OVERFLOW_DOMAINS_MAX).unwrap() {
        offer(
            &mut sites,
            &hop,
            to(limit + n, &format!("ann@d{n}.example")),
        );
    }
    sites.hire().unwrap();
    while take(&mut sites, &hop, 1) > 0 {}
    assert_eq!(sites.take_hungry(), vec![Refill::Everything]);
}

#[test]
fn what_was_due_anew_while_in_hand_is_not_forgotten() {
    let mut sites = sites(1, 1);
    let hop = hop("one.example");
    let later = Due {
        due: Timestamp::from_millis(5000),
        ..due(1)
    };
    offer(&mut sites, &hop, due(1));
    assert_eq!(offer(&mut sites, &hop, due(1)), "taken");
    assert!(!sites.release([due(1)].iter()));
    offer(&mut sites, &hop, due(1));
    assert_eq!(offer(&mut sites, &hop, later), "taken");
    assert!(sites.has_any_of(due(1).item));
    assert!(sites.release([due(1)].iter()));
    assert!(!sites.has_any_of(due(1).item));
}

#[test]
fn a_job_that_is_put_back_comes_first() {
    let mut sites = sites(1, 1);
    let hop = hop("one.example");
    for n in 1..=3 {
        let due = Due {
            item: ItemId::from_i64(n).unwrap(),
            ..due(0)
        };
        offer(&mut sites, &hop, due);
    }
    sites.hire().unwrap();
    let mut jobs = sites.take(&hop, 1);
    let job = jobs.pop().unwrap();
    let first = job.item();
    sites.put_back(&hop, job);
    assert_eq!(sites.take(&hop, 1)[0].item(), first);
    assert_eq!(sites.room(), (WAITING_LANE_MAX - 2, WAITING_LANE_MAX));
}
