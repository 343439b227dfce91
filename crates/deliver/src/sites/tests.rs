use mailtypes::{EnhancedCode, Status};
use store::Lane;

use super::*;
use crate::limits::CAP_GROWS_AFTER;
use crate::testing::due;

mod refills;

fn sites(total: usize, per_hop: usize) -> Sites {
    Sites::new(Limits { total, per_hop })
}

fn hop(name: &str) -> NextHop {
    NextHop::mx_of(mailtypes::Domain::parse(name).unwrap())
}

fn retry(n: u32) -> Due {
    Due {
        lane: Lane::Again,
        ..due(n)
    }
}

/// A message of its own.
fn message(n: i64) -> Due {
    Due {
        item: ItemId::from_i64(n + 1).unwrap(),
        ..due(0)
    }
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_millis(secs * 1000)
}

fn offer(sites: &mut Sites, hop: &NextHop, due: Due) -> &'static str {
    offer_at(sites, hop, due, None, 0)
}

/// With the pause after its last attempt, in seconds.
fn offer_at(
    sites: &mut Sites,
    hop: &NextHop,
    due: Due,
    own_pause: Option<u64>,
    secs: i64,
) -> &'static str {
    let own_pause = own_pause.map(Duration::from_secs);
    match sites.offer(hop, due, "test", own_pause, at(secs)) {
        Offered::Taken => "taken",
        Offered::NoRoom => "no room",
        Offered::Down(..) => "down",
    }
}

/// Recipients of the jobs that a worker gets.
fn take(sites: &mut Sites, id: WorkerId, max: usize) -> usize {
    let jobs = sites.take(id, max);
    jobs.iter().map(|job| job.recipients.len()).sum()
}

fn hire(sites: &mut Sites) -> Option<WorkerId> {
    sites.hire().map(|(id, _)| id)
}

fn hire_all(sites: &mut Sites) -> Vec<WorkerId> {
    std::iter::from_fn(|| hire(sites)).collect()
}

/// A worker that is connected.
fn connect(sites: &mut Sites) -> WorkerId {
    let (id, hop) = sites.hire().unwrap();
    sites.reached(&hop, Some(id));
    id
}

/// A worker that began at one second does not get through at another one; the site is then left
/// alone for a minute. Answers how many jobs come back.
fn fail(sites: &mut Sites, hop: &NextHop, id: WorkerId, began: i64, now: i64) -> Option<usize> {
    let times = (at(began), at(now));
    match sites.failed(hop, Some(id), &status(), times, |_| at(now + 60)) {
        Failed::Enough => None,
        Failed::Down(jobs) => Some(jobs.len()),
    }
}

fn status() -> Status {
    Status::new(EnhancedCode::new(4, 4, 1), "nobody there")
}

#[test]
fn a_site_gets_workers_up_to_both_limits() {
    let mut sites = sites(3, 2);
    let (one, other) = (hop("one.example"), hop("other.example"));
    for n in 0..1000 {
        let hop = if n % 2 == 0 { &one } else { &other };
        offer(&mut sites, hop, message(n));
    }
    let first = connect(&mut sites);
    let second = sites.hire().unwrap();
    assert_eq!(second.1, other, "one each");
    assert_eq!(sites.hire().unwrap().1, one);
    assert_eq!(sites.hire(), None);
    sites.leave(first);
    assert_eq!(sites.hire(), None, "nobody has reached the other yet");
    sites.reached(&other, Some(second.0));
    assert_eq!(sites.hire().unwrap().1, other);
}

/// A host that nobody has reached may be dead: that costs one worker.
#[test]
fn until_somebody_is_reached_one_worker_goes_and_looks() {
    let mut sites = sites(100, 20);
    let hop = hop("one.example");
    for n in 0..100 {
        offer(&mut sites, &hop, message(n));
    }
    let first = hire(&mut sites).unwrap();
    assert_eq!(sites.hire(), None);
    // It leaves the others their part.
    assert_eq!(take(&mut sites, first, 10), 5);
    assert!(sites.reached(&hop, Some(first)), "more may come");
    assert_eq!(hire_all(&mut sites).len(), 19);
    assert!(!sites.reached(&hop, Some(first)));
}

#[test]
fn one_job_gets_one_worker() {
    let mut sites = sites(100, 20);
    let hop = hop("one.example");
    offer(&mut sites, &hop, message(0));
    let first = connect(&mut sites);
    assert_eq!(take(&mut sites, first, 10), 1);
    for n in 1..4 {
        offer(&mut sites, &hop, message(n));
    }
    let more = hire_all(&mut sites);
    assert_eq!(more.len(), 3);
    for id in &more {
        assert_eq!(take(&mut sites, *id, 10), 1);
        sites.leave(*id);
    }
    offer(&mut sites, &hop, message(9));
    sites.stand_by(first, true);
    assert_eq!(sites.hire(), None, "somebody stands by");
}

/// What the DNS says goes for all that waits, a fault of this machine for nothing else.
#[test]
fn who_is_turned_away_leaves_the_jobs_to_those_that_are_connected() {
    let mut sites = sites(9, 9);
    let hop = hop("one.example");
    for n in 0..10 {
        offer(&mut sites, &hop, message(n));
    }
    let back = |failed| match failed {
        Failed::Enough => None,
        Failed::Down(jobs) => Some(jobs.len()),
    };
    let first = connect(&mut sites);
    let second = hire(&mut sites).unwrap();
    for all in [true, false] {
        assert_eq!(back(sites.turned_away(&hop, Some(second), all)), None);
    }
    assert_eq!(back(sites.turned_away(&hop, Some(first), false)), Some(0));
    assert_eq!(back(sites.turned_away(&hop, Some(first), true)), Some(10));
    assert_eq!(
        offer(&mut sites, &hop, message(20)),
        "taken",
        "it is not down"
    );
}

#[test]
fn retries_leave_workers_for_what_is_new() {
    for (total, retries) in [(1, 1), (2, 1), (3, 2), (4, 3), (500, 375)] {
        assert_eq!(hiring::retries_max(total), retries, "{total}");
    }
    let mut sites = sites(4, 4);
    for n in 0..4 {
        let name = format!("old{n}.example");
        assert_eq!(offer(&mut sites, &hop(&name), retry(n)), "taken");
    }
    assert_eq!(hire_all(&mut sites).len(), 3);
    offer(&mut sites, &hop("new.example"), due(9));
    assert_eq!(sites.hire().unwrap().1, hop("new.example"));
}

/// Whoever was hired for new mail and goes on with retries counts among those.
#[test]
fn a_worker_that_goes_on_with_retries_counts_as_one() {
    let mut sites = sites(2, 2);
    let (one, other) = (hop("one.example"), hop("other.example"));
    offer(&mut sites, &one, due(1));
    let first = connect(&mut sites);
    assert_eq!(take(&mut sites, first, 10), 1);
    offer(&mut sites, &one, retry(2));
    assert_eq!(take(&mut sites, first, 10), 1);
    offer(&mut sites, &other, retry(3));
    assert_eq!(sites.hire(), None, "the last one is for new mail");
    // And once there are enough, a worker for new mail takes no retries.
    offer(&mut sites, &hop("new.example"), due(4));
    let second = connect(&mut sites);
    offer(&mut sites, &hop("new.example"), retry(5));
    assert_eq!(take(&mut sites, second, 10), 1);
    assert_eq!(take(&mut sites, second, 10), 0);
    sites.leave(first);
    assert_eq!(take(&mut sites, second, 10), 1);
}

#[test]
fn new_mail_goes_before_old_and_old_mail_goes_too() {
    let mut sites = sites(1, 1);
    let hop = hop("one.example");
    for n in 0..100 {
        let old = Due {
            lane: Lane::Again,
            ..message(n)
        };
        offer(&mut sites, &hop, old);
    }
    for n in 100..200 {
        offer(&mut sites, &hop, message(n));
    }
    let id = connect(&mut sites);
    let mut fresh = Vec::new();
    for _ in 0..8 {
        let jobs = sites.take(id, 5);
        fresh.push(jobs.iter().filter(|job| job.age() == Age::Fresh).count());
    }
    assert_eq!(fresh.iter().sum::<usize>(), 30, "{fresh:?}");
}

#[test]
fn a_site_that_is_down_says_so_until_its_time_is_over() {
    let mut sites = sites(9, 9);
    let hop = hop("one.example");
    offer(&mut sites, &hop, message(1));
    let id = hire(&mut sites).unwrap();
    take(&mut sites, id, 1);
    offer(&mut sites, &hop, message(2));
    assert_eq!(fail(&mut sites, &hop, id, 0, 30), Some(1));
    // Also while the worker has not left.
    assert_eq!(offer_at(&mut sites, &hop, message(3), None, 31), "down");
    sites.leave(id);
    // It is in the hand of whoever offered it.
    assert_eq!(offer_at(&mut sites, &hop, message(3), None, 31), "taken");
    assert_eq!(offer_at(&mut sites, &hop, message(4), None, 89), "down");
    assert_eq!(offer_at(&mut sites, &hop, message(4), None, 90), "taken");
    assert_eq!(offer_at(&mut sites, &hop, message(5), None, 90), "taken");
    // The next failure is the second one in a row.
    let id = hire(&mut sites).unwrap();
    let until = |failures| {
        assert_eq!(failures, 1);
        at(300)
    };
    sites.failed(&hop, Some(id), &status(), (at(90), at(91)), until);
    sites.leave(id);
    assert_eq!(offer_at(&mut sites, &hop, message(6), None, 92), "down");
    sites.forgive(at(92), |other| *other != hop);
    assert_eq!(offer_at(&mut sites, &hop, message(8), None, 92), "down");
    sites.forgive(at(92), |_| true);
    assert_eq!(offer_at(&mut sites, &hop, message(7), None, 92), "taken");
}

/// Whoever gives an order has something in mind that they did not see who were on their way.
#[test]
fn a_try_that_an_order_overtakes_tells_nothing_of_the_site() {
    let mut sites = sites(9, 9);
    let hop = hop("one.example");
    for (began, expect) in [(10, "taken"), (20, "down")] {
        offer(&mut sites, &hop, message(1));
        let id = hire(&mut sites).unwrap();
        take(&mut sites, id, 1);
        sites.forgive(at(20), |_| true);
        assert_eq!(fail(&mut sites, &hop, id, began, 30), Some(0));
        sites.leave(id);
        sites.give_back([message(1)].iter());
        let found = offer_at(&mut sites, &hop, message(2), None, 31);
        assert_eq!(found, expect, "began at {began}");
        let id = hire(&mut sites);
        let jobs = id.map(|id| (take(&mut sites, id, 9), sites.leave(id)));
        assert_eq!(jobs.is_some(), expect == "taken");
        sites.give_back([message(2)].iter());
    }
}

#[test]
fn a_retry_in_a_pause_does_not_make_it_longer() {
    let mut sites = sites(9, 9);
    let hop = hop("one.example");
    offer(&mut sites, &hop, message(1));
    let id = hire(&mut sites).unwrap();
    take(&mut sites, id, 1);
    fail(&mut sites, &hop, id, 0, 30);
    sites.leave(id);
    assert_eq!(
        offer_at(&mut sites, &hop, message(2), Some(10), 45),
        "taken"
    );
    let id = hire(&mut sites).unwrap();
    take(&mut sites, id, 1);
    let times = (at(45), at(50));
    sites.failed(&hop, Some(id), &status(), times, |_| {
        unreachable!("it goes on")
    });
    sites.leave(id);
    // It is a visit, and the last try that there was.
    assert_eq!(sites.visits(&hop), 2);
    assert_eq!(offer_at(&mut sites, &hop, message(3), Some(10), 55), "down");
    assert_eq!(offer_at(&mut sites, &hop, message(4), None, 89), "down");
    assert_eq!(offer_at(&mut sites, &hop, message(5), None, 90), "taken");
}

/// When nothing was tried for as long as a recipient waits between its own attempts, it is tried.
#[test]
fn a_long_pause_of_a_site_does_not_swallow_retries() {
    let down = Down {
        since: at(0),
        until: at(3600),
        status: status(),
    };
    for (own_pause, now, kept) in [
        (None, 3599, Some(3600)),
        (None, 3600, None),
        (Some(300), 299, Some(300)),
        (Some(300), 300, None),
        (Some(14_400), 3599, Some(14_400)),
        (Some(14_400), 3600, None),
    ] {
        let own = own_pause.map(Duration::from_secs);
        let until = down.keeps_back(own, at(now)).then(|| down.keeps_until(own));
        assert_eq!(until, kept.map(at), "{own_pause:?} at {now}");
    }
}

#[test]
fn workers_that_see_the_same_failure_count_once() {
    let mut sites = sites(9, 9);
    let hop = hop("one.example");
    for n in 0..20 {
        offer(&mut sites, &hop, message(n));
    }
    let first = connect(&mut sites);
    let second = connect(&mut sites);
    assert_eq!(fail(&mut sites, &hop, first, 0, 30), None);
    assert_eq!(fail(&mut sites, &hop, second, 0, 30), Some(20));
    let late = |_| unreachable!("it is known");
    sites.failed(&hop, None, &status(), (at(10), at(40)), late);
    assert_eq!(offer_at(&mut sites, &hop, message(30), None, 89), "down");
    assert_eq!(offer_at(&mut sites, &hop, message(31), None, 90), "taken");
}

#[test]
fn a_host_that_turns_one_worker_away_keeps_the_others_and_gets_more_with_time() {
    let mut sites = sites(9, 4);
    let hop = hop("one.example");
    for n in 0..400 {
        offer(&mut sites, &hop, message(n));
    }
    let mut all = vec![connect(&mut sites)];
    all.extend(hire_all(&mut sites));
    for id in &all[1..3] {
        sites.reached(&hop, Some(*id));
    }
    assert_eq!(fail(&mut sites, &hop, all[3], 0, 1), None);
    sites.leave(all[3]);
    assert_eq!(sites.hire(), None, "three are enough");
    sites.leave(all[2]);
    let third = connect(&mut sites);
    assert_eq!(fail(&mut sites, &hop, third, 0, 1), None);
    sites.leave(third);
    assert_eq!(sites.hire(), None, "two are enough");
    for most in [3, 4] {
        for n in 1..=CAP_GROWS_AFTER {
            assert_eq!(sites.handed_over(&hop), n == CAP_GROWS_AFTER);
        }
        connect(&mut sites);
        assert_eq!(sites.hire(), None, "{most}");
    }
    assert!(!sites.handed_over(&hop), "there is no cap any more");
}

#[test]
fn slow_sites_leave_room_for_those_that_come_late() {
    let mut sites = sites(500, 20);
    for site in 0..200 {
        let hop = hop(&format!("slow{site}.example"));
        for n in 0..600 {
            offer(&mut sites, &hop, message(site * 1000 + n));
        }
    }
    assert!(sites.room(Age::Fresh) > 0);
    assert_eq!(
        offer(&mut sites, &hop("late.example"), message(-1)),
        "taken"
    );
}

#[test]
fn sites_with_nothing_to_do_are_forgotten_but_for_their_failures() {
    let mut sites = sites(9, 9);
    let (good, bad) = (hop("good.example"), hop("bad.example"));
    offer(&mut sites, &good, message(1));
    let id = connect(&mut sites);
    take(&mut sites, id, 1);
    sites.leave(id);
    assert!(sites.sites.is_empty());
    offer(&mut sites, &bad, message(2));
    let id = hire(&mut sites).unwrap();
    take(&mut sites, id, 1);
    fail(&mut sites, &bad, id, 0, 1);
    sites.leave(id);
    assert_eq!((sites.sites.len(), sites.sleeping.len()), (1, 1));
    // Of too many the one goes that would be tried next.
    for n in 0..SITES_MAX {
        let hop = hop(&format!("d{n}.example"));
        let until = at(100 + i64::try_from(n).unwrap());
        sites.site(&hop);
        let times = (at(1), at(2));
        sites.failed(&hop, None, &status(), times, |_| until);
    }
    assert_eq!(sites.sites.len(), SITES_MAX);
    assert!(!sites.sites.contains_key(&bad));
    // Forgiven is not forgotten: which of many hosts come next.
    let last = hop("d7.example");
    sites.forgive(at(92), |_| true);
    assert_eq!((sites.visits(&last), sites.sleeping.len()), (1, SITES_MAX));
    assert_eq!(offer_at(&mut sites, &last, message(3), None, 3), "taken");
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

/// Between a look into the queue and what is done about it, an attempt may end and be written down.
#[test]
fn what_was_seen_before_it_was_dealt_with_is_not_tried_again() {
    let mut sites = sites(1, 1);
    let hop = hop("one.example");
    let later = Due {
        due: Timestamp::from_millis(5000),
        ..due(1)
    };
    offer(&mut sites, &hop, due(1));
    let id = connect(&mut sites);
    assert_eq!(take(&mut sites, id, 1), 1);
    sites.look_begins();
    assert!(!sites.release([due(1)].iter()));
    offer(&mut sites, &hop, due(1));
    assert_eq!(take(&mut sites, id, 1), 0, "it is over");
    offer(&mut sites, &hop, later);
    assert_eq!(take(&mut sites, id, 1), 1, "it is due anew");
    sites.look_ends();
    assert!(!sites.release([due(1)].iter()));
    offer(&mut sites, &hop, due(1));
    assert_eq!(take(&mut sites, id, 1), 1, "it was let go");
}

#[test]
fn a_job_that_is_put_back_comes_first() {
    let mut sites = sites(1, 1);
    let hop = hop("one.example");
    for n in 1..=3 {
        offer(&mut sites, &hop, message(n));
    }
    let id = connect(&mut sites);
    let job = sites.take(id, 1).pop().unwrap();
    let first = job.item();
    sites.put_back(&hop, job);
    assert_eq!(sites.take(id, 1)[0].item(), first);
    assert_eq!(sites.room(Age::Fresh), WAITING_LANE_MAX - 2);
    assert_eq!(sites.room(Age::Again), WAITING_LANE_MAX);
}
