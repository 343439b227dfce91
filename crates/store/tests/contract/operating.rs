//! Cases of an operator at work.

use std::time::Duration;

use mailtypes::ItemId;
use store::{Destination, EventKind, LocalOutcome, OperateError, RecipientState, Store};

use crate::Backend;
use crate::kit::*;

pub(crate) async fn what_is_held_is_not_due_until_released(backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let ann = account(&store, "ann@example.org").await;
    let id = accept(
        &store,
        b"x",
        &[("ann@example.org", Destination::Account(ann))],
    )
    .await;
    assert_eq!(store.hold(id, "root").await, Ok(1));
    backend.advance(Duration::from_hours(1));
    assert!(store.due(&held, 10).await.unwrap().is_empty());
    // An attempt that was under way finds that it may not.
    let outcomes = store
        .deliver_local(&held, vec![local(id, 0, ann)])
        .await
        .unwrap();
    assert_eq!(outcomes, [LocalOutcome::NotWaiting]);
    assert_books_balance(&store).await;
    assert_eq!(store.release(id, "root").await, Ok(1));
    assert_eq!(
        deliver_due(&store, &held).await,
        [LocalOutcome::Delivered { uid: 1 }]
    );
    let story = store.story(id).await.unwrap().unwrap();
    let kinds: Vec<_> = story.events.iter().map(|e| e.kind).collect();
    assert_eq!(
        kinds,
        [EventKind::Held, EventKind::Released, EventKind::Delivered]
    );
    assert_eq!(story.events[0].detail, "by root");
    assert_books_balance(&store).await;
}

pub(crate) async fn what_is_removed_has_its_end(backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let ann = account(&store, "ann@example.org").await;
    let to = [
        ("ann@example.org", Destination::Account(ann)),
        ("x@far.example", Destination::Remote),
    ];
    let id = accept(&store, b"x", &to).await;
    deliver_due(&store, &held).await;
    assert_eq!(store.remove(id, "alice").await, Ok(1));
    let story = store.story(id).await.unwrap().unwrap();
    assert_eq!(story.recipients[0].state, RecipientState::Delivered);
    assert_eq!(story.recipients[1].state, RecipientState::Removed);
    assert_eq!(story.events.last().unwrap().detail, "by alice");
    assert!(store.open_item(id).await.unwrap().is_none());
    assert_eq!(
        read(&store, ann, 1).await,
        b"Delivered-To: 0\r\nReceived: by test\r\nx"
    );
    assert!(store.queue(None, 10).await.unwrap().is_empty());
    let totals = store.audit().await.unwrap().totals;
    assert_eq!(
        (
            totals.accepted,
            totals.delivered,
            totals.removed,
            totals.open
        ),
        (2, 1, 1, 0)
    );
    assert_books_balance(&store).await;
}

pub(crate) async fn orders_that_do_not_apply_say_why(backend: impl Backend) {
    let store = backend.store();
    let nobody = ItemId::from_i64(1).unwrap();
    for outcome in [
        store.hold(nobody, "x").await,
        store.release(nobody, "x").await,
        store.remove(nobody, "x").await,
    ] {
        assert_eq!(outcome, Err(OperateError::NoSuchItem));
    }
    let id = accept(&store, b"x", &[("x@far.example", Destination::Remote)]).await;
    store.remove(id, "x").await.unwrap();
    for outcome in [
        store.hold(id, "x").await,
        store.release(id, "x").await,
        store.remove(id, "x").await,
    ] {
        assert!(
            matches!(outcome, Err(OperateError::NotApplicable(_))),
            "{outcome:?}"
        );
    }
    assert_books_balance(&store).await;
}

pub(crate) async fn the_queue_is_listed_in_pages(backend: impl Backend) {
    let store = backend.store();
    let mut ids = Vec::new();
    for _ in 0..25 {
        ids.push(accept(&store, b"x", &[("x@far.example", Destination::Remote)]).await);
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.queue(after, 10).await.unwrap();
        assert!(page.len() <= 10);
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.iter().map(|line| line.id));
    }
    assert_eq!(seen, ids);
}

pub(crate) async fn a_story_is_found_by_id_and_by_address(backend: impl Backend) {
    let store = backend.store();
    let first = accept(&store, b"x", &[("Ann@far.example", Destination::Remote)]).await;
    let second = accept(&store, b"x", &[("ann@far.example", Destination::Remote)]).await;
    accept(&store, b"x", &[("other@far.example", Destination::Remote)]).await;
    let ann = address("ANN@far.example");
    assert_eq!(store.trace(&ann, None, 10).await.unwrap(), [second, first]);
    assert_eq!(store.trace(&ann, Some(second), 10).await.unwrap(), [first]);
    assert_eq!(store.trace(&ann, None, 1).await.unwrap(), [second]);
    assert_eq!(
        store
            .trace(&address("bob@client.example"), None, 10)
            .await
            .unwrap()
            .len(),
        3
    );
    // The aliases on the way, and what the client wrote.
    let alias = address("Alias@example.org");
    assert_eq!(store.trace(&alias, None, 10).await.unwrap().len(), 3);
    assert!(
        store
            .trace(&address("no@far.example"), None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        store
            .story(ItemId::from_i64(1).unwrap())
            .await
            .unwrap()
            .is_none()
    );
}
