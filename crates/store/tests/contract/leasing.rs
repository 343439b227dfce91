//! Cases of leases: whose results count.

use std::time::Duration;

use store::{Attempt, Destination, LocalOutcome, Outcome, Store, StoreError};

use crate::Backend;
use crate::kit::*;

pub(crate) async fn results_of_a_lost_lease_do_not_count(backend: impl Backend) {
    let store = backend.store();
    let ann = account(&store, "ann@example.org").await;
    let old = store.lease("one", Duration::from_mins(1)).await.unwrap();
    let id = accept(
        &store,
        b"x",
        &[("ann@example.org", Destination::Account(ann))],
    )
    .await;
    backend.advance(Duration::from_mins(2));
    let new = store.lease("two", Duration::from_mins(1)).await.unwrap();
    assert!(new.epoch > old.epoch);
    let late = store.deliver_local(&old, vec![local(id, 0, ann)]).await;
    assert_eq!(late, Err(StoreError::LeaseLost));
    let outcome = Outcome::Failed(status(5));
    let attempt = Attempt {
        item: id,
        recipient: 0,
        since: backend.now(),
        at: backend.now(),
        outcome,
        detail: String::new(),
        trail: None,
    };
    assert_eq!(
        store.record(&old, vec![attempt]).await,
        Err(StoreError::LeaseLost)
    );
    assert_eq!(
        deliver_due(&store, &new).await,
        [LocalOutcome::Delivered { uid: 1 }]
    );
    assert_books_balance(&store).await;
}

pub(crate) async fn a_renewed_lease_keeps_its_epoch(backend: impl Backend) {
    let store = backend.store();
    let ann = account(&store, "ann@example.org").await;
    let old = store.lease("one", Duration::from_mins(2)).await.unwrap();
    let to = [("ann@example.org", Destination::Account(ann))];
    let id = accept(&store, b"x", &to).await;
    backend.advance(Duration::from_mins(1));
    let new = store.renew(&old, Duration::from_mins(2)).await.unwrap();
    assert_eq!((&new.owner, new.epoch), (&old.owner, old.epoch));
    assert_eq!(new.expires, backend.now() + Duration::from_mins(2));
    // Begun before the renewal, ended after it.
    let late = store.deliver_local(&old, vec![local(id, 0, ann)]).await;
    assert_eq!(late, Ok(vec![LocalOutcome::Delivered { uid: 1 }]));
    // Nobody else gets it at the time when it would have run out.
    backend.advance(Duration::from_secs(90));
    store.lease("two", Duration::from_mins(2)).await.unwrap();
    assert!(store.renew(&new, Duration::from_mins(2)).await.is_ok());
    assert_books_balance(&store).await;
}

pub(crate) async fn a_lease_that_has_ended_is_not_renewed(backend: impl Backend) {
    let store = backend.store();
    let minute = Duration::from_mins(1);
    let old = store.lease("one", minute).await.unwrap();
    backend.advance(Duration::from_mins(1));
    assert_eq!(store.renew(&old, minute).await, Err(StoreError::LeaseLost));
    let new = store.lease("two", minute).await.unwrap();
    assert!(new.epoch > old.epoch);
    assert_eq!(store.renew(&old, minute).await, Err(StoreError::LeaseLost));
}

pub(crate) async fn a_restarted_holder_begins_a_new_epoch(mut backend: impl Backend) {
    let store = backend.store();
    let minute = Duration::from_mins(1);
    let old = store.lease("one", minute).await.unwrap();
    drop(store);
    backend.restart();
    let store = backend.store();
    let new = store.lease("one", minute).await.unwrap();
    assert!(new.epoch > old.epoch);
    assert_eq!(store.renew(&old, minute).await, Err(StoreError::LeaseLost));
}
