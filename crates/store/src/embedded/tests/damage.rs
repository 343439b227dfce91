//! Crashes and damage.

use std::io;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_found_and_hurts_no_other() {
    let rig = Rig::new();
    let ann = rig.account().await;
    let good = rig.accept(b"good").await;
    let bad = rig
        .try_accept(b"bad body", Destination::Account(ann))
        .await
        .unwrap();
    let also_good = rig.accept(b"also good").await;
    rig.deliver(bad, ann).await;
    let file = rig.disk.open(&segment_name(1)).unwrap();
    let mut all = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
    file.read_exact_at(&mut all, 0).unwrap();
    let at = all.windows(8).position(|w| w == b"bad body").unwrap();
    rig.disk.flip_bit(&segment_name(1), at + 3);
    let report = rig.store.check().await.unwrap();
    assert_eq!((report.bodies, report.problems.len()), (3, 1));
    assert_eq!(report.problems[0].item, Some(bad));
    assert!(
        report.problems[0]
            .text
            .contains("ann@example.org INBOX UID 1"),
        "{report:?}"
    );
    let reader = rig
        .store
        .open_message(ann, "INBOX", 1)
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(
        reader.read_all().await,
        Err(ReadError::Damaged { .. })
    ));
    assert_eq!(rig.read(good).await.unwrap(), b"good");
    assert_eq!(rig.read(also_good).await.unwrap(), b"also good");
    // Damage is reported, never cut: a start changes nothing.
    let rig = rig.crash(false);
    assert_eq!(rig.store.check().await.unwrap().problems.len(), 1);
    assert_eq!(rig.read(also_good).await.unwrap(), b"also good");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_record_header_is_found_too() {
    let rig = Rig::new();
    let id = rig.accept(b"body").await;
    rig.disk.flip_bit(&segment_name(1), SEGMENT_HEADER_LEN + 9);
    let report = rig.store.check().await.unwrap();
    assert_eq!(report.problems[0].item, Some(id));
    assert_eq!(rig.read(id).await.unwrap(), b"body");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_tail_is_cut_and_strays_are_removed() {
    let rig = Rig::new();
    let id = rig.accept(b"body").await;
    // A start gives back what room was taken ahead: now the file ends where its records do.
    let rig = rig.crash(false);
    let file = rig.disk.open(&segment_name(1)).unwrap();
    let end = file.length().unwrap();
    assert!(end < 1000);
    file.write_all_at(b"half a record", end).unwrap();
    file.sync_data().unwrap();
    rig.disk.create("draft-X").unwrap();
    rig.disk.create(&segment_name(7)).unwrap();
    rig.disk.create("notes.txt").unwrap();
    rig.disk.sync_folder().unwrap();
    let rig = rig.crash(true);
    assert_eq!(rig.segments(), ["000001.seg", "notes.txt"]);
    assert_eq!(
        rig.disk.open(&segment_name(1)).unwrap().length().unwrap(),
        end
    );
    assert_eq!(rig.read(id).await.unwrap(), b"body");
    let next = rig.accept(b"next").await;
    assert_eq!(rig.read(next).await.unwrap(), b"next");
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_clock_that_was_ahead_has_accepted_does_not_wait_for_it() {
    let year = Duration::from_hours(365 * 24);
    let rig = Rig::new();
    rig.advance(year);
    let early = rig.accept(b"x").await;
    let back = i64::try_from(year.as_millis()).unwrap();
    rig.millis.fetch_sub(back, Ordering::Relaxed);
    let rig = rig.crash(false);
    let lease = rig
        .store
        .lease("node", Duration::from_hours(1))
        .await
        .unwrap();
    let due = rig
        .store
        .due(&lease, Lane::Fresh, None, 10)
        .await
        .unwrap()
        .due;
    assert_eq!(due.iter().map(|due| due.item).collect::<Vec<_>>(), [early]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_segment_is_reported_and_stops_nothing() {
    let rig = Rig::new();
    let lost = rig.accept(b"lost").await;
    rig.assert_clean().await;
    rig.disk.remove(&segment_name(1)).unwrap();
    let audit = rig.store.audit().await.unwrap();
    let told: Vec<_> = audit.problems.iter().map(|p| p.text.as_str()).collect();
    assert!(
        told[0].contains("000001 of the body log is missing"),
        "{told:?}"
    );
    rig.disk.sync_folder().unwrap();
    let rig = rig.crash(true);
    let report = rig.store.check().await.unwrap();
    assert_eq!(report.problems[0].item, Some(lost));
    let next = rig.accept(b"next").await;
    assert_eq!(rig.read(next).await.unwrap(), b"next");
}

/// A disk whose files cannot be opened for now.
struct Unopened(MemoryDisk);

impl Disk for Unopened {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.0.create(name)
    }
    fn open(&self, _: &str) -> io::Result<Arc<dyn DiskFile>> {
        Err(io::Error::from_raw_os_error(5))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }
    fn sync_folder(&self) -> io::Result<()> {
        self.0.sync_folder()
    }
    fn space(&self) -> io::Result<Space> {
        self.0.space()
    }
}

#[tokio::test]
async fn what_cannot_be_read_at_a_start_waits_for_the_next() {
    let rig = Rig::working(Work::Callers);
    let promised = rig.accept(b"promised").await;
    assert!(rig.store.is_ahead());
    let (folder, disk) = rig.copied();
    let unread = Options {
        disk: Some(Arc::new(Unopened(disk.clone()))),
        ..options(&disk, &rig.millis)
    };
    let refused = Embedded::open(folder.path(), unread);
    assert!(matches!(refused, Err(OpenError::Log(_))));
    let rig = rig.on(folder, disk);
    assert_eq!(rig.store.repeated(), 1);
    assert_eq!(rig.read(promised).await.unwrap(), b"promised");
}

#[tokio::test]
async fn a_damaged_header_of_a_segment_is_told_apart_from_damaged_mail() {
    let rig = Rig::new();
    let id = rig.accept(b"whole").await;
    rig.disk.flip_bit(&segment_name(1), 20);
    let report = rig.store.check().await.unwrap();
    let told = &report.problems[0].text;
    assert!(told.contains("its octets are whole"), "{told}");
    assert_eq!(rig.read(id).await.unwrap(), b"whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_recipient_does_not_stop_the_others() {
    let rig = Rig::new();
    let bad = rig.accept(b"x").await;
    let good = rig.accept(b"y").await;
    let db = database::open(&rig.folder.path().join("postrider.db")).unwrap();
    db.execute(
        "UPDATE recipient SET address = 'nonsense' WHERE item = ?",
        [bad.as_i64()],
    )
    .unwrap();
    let lease = rig
        .store
        .lease("node", Duration::from_hours(1))
        .await
        .unwrap();
    let due = rig
        .store
        .due(&lease, Lane::Fresh, None, 10)
        .await
        .unwrap()
        .due;
    assert_eq!(due.iter().map(|due| due.item).collect::<Vec<_>>(), [good]);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_recipients_are_set_aside() {
    use crate::{EventKind, RecipientState};

    let rig = Rig::new();
    let mut bad = Vec::new();
    for _ in 0..3 {
        bad.push(rig.accept(b"x").await);
    }
    rig.advance(Duration::from_secs(1));
    let good = rig.accept(b"y").await;
    let db = database::open(&rig.folder.path().join("postrider.db")).unwrap();
    db.execute(
        "UPDATE item SET body_type = 'nonsense' WHERE id < ?",
        [good.as_i64()],
    )
    .unwrap();
    let hour = Duration::from_hours(1);
    let lease = rig.store.lease("node", hour).await.unwrap();
    // They do not use up the places of the others, and are not announced again.
    let due = rig
        .store
        .due(&lease, Lane::Fresh, None, 2)
        .await
        .unwrap()
        .due;
    assert_eq!(due.iter().map(|due| due.item).collect::<Vec<_>>(), [good]);
    rig.store
        .operate(crate::Action::Hold, good, None, "test")
        .await
        .unwrap();
    let page = rig.store.due(&lease, Lane::Fresh, None, 10).await.unwrap();
    assert_eq!((page.due.len(), page.later), (0, None));
    rig.assert_clean().await;
    let lines = rig
        .store
        .queue(&crate::Selection::default(), None, 10)
        .await
        .unwrap();
    assert_eq!(lines[0].recipients[0].state, RecipientState::Held);
    db.execute("UPDATE item SET body_type = '7BIT'", [])
        .unwrap();
    let story = rig.store.story(bad[0]).await.unwrap().unwrap();
    assert_eq!(story.events[0].kind, EventKind::Held);
    assert!(story.events[0].detail.contains("unknown body type"));
    // Mended or not, they are the operator's now.
    assert_eq!(
        rig.store
            .operate(crate::Action::Release, bad[0], None, "test")
            .await,
        Ok(1)
    );
    assert_eq!(
        rig.store
            .operate(crate::Action::Remove, bad[1], None, "test")
            .await,
        Ok(1)
    );
    let due = rig
        .store
        .due(&lease, Lane::Fresh, None, 2)
        .await
        .unwrap()
        .due;
    assert_eq!(due.iter().map(|due| due.item).collect::<Vec<_>>(), [bad[0]]);
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_without_its_item_is_not_due_for_ever() {
    let rig = Rig::new();
    rig.accept(b"x").await;
    let db = database::open(&rig.folder.path().join("postrider.db")).unwrap();
    db.execute("DELETE FROM item", []).unwrap();
    let hour = Duration::from_hours(1);
    let lease = rig.store.lease("node", hour).await.unwrap();
    let page = rig.store.due(&lease, Lane::Fresh, None, 10).await.unwrap();
    assert_eq!((page.due.len(), page.later), (0, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_without_their_database_are_not_dropped() {
    let rig = Rig::new();
    rig.accept(b"body").await;
    let Rig {
        folder,
        disk,
        millis,
        store,
        ..
    } = rig;
    store.close();
    drop(store);
    for name in ["postrider.db", "postrider.db-wal", "postrider.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(name));
    }
    // Twice: the first try must not have made the database that was missing.
    for _ in 0..2 {
        let refused = open(folder.path(), &disk, &millis);
        assert!(matches!(refused, Err(OpenError::NoDatabase { .. })));
        assert_eq!(disk.list().unwrap(), ["000001.seg"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_finds_what_was_tampered_with() {
    let rig = Rig::new();
    let ann = rig.account().await;
    let delivered = rig
        .try_accept(b"x", Destination::Account(ann))
        .await
        .unwrap();
    rig.deliver(delivered, ann).await;
    let queued = rig.accept(b"y").await;
    rig.store.close();
    for (statement, about, says) in [
        (
            "UPDATE recipient SET due = NULL WHERE item = ?",
            queued,
            "no next attempt",
        ),
        (
            "DELETE FROM recipient WHERE item = ?",
            queued,
            "1 open recipients and has 0",
        ),
        (
            "UPDATE recipient SET state = 13, due = NULL WHERE item = ?",
            queued,
            "0 ends",
        ),
        ("DELETE FROM history WHERE item = ?", delivered, "0 ends"),
        (
            "DELETE FROM delivered WHERE item = ?",
            delivered,
            "lies in 0 mailboxes",
        ),
        ("DELETE FROM body WHERE id = ?", queued, "no body"),
        (
            "UPDATE recipient SET state = 99 WHERE item = ?",
            queued,
            "no known state",
        ),
        (
            "UPDATE daily SET accepted = accepted + 1 WHERE ? > 0",
            queued,
            "do not balance",
        ),
    ] {
        let mut db = database::open(&rig.folder.path().join("postrider.db")).unwrap();
        let tx = db.transaction().unwrap();
        assert_eq!(
            tx.execute(statement, [about.as_i64()]).unwrap(),
            1,
            "{statement}"
        );
        let report = audit(&tx);
        assert!(
            report.iter().any(|text| text.contains(says)),
            "{statement}: {report:?}"
        );
        tx.rollback().unwrap();
        assert_eq!(audit(&db), Vec::<String>::new());
    }
}

fn audit(db: &rusqlite::Connection) -> Vec<String> {
    use crate::embedded::queries::audit;
    let mut found = Vec::new();
    let next = audit::page(db, -1, 100, &mut found).unwrap();
    assert!(
        audit::page(db, next.unwrap(), 100, &mut found)
            .unwrap()
            .is_none()
    );
    let mut texts: Vec<String> = found.into_iter().map(|problem| problem.text).collect();
    if !audit::totals(db).unwrap().balance() {
        texts.push("the totals do not balance".to_owned());
    }
    texts
}
