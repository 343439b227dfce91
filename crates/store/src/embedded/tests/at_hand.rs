//! What is kept in memory, and for how long.

use super::*;
use crate::{Attempt, Outcome};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_put_off_is_not_kept_at_hand() {
    let rig = Rig::new();
    let hour = Duration::from_hours(1);
    let lease = rig.store.lease("node", hour).await.unwrap();
    let is_at_hand = |id| rig.store.inner.fresh.take(id).is_some();
    let kept = rig.accept(b"kept").await;
    let waits = |again| Outcome::Deferred(status(4), again);
    let asks_nobody = |again| Outcome::Postponed(status(4), again);
    for outcome in [&waits as &dyn Fn(Timestamp) -> Outcome, &asks_nobody] {
        let id = rig.accept(b"put off").await;
        let again = rig.now() + hour;
        let attempt = Attempt {
            item: id,
            recipient: 0,
            since: rig.now(),
            at: rig.now(),
            outcome: outcome(again),
            detail: String::new(),
            trail: None,
        };
        rig.store.record(&lease, vec![attempt]).await.unwrap();
        assert!(!is_at_hand(id));
        assert_eq!(rig.read(id).await.unwrap(), b"put off");
    }
    assert!(is_at_hand(kept));
}

#[test]
fn a_reader_keeps_less_than_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let cache = |db: rusqlite::Connection| -> i64 {
        db.pragma_query_value(None, "cache_size", |row| row.get(0))
            .unwrap()
    };
    let writer = cache(database::open(&path).unwrap());
    let reader = cache(database::open_reader(&path).unwrap());
    assert!(writer < reader && reader < 0, "KiB: {writer}, {reader}");
}
