//! Messages that have no rows yet are the same to everybody as if they had.

use mailtypes::Host;

use super::*;
use crate::limits::YOUNG_MAX;
use crate::{Attempt, Begun, Cursor, Due, Lease, Outcome, RecipientState};

/// How many have no rows.
async fn young(rig: &Rig) -> usize {
    let counted = Arc::new(AtomicI64::new(0));
    let count = Arc::clone(&counted);
    let order = Look(move |turn: &mut Turn<'_>| {
        let all = turn.young.in_lane(Lane::Fresh).count();
        count.store(i64::try_from(all).unwrap(), Ordering::Relaxed);
    });
    rig.store.inner.writer.carry_out(order).await.unwrap();
    usize::try_from(counted.load(Ordering::Relaxed)).unwrap()
}

/// Looks at a turn as it is.
struct Look<F>(F);

/// Spoils a turn, and fails.
struct Spoil<F>(F);

impl<F: FnMut(&mut Turn<'_>) + Send + 'static> Order for Spoil<F> {
    type Answer = ();
    type Error = StoreError;

    fn lasting(&self) -> Lasting {
        Lasting::Journal
    }

    fn knows_young(&self) -> bool {
        true
    }

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        (self.0)(turn);
        Err(StoreError::Full)
    }
}

impl<F: FnMut(&mut Turn<'_>) + Send + 'static> Order for Look<F> {
    type Answer = ();
    type Error = StoreError;

    fn lasting(&self) -> Lasting {
        Lasting::Nothing
    }

    fn knows_young(&self) -> bool {
        true
    }

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        (self.0)(turn);
        Ok(())
    }
}

/// All that have none get rows, and nothing is committed.
async fn write_all(rig: &Rig) {
    let act = Act(|_: &mut Turn<'_>| Ok(()));
    rig.store.inner.writer.carry_out(act).await.unwrap();
    assert_eq!(young(rig).await, 0);
    assert!(rig.store.is_ahead());
}

async fn pages(rig: &Rig, lease: &Lease, host: Option<&Host>, limit: usize) -> Vec<Due> {
    let (mut found, mut after): (Vec<Due>, _) = (Vec::new(), None);
    loop {
        let store = &rig.store;
        let page = match host {
            Some(host) => store.due_at(lease, host, Lane::Fresh, after, limit).await,
            None => store.due(lease, Lane::Fresh, after, limit).await,
        };
        let page = page.unwrap();
        assert!(page.due.len() <= limit);
        let Some(last) = page.due.last() else {
            return found;
        };
        after = page.next;
        assert_eq!(after, Some(Cursor::at(last)), "all of them are of earlier");
        found.extend(page.due);
    }
}

#[tokio::test]
async fn a_look_finds_them_among_those_with_rows() {
    let rig = Rig::working(Work::Callers);
    let lease = rig.leased().await;
    let mut expected = Vec::new();
    for n in 0..9 {
        let now = rig.millis.load(Ordering::Relaxed);
        expected.push((now, rig.accept(b"x").await));
        // Some come in the same moment.
        rig.advance(Duration::from_millis(n % 2));
        if n == 4 {
            write_all(&rig).await;
            // The clock goes back: the next is the first.
            rig.millis.fetch_sub(3, Ordering::Relaxed);
        }
    }
    expected.sort_unstable();
    rig.advance(Duration::from_millis(10));
    assert_eq!(young(&rig).await, 4);
    let host = address("ann@example.org").host;
    let other = address("bob@other.example").host;
    for limit in [1, 2, 3, 100] {
        for host in [None, Some(&host)] {
            let found = pages(&rig, &lease, host, limit).await;
            let at = |due: &Due| (due.due.as_millis(), due.item);
            let found: Vec<_> = found.iter().map(at).collect();
            assert_eq!(found, expected, "{limit} {host:?}");
        }
        assert!(pages(&rig, &lease, Some(&other), limit).await.is_empty());
    }
    let elsewhere = rig.store.due(&lease, Lane::Again, None, 100).await.unwrap();
    assert!(elsewhere.due.is_empty() && elsewhere.later.is_none());
}

#[tokio::test]
async fn a_look_reads_the_same_with_and_without_rows() {
    let rig = Rig::working(Work::Callers);
    let lease = rig.leased().await;
    let mut sent_on = item(Destination::Remote);
    sent_on.recipients[0].via = vec![address("a@example.org"), address("b@example.org")];
    sent_on.shape.has_8bit = true;
    sent_on.shape.longest_line = 77;
    sent_on.envelope.smtputf8 = true;
    sent_on.envelope.body = mailtypes::BodyType::EightBitMime;
    let mut from_nobody = item(Destination::Remote);
    from_nobody.envelope.reverse_path = ReversePath::Null;
    for item in [sent_on, from_nobody] {
        let mut draft = rig.store.draft();
        draft.write(b"body").await.unwrap();
        rig.store.accept(draft, item).await.unwrap();
    }
    rig.advance(Duration::from_millis(1));
    let without = pages(&rig, &lease, None, 10).await;
    assert_eq!(young(&rig).await, 2);
    write_all(&rig).await;
    let with = pages(&rig, &lease, None, 10).await;
    assert_eq!(format!("{without:#?}"), format!("{with:#?}"));
    // A clock that goes back.
    rig.advance(Duration::from_millis(10));
    let later = Timestamp::from_millis(rig.millis.load(Ordering::Relaxed));
    rig.accept(b"later").await;
    rig.millis.fetch_sub(10, Ordering::Relaxed);
    for _ in 0..2 {
        let page = rig.store.due(&lease, Lane::Fresh, None, 9).await.unwrap();
        assert_eq!((page.due.len(), page.later), (2, Some(later)));
        write_all(&rig).await;
    }
}

#[tokio::test]
async fn only_so_many_wait_for_their_rows() {
    let rig = Rig::working(Work::Callers);
    let ann = rig.account().await;
    rig.try_accept(b"x", Destination::Account(ann))
        .await
        .unwrap();
    let mut two = item(Destination::Remote);
    two.recipients.extend(item(Destination::Remote).recipients);
    let mut draft = rig.store.draft();
    draft.write(b"two").await.unwrap();
    rig.store.accept(draft, two).await.unwrap();
    assert_eq!(young(&rig).await, 0);
    for _ in 0..YOUNG_MAX + 3 {
        rig.accept(b"x").await;
    }
    assert_eq!(young(&rig).await, YOUNG_MAX);
    rig.advance(Duration::from_millis(1));
    let lease = rig.leased().await;
    let found = pages(&rig, &lease, None, 100).await;
    assert_eq!(found.len(), 2 + YOUNG_MAX + 3);
}

/// One that waits without rows is found, sent, and nowhere in doubt.
async fn goes_on_as_if_nothing_had_happened(rig: Rig, lease: &Lease, id: ItemId) {
    rig.advance(Duration::from_millis(1));
    let found = pages(&rig, lease, None, 10).await;
    assert_eq!(found.iter().map(|due| due.item).collect::<Vec<_>>(), [id]);
    let begun = rig.store.begin(lease, vec![(id, 0)], false).await;
    assert_eq!(begun, Ok(vec![Begun::Go]));
    let attempt = delivered(&rig, id, 0);
    rig.store.record(lease, vec![attempt]).await.unwrap();
    let later = rig.accept(b"later").await;
    let rig = rig.crash(true);
    assert_eq!(rig.state(id).await, RecipientState::Delivered);
    assert_eq!(rig.read(later).await.unwrap(), b"later");
    rig.assert_clean().await;
}

#[tokio::test]
async fn a_transaction_that_is_given_up_in_a_question_begins_anew() {
    let rig = Rig::working(Work::Callers);
    let lease = rig.leased().await;
    let id = rig.accept(b"x").await;
    // As SQLite does when the disk fails.
    let gives_up = Look(|turn: &mut Turn<'_>| turn.db.execute_batch("ROLLBACK").unwrap());
    struct Other;
    impl Order for Other {
        type Answer = ();
        type Error = StoreError;
        fn lasting(&self) -> Lasting {
            Lasting::Nothing
        }
        fn apply(&mut self, _: &mut Turn<'_>) -> Result<(), StoreError> {
            Ok(())
        }
    }
    let writer = &rig.store.inner.writer;
    let both = futures_util::future::join(writer.carry_out(gives_up), writer.carry_out(Other));
    assert_eq!(both.await, (Ok(()), Ok(())), "both go into one turn");
    goes_on_as_if_nothing_had_happened(rig, &lease, id).await;
}

#[tokio::test]
async fn rows_that_are_made_in_part_are_made_anew() {
    let rig = Rig::working(Work::Callers);
    let lease = rig.leased().await;
    let id = rig.accept(b"x").await;
    let spoil = Spoil(move |turn: &mut Turn<'_>| {
        turn.db
            .execute_batch("SAVEPOINT spoilt; DROP TABLE mention")
            .unwrap();
        turn.make_rows(id).unwrap_err();
        turn.db
            .execute_batch("ROLLBACK TO spoilt; RELEASE spoilt")
            .unwrap();
    });
    let failed = rig.store.inner.writer.carry_out(spoil).await;
    assert_eq!(failed, Err(StoreError::Full));
    goes_on_as_if_nothing_had_happened(rig, &lease, id).await;
}

#[tokio::test]
async fn an_end_that_was_not_promised_is_none() {
    let rig = Rig::working(Work::Callers);
    let lease = rig.leased().await;
    let id = rig.accept(b"x").await;
    let ends = Spoil(move |turn: &mut Turn<'_>| {
        let state = RecipientState::Delivered;
        let ended = turn.end_young(id, 0, |turn| turn.end_recipient(id, 0, state, None, 1));
        assert_eq!(ended, Ok(Some(())));
    });
    let failed = rig.store.inner.writer.carry_out(ends).await;
    assert_eq!(failed, Err(StoreError::Full));
    rig.disk.inject(Fault::Write(28));
    let failed = rig.store.record(&lease, vec![delivered(&rig, id, 0)]).await;
    assert!(failed.is_err());
    goes_on_as_if_nothing_had_happened(rig, &lease, id).await;
}

#[tokio::test]
async fn it_is_opened_where_the_log_has_it() {
    let rig = Rig::working(Work::Callers);
    let id = rig.accept(b"body").await;
    for _ in 0..2 {
        // The first time it is still at hand.
        assert_eq!(rig.read(id).await.unwrap(), b"body");
    }
    assert_eq!(young(&rig).await, 1);
}

fn delivered(rig: &Rig, item: ItemId, recipient: u32) -> Attempt {
    Attempt {
        item,
        recipient,
        since: rig.now(),
        at: rig.now(),
        outcome: Outcome::Delivered(status(2)),
        detail: String::new(),
        trail: None,
    }
}

#[tokio::test]
async fn who_has_come_and_gone_was_never_in_the_queue() {
    let rig = Rig::working(Work::Callers);
    let lease = rig.leased().await;
    let [gone, stays] = [rig.accept(b"gone").await, rig.accept(b"stays").await];
    let begun = rig.store.begin(&lease, vec![(gone, 0), (stays, 0)], false);
    assert_eq!(begun.await, Ok(vec![Begun::Go; 2]));
    let unknown = rig.store.begin(&lease, vec![(gone, 1)], false).await;
    assert_eq!(unknown, Ok(vec![Begun::NotWaiting]));
    assert_eq!(
        young(&rig).await,
        1,
        "who asks for what is not there sees rows"
    );
    // Twice, and one that is not there.
    for attempts in [
        vec![delivered(&rig, stays, 0)],
        vec![delivered(&rig, stays, 0), delivered(&rig, stays, 1)],
        vec![delivered(&rig, gone, 0)],
    ] {
        rig.store.record(&lease, attempts).await.unwrap();
    }
    assert_eq!(young(&rig).await, 0);
    for id in [gone, stays] {
        let view = rig.store.story(id).await.unwrap().unwrap();
        let to = &view.recipients[0];
        assert_eq!((to.state, to.attempts), (RecipientState::Delivered, 1));
        assert!(rig.store.open_item(id).await.unwrap().is_none());
    }
    rig.assert_clean().await;
}

#[tokio::test]
async fn what_went_with_a_turn_that_panicked_is_not_found() {
    let rig = Rig::working(Work::Callers);
    let lease = rig.leased().await;
    let panics = Spoil(|_: &mut Turn<'_>| panic!("as it may happen"));
    let panics = rig.store.inner.writer.carry_out(panics);
    let (refused, _) =
        futures_util::future::join(rig.try_accept(b"x", Destination::Remote), panics).await;
    assert!(refused.is_err());
    rig.advance(Duration::from_millis(1));
    assert!(pages(&rig, &lease, None, 10).await.is_empty());
    let id = rig.accept(b"y").await;
    goes_on_as_if_nothing_had_happened(rig, &lease, id).await;
}
