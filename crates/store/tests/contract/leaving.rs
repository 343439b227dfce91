//! Cases of mail going out of the queue.

use std::time::Duration;

use mailtypes::{EnhancedCode, ItemId, Status, Timestamp};
use store::{
    Action, Attempt, Begun, Destination, EventKind, Lane, LocalOutcome, Outcome, RecipientState,
    Selection, Shape, Store,
};

use crate::Backend;
use crate::kit::*;

pub(crate) async fn delivery_happens_once_however_often_it_is_tried(mut backend: impl Backend) {
    let store = backend.store();
    let ann = account(&store, "ann@example.org").await;
    let held = lease(&store).await;
    let id = accept(
        &store,
        b"body\r\n",
        &[("ann@example.org", Destination::Account(ann))],
    )
    .await;
    let twice = vec![local(id, 0, ann), local(id, 0, ann)];
    let outcomes = store.deliver_local(&held, twice.clone()).await.unwrap();
    assert_eq!(
        outcomes,
        [
            LocalOutcome::Delivered { uid: 1 },
            LocalOutcome::Repeated { uid: 1 }
        ]
    );
    drop(store);
    backend.restart();
    let store = backend.store();
    let held = lease(&store).await;
    let outcomes = store.deliver_local(&held, twice).await.unwrap();
    assert_eq!(outcomes, [LocalOutcome::Repeated { uid: 1 }; 2]);
    assert_eq!(store.entries(ann, "INBOX", 0, 10).await.unwrap().len(), 1);
    assert_eq!(
        read(&store, ann, 1).await,
        b"Delivered-To: 0\r\nReceived: by test\r\nbody\r\n"
    );
    assert!(due(&store, &held).await.is_empty());
    assert!(
        store
            .queue(&Selection::default(), None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_books_balance(&store).await;
}

pub(crate) async fn one_body_serves_many_mailboxes(backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let mut accounts = Vec::new();
    for n in 0..10 {
        accounts.push(account(&store, &format!("user{n}@example.org")).await);
    }
    let names: Vec<String> = (0..10).map(|n| format!("user{n}@example.org")).collect();
    let to: Vec<_> = names
        .iter()
        .zip(&accounts)
        .map(|(name, id)| (name.as_str(), Destination::Account(*id)))
        .collect();
    accept(&store, b"one body\r\n", &to).await;
    assert_eq!(
        deliver_due(&store, &held).await,
        [LocalOutcome::Delivered { uid: 1 }; 10]
    );
    let report = store.check().await.unwrap();
    assert_eq!((report.bodies, report.octets), (1, 10));
    for id in accounts {
        assert!(read(&store, id, 1).await.ends_with(b"\r\none body\r\n"));
    }
    assert_books_balance(&store).await;
}

pub(crate) async fn an_empty_message_is_a_message(backend: impl Backend) {
    let store = backend.store();
    let ann = account(&store, "ann@example.org").await;
    let held = lease(&store).await;
    accept(
        &store,
        b"",
        &[("ann@example.org", Destination::Account(ann))],
    )
    .await;
    assert_eq!(
        deliver_due(&store, &held).await,
        [LocalOutcome::Delivered { uid: 1 }]
    );
    assert_eq!(
        read(&store, ann, 1).await,
        b"Delivered-To: 0\r\nReceived: by test\r\n"
    );
    assert_books_balance(&store).await;
}

#[expect(
    clippy::single_range_in_vec_init,
    reason = "one range is what is meant"
)]
pub(crate) async fn return_path_fields_of_the_body_are_left_out(backend: impl Backend) {
    let store = backend.store();
    let ann = account(&store, "ann@example.org").await;
    let held = lease(&store).await;
    let mut new = item(vec![recipient(
        "ann@example.org",
        Destination::Account(ann),
    )]);
    new.shape = Shape {
        return_paths: vec![3..18],
        ..new.shape
    };
    let id = accept_item(&store, b"A:\nReturn-Path: x\nB:\n", new).await;
    // A Maildir gets the same.
    let last = store.open_final(id).await.unwrap().unwrap();
    assert_eq!(
        last.read_all().await.unwrap(),
        b"Received: by test\r\nA:\nB:\n"
    );
    deliver_due(&store, &held).await;
    assert_eq!(
        read(&store, ann, 1).await,
        b"Delivered-To: 0\r\nReceived: by test\r\nA:\nB:\n"
    );
}

pub(crate) async fn a_deferred_recipient_comes_back_when_it_is_due(backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let id = accept(&store, b"x", &[("x@far.example", Destination::Remote)]).await;
    let again = backend.now() + Duration::from_mins(5);
    let outcome = Outcome::Deferred(status(4), again);
    let attempt = Attempt {
        item: id,
        recipient: 0,
        since: backend.now(),
        at: backend.now(),
        outcome,
        detail: "by test".to_owned(),
        trail: None,
    };
    store.record(&held, vec![attempt]).await.unwrap();
    assert!(due(&store, &held).await.is_empty());
    let page = store.due(&held, Lane::Again, None, 10).await.unwrap();
    assert_eq!((page.due.len(), page.later), (0, Some(again)));
    backend.advance(Duration::from_mins(5));
    let due = due(&store, &held).await;
    assert_eq!((due.len(), due[0].attempts), (1, 1));
    let story = store.story(id).await.unwrap().unwrap();
    assert_eq!(story.events[0].kind, EventKind::Deferred);
    assert_eq!(story.recipients[0].status, Some(status(4)));
    assert_books_balance(&store).await;
}

fn attempt(
    item: ItemId,
    recipient: u32,
    (since, at): (Timestamp, Timestamp),
    outcome: Outcome,
) -> Attempt {
    Attempt {
        item,
        recipient,
        since,
        at,
        outcome,
        detail: "by test".to_owned(),
        trail: None,
    }
}

/// Of three recipients, who wait until `again`, each for another reason.
fn waits(item: ItemId, times: (Timestamp, Timestamp), again: Timestamp) -> Vec<Attempt> {
    let outcomes = [
        Outcome::Deferred(status(4), again),
        Outcome::Crashed(again),
        Outcome::Postponed(status(4), again),
    ];
    let outcomes = (0..).zip(outcomes);
    outcomes
        .map(|(n, outcome)| attempt(item, n, times, outcome))
        .collect()
}

/// Whoever orders a try has something in mind that the one before did not see.
pub(crate) async fn an_order_stands_against_an_older_attempt(backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    for orders in [&[Action::Retry][..], &[Action::Hold, Action::Release]] {
        let to = [("x@far.example", Destination::Remote); 3];
        let id = accept(&store, b"x", &to).await;
        let due = backend.now();
        let again = due + Duration::from_mins(5);
        let marks = (0..3).map(|n| (id, n)).collect();
        store.begin(&held, marks, false).await.unwrap();
        backend.advance(Duration::from_secs(1));
        let ended = backend.now();
        backend.advance(Duration::from_secs(1));
        for order in orders {
            store.operate(*order, id, None, "root").await.unwrap();
        }
        backend.advance(Duration::from_secs(1));
        // Somebody walks through the lane, to the last place in it.
        let other = accept(&store, b"x", &to[..1]).await;
        let now = backend.now();
        let deferred = attempt(other, 0, (now, now), Outcome::Deferred(status(4), now));
        store.record(&held, vec![deferred]).await.unwrap();
        backend.advance(Duration::from_secs(1));
        let page = store.due(&held, Lane::Again, None, 10).await.unwrap();
        assert_eq!(page.due.len(), 1);
        let walked = page.next;
        let older = waits(id, (due, ended), again);
        store.record(&held, older).await.unwrap();
        let story = store.story(id).await.unwrap().unwrap();
        for recipient in &story.recipients {
            assert!(
                recipient.due.is_some_and(|due| due <= backend.now()),
                "{orders:?}: {recipient:?}"
            );
        }
        let [deferred, crashed, ordered @ ..] = &story.events[..] else {
            panic!("{:?}", story.events);
        };
        assert_eq!((deferred.at, crashed.at), (ended, ended));
        assert_eq!(ordered.len(), orders.len(), "what came later stands behind");
        let page = store.due(&held, Lane::Again, walked, 10).await.unwrap();
        assert_eq!(page.due.len(), 3, "he misses none");
        // One more order brings what was put off no nearer to what is new.
        store
            .operate(Action::Retry, id, None, "root")
            .await
            .unwrap();
        let page = store.due(&held, Lane::Fresh, None, 10).await.unwrap();
        assert_eq!(page.due.len(), 0);
        // Whoever began after the order has done what it asked for.
        let now = backend.now();
        let again = now + Duration::from_mins(5);
        let younger = waits(id, (now, now), again);
        store.record(&held, younger).await.unwrap();
        for recipient in &store.story(id).await.unwrap().unwrap().recipients {
            assert!(
                recipient.due.is_none_or(|due| due == again),
                "{recipient:?}"
            );
        }
        store
            .operate(Action::Remove, other, None, "root")
            .await
            .unwrap();
        store
            .operate(Action::Remove, id, None, "root")
            .await
            .unwrap();
    }
    assert_books_balance(&store).await;
}

pub(crate) async fn a_failed_recipient_owes_a_bounce(backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let id = accept(&store, b"x", &[("x@far.example", Destination::Remote)]).await;
    let outcome = Outcome::Failed(status(5));
    let attempt = Attempt {
        item: id,
        recipient: 0,
        since: backend.now(),
        at: backend.now(),
        outcome,
        detail: "by test".to_owned(),
        trail: None,
    };
    store.record(&held, vec![attempt]).await.unwrap();
    // The report is what is due now.
    let owed = due(&store, &held).await;
    assert!(owed.len() == 1 && owed[0].owed);
    let line = &store.queue(&Selection::default(), None, 10).await.unwrap()[0];
    assert_eq!(line.recipients[0].state, RecipientState::BounceOwed);
    assert!(
        store.open_item(id).await.unwrap().is_some(),
        "the bounce needs the message"
    );
    assert_books_balance(&store).await;
}

pub(crate) async fn mail_for_a_removed_account_is_not_lost(backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let ann = account(&store, "ann@example.org").await;
    let id = accept(
        &store,
        b"x",
        &[("ann@example.org", Destination::Account(ann))],
    )
    .await;
    let removed = store.remove_account(&address("ann@example.org")).await;
    assert_eq!(removed, Ok(0), "it is still in the queue");
    // The address may have gone to somebody else meanwhile, who must not get it.
    account(&store, "ann@example.org").await;
    assert_eq!(deliver_due(&store, &held).await, [LocalOutcome::NoAccount]);
    assert_eq!(
        store.queue(&Selection::default(), None, 10).await.unwrap()[0].id,
        id
    );
    assert_books_balance(&store).await;
}

pub(crate) async fn whoever_was_not_asked_is_no_attempt(backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let id = accept(&store, b"x", &[("x@far.example", Destination::Remote)]).await;
    let attempt = |due, outcome| Attempt {
        item: id,
        recipient: 0,
        since: due,
        at: backend.now(),
        outcome,
        detail: "by test".to_owned(),
        trail: None,
    };
    let postpone = |why: &str, due| {
        let status = other_status(why);
        let again = backend.now() + Duration::from_mins(5);
        attempt(due, Outcome::Postponed(status, again))
    };
    let state = async || {
        let story = store.story(id).await.unwrap().unwrap();
        let recipient = &story.recipients[0];
        let status = recipient.status.as_ref().map(|status| status.text.clone());
        (story.events.len(), recipient.attempts, status.unwrap())
    };
    let seen = async || {
        let story = store.story(id).await.unwrap().unwrap();
        story.recipients[0].due.unwrap()
    };
    for why in ["it is down", "it is full"] {
        store.begin(&held, vec![(id, 0)], false).await.unwrap();
        let postponed = postpone(why, seen().await);
        store.record(&held, vec![postponed]).await.unwrap();
        assert_eq!(state().await, (0, 0, why.to_owned()));
        let fresh = store.due(&held, Lane::Fresh, None, 10).await.unwrap();
        assert!(
            fresh.due.is_empty() && fresh.later.is_none(),
            "it is new no more"
        );
        let page = store.due(&held, Lane::Again, None, 10).await.unwrap();
        assert!(page.due.is_empty() && page.later.is_some());
        backend.advance(Duration::from_mins(5));
        let page = store.due(&held, Lane::Again, None, 10).await.unwrap();
        assert!(matches!(&page.due[..], [due] if !due.suspect));
    }
    // What an attempt has seen stays.
    let outcome = Outcome::Deferred(other_status("come back later"), backend.now());
    let deferred = attempt(seen().await, outcome);
    store.record(&held, vec![deferred]).await.unwrap();
    let postponed = postpone("it is down", seen().await);
    store.record(&held, vec![postponed]).await.unwrap();
    assert_eq!(state().await, (1, 1, "come back later".to_owned()));
    // An order to try it at once wins against whoever has seen it before.
    let before = seen().await;
    backend.advance(Duration::from_mins(6));
    store
        .operate(Action::Retry, id, None, "root")
        .await
        .unwrap();
    let postponed = postpone("it is down", before);
    store.record(&held, vec![postponed]).await.unwrap();
    assert_eq!(seen().await, backend.now());
    backend.advance(Duration::from_mins(5));
    let page = store.due(&held, Lane::Again, None, 10).await.unwrap();
    assert_eq!(page.due.len(), 1);
    // Who was held meanwhile stays so.
    store.operate(Action::Hold, id, None, "root").await.unwrap();
    let postponed = postpone("it is down", before);
    store.record(&held, vec![postponed]).await.unwrap();
    let recipient = store.story(id).await.unwrap().unwrap().recipients.remove(0);
    assert_eq!(recipient.state, RecipientState::Held);
    assert_eq!((recipient.due, recipient.attempts), (None, 1));
    assert_books_balance(&store).await;
}

fn other_status(text: &str) -> Status {
    Status::new(EnhancedCode::new(4, 4, 1), text)
}

pub(crate) async fn a_removal_tells_of_an_attempt_under_way(backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let [waits, in_hand] = [
        accept(&store, b"x", &[("x@far.example", Destination::Remote)]).await,
        accept(&store, b"y", &[("x@far.example", Destination::Remote)]).await,
    ];
    let begun = store.begin(&held, vec![(in_hand, 0)], false).await;
    assert_eq!(begun, Ok(vec![Begun::Go]));
    for (id, told) in [(waits, false), (in_hand, true)] {
        let removed = store.operate(Action::Remove, id, None, "root").await;
        assert_eq!(removed, Ok(1));
        let story = store.story(id).await.unwrap().unwrap();
        let [removed] = &story.events[..] else {
            panic!("{:?}", story.events);
        };
        assert_eq!(removed.kind, EventKind::Removed);
        assert!(removed.detail.starts_with("by root"));
        let under_way = removed.detail.contains("an attempt was under way");
        assert_eq!(under_way, told, "{}", removed.detail);
    }
}

pub(crate) async fn a_delivery_after_the_removal_is_written_down(backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let id = accept(&store, b"x", &[("x@far.example", Destination::Remote)]).await;
    store
        .operate(Action::Remove, id, None, "root")
        .await
        .unwrap();
    let again = backend.now() + Duration::from_mins(5);
    for outcome in [
        Outcome::Deferred(status(4), again),
        Outcome::Delivered(status(2)),
    ] {
        let attempt = Attempt {
            item: id,
            recipient: 0,
            since: backend.now(),
            at: backend.now(),
            outcome,
            detail: "by test".to_owned(),
            trail: None,
        };
        store.record(&held, vec![attempt]).await.unwrap();
    }
    let story = store.story(id).await.unwrap().unwrap();
    assert_eq!(story.recipients[0].state, RecipientState::Removed);
    let kinds: Vec<_> = story.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Removed, EventKind::DeliveredLate]);
    assert_books_balance(&store).await;
}
