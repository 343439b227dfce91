//! What delivery to other servers asks of the store.

use std::time::Duration;

use mailtypes::{Envelope, Host, ItemId, ReversePath, Timestamp};
use store::{
    About, Action, Attempt, Begun, Cursor, Destination, EventKind, Lane, Lease, NewItem, Outcome,
    RecipientState, ReportError, ReportKind, Selection, Store,
};

use crate::Backend;
use crate::kit::*;

fn attempt(item: ItemId, now: Timestamp, outcome: Outcome) -> Attempt {
    Attempt {
        item,
        recipient: 0,
        since: now,
        at: now,
        outcome,
        detail: "by test".to_owned(),
        trail: Some("{\"hop\":\"far.example\"}".to_owned()),
    }
}

const FAR: [(&str, Destination); 1] = [("x@far.example", Destination::Remote)];

pub(crate) async fn each_lane_has_its_own(backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let ann = store
        .add_account(&address("ann@example.org"), "*")
        .await
        .unwrap();
    let to_ann = [("ann@example.org", Destination::Account(ann))];
    let here = accept(&store, b"x", &to_ann).await;
    let fresh = accept(&store, b"x", &FAR).await;
    let again = accept(&store, b"x", &FAR).await;
    let owed = accept(&store, b"x", &FAR).await;
    let outcomes = vec![
        attempt(
            again,
            backend.now(),
            Outcome::Deferred(status(4), backend.now()),
        ),
        attempt(owed, backend.now(), Outcome::Failed(status(5))),
    ];
    store.record(&held, outcomes).await.unwrap();
    for (lane, expect) in [
        (Lane::Here, vec![here, owed]),
        (Lane::Fresh, vec![fresh]),
        (Lane::Again, vec![again]),
    ] {
        let page = store.due(&held, lane, None, 10).await.unwrap();
        let found: Vec<_> = page.due.iter().map(|due| due.item).collect();
        assert_eq!(found, expect, "{lane:?}");
    }
    assert_books_balance(&store).await;
}

/// Goes on through a lane from where it was left.
async fn walk<S: Store>(store: &S, held: &Lease, at: &mut Option<Cursor>) -> Vec<ItemId> {
    let page = store.due(held, Lane::Fresh, *at, 3).await.unwrap();
    *at = page.next;
    page.due.iter().map(|due| due.item).collect()
}

pub(crate) async fn a_walk_through_a_lane_misses_nothing(backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let mut accepted = Vec::new();
    let mut seen = Vec::new();
    let mut at = None;
    for round in 0..20 {
        for _ in 0..round % 3 {
            accepted.push(accept(&store, b"x", &FAR).await);
        }
        // Several rounds share one moment.
        if round % 2 == 0 {
            backend.advance(Duration::from_millis(1));
        }
        seen.extend(walk(&store, &held, &mut at).await);
    }
    backend.advance(Duration::from_millis(1));
    accepted.push(accept(&store, b"x", &FAR).await);
    for _ in 0..accepted.len() {
        seen.extend(walk(&store, &held, &mut at).await);
    }
    for id in &accepted {
        assert!(seen.contains(id), "{id} was passed over");
    }
    // What lies behind is not gone through again and again.
    let page = store.due(&held, Lane::Fresh, at, 1000).await.unwrap();
    assert!(page.due.len() < accepted.len() / 2, "{}", page.due.len());
}

/// Whoever walks never sees a place behind which somebody still writes.
pub(crate) async fn a_walk_beside_arrivals_misses_nothing(backend: impl Backend) {
    const WRITERS: usize = 8;
    const EACH: usize = 25;
    let store = backend.store();
    let held = lease(&store).await;
    let writers = (0..WRITERS).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut ids = Vec::new();
            for _ in 0..EACH {
                ids.push(accept(&store, b"x", &FAR).await);
            }
            ids
        })
    });
    let writers: Vec<_> = writers.collect();
    let (mut seen, mut at) = (Vec::new(), None);
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        seen.extend(walk(&store, &held, &mut at).await);
        // Several walks, and many arrivals, share one moment.
        if seen.len().is_multiple_of(4) {
            backend.advance(Duration::from_millis(1));
        }
        tokio::task::yield_now().await;
    }
    backend.advance(Duration::from_millis(1));
    for _ in 0..WRITERS * EACH {
        seen.extend(walk(&store, &held, &mut at).await);
    }
    for writer in writers {
        for id in writer.await.unwrap() {
            assert!(seen.contains(&id), "{id} was passed over");
        }
    }
}

pub(crate) async fn what_waits_for_one_host_is_found(backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let one = accept(&store, b"x", &FAR).await;
    accept(&store, b"x", &[("x@near.example", Destination::Remote)]).await;
    backend.advance(Duration::from_secs(1));
    let two = accept(&store, b"x", &FAR).await;
    let later = attempt(
        one,
        backend.now(),
        Outcome::Deferred(status(4), backend.now()),
    );
    let found = at_far(&store, &held, Lane::Fresh, None, 10).await;
    assert_eq!(found.0, [one, two]);
    store.record(&held, vec![later]).await.unwrap();
    let (found, next) = at_far(&store, &held, Lane::Fresh, None, 10).await;
    assert_eq!(found, [two]);
    assert_eq!(at_far(&store, &held, Lane::Again, None, 10).await.0, [one]);
    // Nothing that comes later stands before the place to go on from.
    let three = accept(&store, b"x", &FAR).await;
    backend.advance(Duration::from_secs(1));
    let (found, _) = at_far(&store, &held, Lane::Fresh, next, 10).await;
    assert!(found.contains(&three), "{found:?}");
}

/// However much waits for one host, whoever goes through it page by page finds it all, and can go
/// back to a place that he has seen.
pub(crate) async fn what_waits_for_one_host_comes_in_pages(backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let mut accepted = Vec::new();
    for n in 0..7 {
        accepted.push(accept(&store, b"x", &FAR).await);
        // Some share a moment.
        if n % 2 == 0 {
            backend.advance(Duration::from_millis(1));
        }
    }
    backend.advance(Duration::from_millis(1));
    accept(&store, b"x", &FAR).await;
    let (mut seen, mut at) = (Vec::new(), None);
    for _ in 0..4 {
        let (found, next) = at_far(&store, &held, Lane::Fresh, at, 2).await;
        seen.extend(found);
        at = next;
    }
    assert_eq!(seen[..7], accepted);
    let far = Host::parse("far.example").unwrap();
    let all = store.due_at(&held, &far, Lane::Fresh, None, 10).await;
    let back = Some(Cursor::before(&all.unwrap().due[3]));
    let (found, _) = at_far(&store, &held, Lane::Fresh, back, 2).await;
    assert_eq!(found, accepted[3..5]);
}

async fn at_far<S: Store>(
    store: &S,
    held: &Lease,
    lane: Lane,
    after: Option<Cursor>,
    limit: usize,
) -> (Vec<ItemId>, Option<Cursor>) {
    let far = Host::parse("far.example").unwrap();
    let page = store.due_at(held, &far, lane, after, limit).await.unwrap();
    (page.due.iter().map(|due| due.item).collect(), page.next)
}

pub(crate) async fn what_was_for_another_server_comes_home(mut backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let ann = account(&store, "ann@example.org").await;
    let id = accept(&store, b"x", &FAR).await;
    let stale = Lease {
        epoch: held.epoch - 1,
        ..held.clone()
    };
    let home = store.bring_home(&stale, (id, 0), ann, "it is ours").await;
    assert!(matches!(home, Err(store::StoreError::LeaseLost)));
    for _ in 0..2 {
        let home = store.bring_home(&held, (id, 0), ann, "it is ours").await;
        home.unwrap();
    }
    drop(store);
    backend.restart();
    let store = backend.store();
    let held = lease(&store).await;
    let page = store.due(&held, Lane::Here, None, 10).await.unwrap();
    assert_eq!(page.due[0].destination, Destination::Account(ann));
    assert_eq!(deliver_due(&store, &held).await.len(), 1);
    store
        .bring_home(&held, (id, 0), ann, "too late")
        .await
        .unwrap();
    let story = store.story(id).await.unwrap().unwrap();
    let events: Vec<_> = story.events.iter().map(|e| (e.kind, &*e.detail)).collect();
    assert_eq!(events[0], (EventKind::Retried, "it is ours"));
    assert_eq!(events[1].0, EventKind::Delivered);
    assert_eq!(events.len(), 2);
    assert_books_balance(&store).await;
}

pub(crate) async fn an_attempt_that_died_is_written_down(mut backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let id = accept(&store, b"x", &FAR).await;
    let begun = store.begin(&held, vec![(id, 0)], false).await.unwrap();
    assert_eq!(begun, [Begun::Go]);
    assert!(!due(&store, &held).await[0].suspect);
    let story = store.story(id).await.unwrap().unwrap();
    assert!(story.recipients[0].in_hand);
    let lines = store.queue(&Selection::default(), None, 10).await.unwrap();
    assert!(lines[0].recipients[0].in_hand);
    drop(store);
    backend.restart();
    let store = backend.store();
    let held = lease(&store).await;
    assert!(due(&store, &held).await[0].suspect);
    let story = store.story(id).await.unwrap().unwrap();
    assert!(!story.recipients[0].in_hand);
    let begun = store.begin(&held, vec![(id, 0), (id, 7)], false).await;
    assert_eq!(begun.unwrap(), [Begun::Go, Begun::NotWaiting]);
    let done = attempt(id, backend.now(), Outcome::Delivered(status(2)));
    store.record(&held, vec![done]).await.unwrap();
    let story = store.story(id).await.unwrap().unwrap();
    let kinds: Vec<_> = story.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Interrupted, EventKind::Delivered]);
    assert!(story.events[1].trail.is_some());
    assert_books_balance(&store).await;
}

pub(crate) async fn what_brings_the_server_down_twice_is_held(mut backend: impl Backend) {
    let id = accept(&backend.store(), b"x", &FAR).await;
    for expect in [Begun::Go, Begun::Go, Begun::SetAside] {
        let store = backend.store();
        let held = lease(&store).await;
        let begun = store.begin(&held, vec![(id, 0)], true).await.unwrap();
        assert_eq!(begun, [expect]);
        drop(store);
        backend.restart();
    }
    let store = backend.store();
    let story = store.story(id).await.unwrap().unwrap();
    assert_eq!(story.recipients[0].state, RecipientState::Held);
    assert_books_balance(&store).await;
    // A worker that came to grief counts in the same way.
    let id = accept(&store, b"x", &FAR).await;
    let held = lease(&store).await;
    for state in [RecipientState::Queued, RecipientState::Held] {
        let crashed = attempt(id, backend.now(), Outcome::Crashed(backend.now()));
        store.record(&held, vec![crashed]).await.unwrap();
        let story = store.story(id).await.unwrap().unwrap();
        assert_eq!(story.recipients[0].state, state);
    }
    assert_books_balance(&store).await;
}

/// An operator holds what is under way: what comes of the attempt is written down, and it stays held.
pub(crate) async fn an_attempt_at_what_is_held_is_written_down(backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let later = Outcome::Deferred(status(4), backend.now());
    let failed = Outcome::Failed(status(5));
    let crashed = Outcome::Crashed(backend.now());
    for (outcomes, kinds, strikes) in [
        (vec![later], vec![EventKind::Deferred], 0),
        (vec![failed], vec![EventKind::Failed], 0),
        (vec![crashed.clone()], vec![EventKind::Crashed], 1),
        // It is set aside as if it had waited; a release lets it begin anew.
        (
            vec![crashed.clone(), crashed],
            vec![EventKind::Crashed, EventKind::Crashed, EventKind::Held],
            0,
        ),
    ] {
        let id = accept(&store, b"x", &FAR).await;
        let begun = store.begin(&held, vec![(id, 0)], true).await.unwrap();
        assert_eq!(begun, [Begun::Go]);
        store.operate(Action::Hold, id, None, "x").await.unwrap();
        let attempts = u32::try_from(outcomes.len()).unwrap();
        for outcome in outcomes {
            store
                .record(&held, vec![attempt(id, backend.now(), outcome)])
                .await
                .unwrap();
        }
        let story = store.story(id).await.unwrap().unwrap();
        assert_eq!(story.recipients[0].state, RecipientState::Held);
        let told: Vec<_> = story.events[1..].iter().map(|event| event.kind).collect();
        assert_eq!(told, kinds);
        assert!(story.events[1].trail.is_some());
        assert_books_balance(&store).await;
        store.operate(Action::Release, id, None, "x").await.unwrap();
        let again = due(&store, &held).await;
        let again = again.iter().find(|due| due.item == id).unwrap();
        assert_eq!((again.attempts, again.strikes), (attempts, strikes));
        let story = store.story(id).await.unwrap().unwrap();
        assert!(!again.suspect && !story.recipients[0].in_hand);
        store.operate(Action::Remove, id, None, "x").await.unwrap();
    }
    assert_books_balance(&store).await;
}

/// A report to somebody far away.
fn report() -> NewItem {
    NewItem {
        envelope: Envelope::from(ReversePath::Null),
        origin: None,
        ..item(vec![recipient("bob@client.example", Destination::Remote)])
    }
}

async fn tell<S: Store>(
    store: &S,
    held: &Lease,
    item: ItemId,
    kind: ReportKind,
) -> Result<ItemId, ReportError> {
    let mut draft = store.draft();
    draft.write(b"Subject: report\r\n\r\n").await.unwrap();
    let about = About {
        item,
        recipients: vec![0],
        kind,
    };
    store.report(held, draft, report(), about).await
}

pub(crate) async fn a_report_and_its_end_come_together(mut backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let id = accept(&store, b"x", &FAR).await;
    let early = tell(&store, &held, id, ReportKind::Failure).await;
    assert_eq!(early, Err(ReportError::NotOwed));
    let failed = attempt(id, backend.now(), Outcome::Failed(status(5)));
    store.record(&held, vec![failed]).await.unwrap();
    let told = tell(&store, &held, id, ReportKind::Failure).await.unwrap();
    let twice = tell(&store, &held, id, ReportKind::Failure).await;
    assert_eq!(twice, Err(ReportError::NotOwed));
    drop(store);
    backend.restart();
    let store = backend.store();
    let story = store.story(id).await.unwrap().unwrap();
    assert_eq!(story.recipients[0].state, RecipientState::Bounced);
    let last = story.events.last().unwrap();
    assert_eq!(last.kind, EventKind::Bounced);
    assert!(last.detail.contains(&told.to_string()));
    assert!(store.open_item(id).await.unwrap().is_none());
    let report = store.story(told).await.unwrap().unwrap();
    assert_eq!((report.origin, report.recipients.len()), (None, 1));
    assert_books_balance(&store).await;
}

pub(crate) async fn a_warning_is_given_once(backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let id = accept(&store, b"x", &FAR).await;
    tell(&store, &held, id, ReportKind::Delay).await.unwrap();
    let twice = tell(&store, &held, id, ReportKind::Delay).await;
    assert_eq!(twice, Err(ReportError::NotOwed));
    let fresh = store.due(&held, Lane::Fresh, None, 10).await.unwrap();
    assert_eq!(fresh.due.iter().filter(|due| due.told).count(), 1);
    let story = store.story(id).await.unwrap().unwrap();
    assert_eq!(story.recipients[0].state, RecipientState::Queued);
    assert_books_balance(&store).await;
}

pub(crate) async fn nobody_is_told_for_a_reason(backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let id = accept(&store, b"x", &FAR).await;
    store.suppress(&held, id, vec![0], "early").await.unwrap();
    let failed = attempt(id, backend.now(), Outcome::Failed(status(5)));
    store.record(&held, vec![failed]).await.unwrap();
    store
        .suppress(&held, id, vec![0], "no sender")
        .await
        .unwrap();
    let story = store.story(id).await.unwrap().unwrap();
    assert_eq!(story.recipients[0].state, RecipientState::Suppressed);
    assert_eq!(story.events.last().unwrap().detail, "no sender");
    assert_eq!(store.audit().await.unwrap().totals.suppressed, 1);
    assert_books_balance(&store).await;
}

pub(crate) async fn a_maildir_counts_as_a_mailbox(backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let ann = store
        .add_account(&address("ann@example.org"), "*")
        .await
        .unwrap();
    let to = [("ann@example.org", Destination::Account(ann))];
    let id = accept(&store, b"x", &to).await;
    let done = attempt(id, backend.now(), Outcome::Delivered(status(2)));
    store.record(&held, vec![done.clone()]).await.unwrap();
    store.record(&held, vec![done]).await.unwrap();
    let story = store.story(id).await.unwrap().unwrap();
    assert_eq!(story.recipients[0].state, RecipientState::Delivered);
    assert_books_balance(&store).await;
}

pub(crate) async fn a_census_counts_by_state_and_age(backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    assert_eq!(store.census().await.unwrap().due, 0);
    let to = [
        ("x@far.example", Destination::Remote),
        ("y@far.example", Destination::Remote),
    ];
    let since = backend.now();
    let old = accept(&store, b"old", &to).await;
    backend.advance(Duration::from_mins(20));
    let kept = accept(&store, b"kept", &to[..1]).await;
    store
        .operate(Action::Hold, kept, None, "root")
        .await
        .unwrap();
    accept(&store, b"new", &to[..1]).await;
    let again = backend.now() + Duration::from_hours(1);
    let later = attempt(old, since, Outcome::Deferred(status(4), again));
    store.record(&held, vec![later]).await.unwrap();
    // Sees all that was answered; the census may be a moment late.
    assert_books_balance(&store).await;

    let census = store.census().await.unwrap();
    assert_eq!((census.due, census.deferred, census.held), (2, 1, 1));
    assert_eq!(census.older, [2, 2, 0, 0, 0]);
    assert_eq!(census.oldest, Some(Duration::from_mins(20)));
    assert!(census.live_octets >= 10 && census.log_octets >= census.live_octets);
}
