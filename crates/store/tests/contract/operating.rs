//! Cases of an operator at work.

use std::time::Duration;

use mailtypes::ItemId;
use mailtypes::{Host, ReversePath};
use store::{
    Action, Destination, EventKind, LocalOutcome, OperateError, RecipientState, Selection, Store,
};

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
    assert_eq!(store.operate(Action::Hold, id, None, "root").await, Ok(1));
    backend.advance(Duration::from_hours(1));
    assert!(due(&store, &held).await.is_empty());
    // An attempt that was under way finds that it may not.
    let outcomes = store
        .deliver_local(&held, vec![local(id, 0, ann)])
        .await
        .unwrap();
    assert_eq!(outcomes, [LocalOutcome::NotWaiting]);
    assert_books_balance(&store).await;
    assert_eq!(
        store.operate(Action::Release, id, None, "root").await,
        Ok(1)
    );
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
    assert_eq!(
        store.operate(Action::Remove, id, None, "alice").await,
        Ok(1)
    );
    let story = store.story(id).await.unwrap().unwrap();
    assert_eq!(story.recipients[0].state, RecipientState::Delivered);
    assert_eq!(story.recipients[1].state, RecipientState::Removed);
    assert_eq!(story.events.last().unwrap().detail, "by alice");
    assert!(store.open_item(id).await.unwrap().is_none());
    assert_eq!(
        read(&store, ann, 1).await,
        b"Delivered-To: 0\r\nReceived: by test\r\nx"
    );
    assert!(
        store
            .queue(&Selection::default(), None, 10)
            .await
            .unwrap()
            .is_empty()
    );
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
        store.operate(Action::Hold, nobody, None, "x").await,
        store.operate(Action::Release, nobody, None, "x").await,
        store.operate(Action::Remove, nobody, None, "x").await,
    ] {
        assert_eq!(outcome, Err(OperateError::NoSuchItem));
    }
    let id = accept(&store, b"x", &[("x@far.example", Destination::Remote)]).await;
    store.operate(Action::Remove, id, None, "x").await.unwrap();
    for outcome in [
        store.operate(Action::Hold, id, None, "x").await,
        store.operate(Action::Release, id, None, "x").await,
        store.operate(Action::Remove, id, None, "x").await,
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
        let page = store.queue(&Selection::default(), after, 10).await.unwrap();
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

pub(crate) async fn a_selection_names_what_is_meant(backend: impl Backend) {
    let store = backend.store();
    let far = [
        ("x@far.example", Destination::Remote),
        ("y@near.example", Destination::Remote),
    ];
    let both = accept(&store, b"x", &far).await;
    backend.advance(Duration::from_hours(1));
    let later = backend.now();
    let near = accept(&store, b"x", &far[1..]).await;
    let of = |text: &str| Selection {
        sender: Some(ReversePath::Mailbox(address(text))),
        ..Selection::default()
    };
    let one = Selection {
        item: Some(near),
        ..Selection::default()
    };
    let at = Selection {
        host: Some(Host::parse("far.example").unwrap()),
        ..Selection::default()
    };
    let old = Selection {
        accepted_before: Some(later),
        ..Selection::default()
    };
    for (selection, expect) in [
        (Selection::default(), vec![both, near]),
        (one, vec![near]),
        (at, vec![both]),
        (old, vec![both]),
        (of("bob@client.example"), vec![both, near]),
        (of("eve@client.example"), vec![]),
    ] {
        let lines = store.queue(&selection, None, 10).await.unwrap();
        let found: Vec<_> = lines.iter().map(|line| line.id).collect();
        assert_eq!(found, expect, "{selection:?}");
    }
    // At one host only its recipients are touched.
    let far = Host::parse("far.example").unwrap();
    let held = store.operate(Action::Hold, both, Some(&far), "root").await;
    assert_eq!(held, Ok(1));
    let held = lease(&store).await;
    assert_eq!(due(&store, &held).await.len(), 2);
    assert_books_balance(&store).await;
}

pub(crate) async fn behind_a_settle_the_last_commit_has_all(backend: impl Backend) {
    let store = backend.store();
    let held = lease(&store).await;
    let ann = account(&store, "ann@example.org").await;
    let to = [("ann@example.org", Destination::Account(ann))];
    let id = accept(&store, b"x", &to).await;
    assert_eq!(store.settle().await, Ok(()));
    let last = store.last_commit();
    let all = Selection::default();
    assert_eq!(last.queue(&all, None, 9).await.unwrap().len(), 1);
    assert_eq!(last.open_recipients().await, Ok(1));
    deliver_due(&store, &held).await;
    assert_eq!(store.settle().await, Ok(()));
    let story = last.story(id).await.unwrap().unwrap();
    assert_eq!(story.recipients[0].state, RecipientState::Delivered);
    assert_eq!(last.open_recipients().await, Ok(0));
    assert_eq!(store.open_recipients().await, Ok(0));
}
