//! What a start repeats is the same to the row as what was done at first.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::types::Value;

use super::*;
use crate::embedded::journal::pieces;
use crate::embedded::journal::writes::Write;
use crate::{About, Action, Attempt, Begun, Lease, Outcome, ReportKind};

#[tokio::test]
async fn what_is_repeated_is_the_same_to_the_row() {
    let rig = Rig::working(Work::Callers);
    let before = Before::make(&rig).await;
    let committed = rig.entries().len();
    live(&rig, &before).await;
    assert!(rig.store.is_ahead(), "nothing was committed meanwhile");
    let entries = rig.entries();
    let written: BTreeSet<u16> = entries[committed..]
        .iter()
        .flat_map(|entry| pieces::numbers(entry))
        .collect();
    let older = [Write::DropLast, Write::Wait, Write::Postpone];
    let missing: Vec<_> = Write::ALL
        .into_iter()
        .filter(|write| !older.contains(write) && !written.contains(&write.number()))
        .collect();
    assert_eq!(missing, []);

    let (folder, disk) = rig.copied();
    rig.store.close();
    let again = open(folder.path(), &disk, &rig.millis).unwrap();
    assert_eq!(again.repeated(), (entries.len() - committed) as u64);
    assert_eq!(again.audit().await.unwrap().problems, vec![]);
    again.close();
    let [first, again] = [rig.folder.path(), folder.path()].map(rows);
    for (table, rows) in &first {
        let differ: Vec<_> = rows.symmetric_difference(&again[table]).collect();
        assert!(differ.is_empty(), "{table}: {differ:#?}");
    }
    assert_eq!(first.len(), again.len());
}

/// What is there, and committed, before.
struct Before {
    ann: AccountId,
    lease: Lease,
    /// A process has died with it in hand.
    interrupted: ItemId,
    /// Two have.
    suspect: ItemId,
    held: ItemId,
}

impl Before {
    async fn make(rig: &Rig) -> Self {
        let store = &rig.store;
        let ann = rig.account().await;
        let [interrupted, suspect, held] = [
            rig.accept(b"a").await,
            rig.accept(b"b").await,
            rig.accept(b"c").await,
        ];
        for marked in [
            &[(suspect, 0)][..],
            &[(suspect, 0), (interrupted, 0), (held, 0)],
        ] {
            let lease = store.lease("node", Duration::from_hours(1)).await.unwrap();
            let begun = store.begin(&lease, marked.to_vec(), true).await.unwrap();
            assert!(begun.iter().all(|begun| *begun == Begun::Go));
        }
        store.operate(Action::Hold, held, None, "x").await.unwrap();
        let lease = store.lease("node", Duration::from_hours(1)).await.unwrap();
        assert!(!store.is_ahead());
        Self {
            ann,
            lease,
            interrupted,
            suspect,
            held,
        }
    }
}

/// Does everything that the journal knows.
async fn live(rig: &Rig, before: &Before) {
    let (store, lease) = (&rig.store, &before.lease);
    let begun = |items: Vec<ItemId>| async move {
        let attempts = items.into_iter().map(|item| (item, 0)).collect();
        store.begin(lease, attempts, false).await.unwrap()
    };
    let marked = begun(vec![before.interrupted, before.suspect, before.held]).await;
    assert_eq!(marked, [Begun::Go, Begun::SetAside, Begun::NotWaiting]);

    let mut both = item(Destination::Account(before.ann));
    both.recipients.extend(item(Destination::Remote).recipients);
    let mut draft = store.draft();
    draft.write(b"both").await.unwrap();
    let both = store.accept(draft, both).await.unwrap();
    assert_eq!(
        rig.store.begin(lease, vec![(both, 1)], false).await,
        Ok(vec![Begun::Go])
    );
    let local = LocalDelivery {
        item: both,
        recipient: 0,
        account: before.ann,
        folder: "Lists".to_owned(),
        added: "Delivered-To: ann\r\n".to_owned(),
    };
    let delivered = store.deliver_local(lease, vec![local]).await;
    assert_eq!(delivered, Ok(vec![LocalOutcome::Delivered { uid: 1 }]));

    // All that its rows can hold.
    let mut whole = item(Destination::Remote);
    whole.recipients[0].via = vec![address("list@example.org")];
    whole.shape = Shape {
        has_8bit: true,
        longest_line: 71,
        header_len: 3,
        return_paths: vec![0..1, 2..3],
    };
    let origin = whole.origin.as_mut().unwrap();
    (origin.login, origin.tls) = (Some("ann".to_owned()), Some("TLSv1.3".to_owned()));
    whole.envelope.smtputf8 = true;
    whole.envelope.require_tls = true;
    let mut draft = store.draft();
    draft.write(b"whole").await.unwrap();
    let gone = store.accept(draft, whole).await.unwrap();
    let [later, unasked, failed, crashed, unheard, maildir] = [
        rig.accept(b"later").await,
        rig.accept(b"unasked").await,
        rig.accept(b"failed").await,
        rig.accept(b"crashed").await,
        rig.accept(b"unheard").await,
        rig.try_accept(b"dir", Destination::Account(before.ann))
            .await
            .unwrap(),
    ];
    assert_eq!(begun(vec![gone, later]).await, [Begun::Go; 2]);
    let due = rig.now();
    rig.advance(Duration::from_millis(1));
    let again = due + Duration::from_hours(1);
    let attempt = |item, recipient, outcome| Attempt {
        item,
        recipient,
        since: due,
        at: due,
        outcome,
        detail: "by test".to_owned(),
        trail: Some("{}".to_owned()),
    };
    let postponed = Outcome::Postponed(status(4), again);
    let attempts = vec![
        attempt(both, 1, Outcome::Delivered(status(2))),
        attempt(gone, 0, Outcome::Delivered(status(2))),
        attempt(maildir, 0, Outcome::Delivered(status(2))),
        attempt(later, 0, Outcome::Deferred(status(4), again)),
        attempt(unasked, 0, postponed),
        attempt(failed, 0, Outcome::Failed(status(5))),
        attempt(unheard, 0, Outcome::Failed(status(5))),
        attempt(crashed, 0, Outcome::Crashed(again)),
        attempt(crashed, 0, Outcome::Crashed(again)),
        attempt(before.held, 0, Outcome::Crashed(again)),
    ];
    store.record(lease, attempts).await.unwrap();
    for (item, kind) in [(failed, ReportKind::Failure), (later, ReportKind::Delay)] {
        let mut draft = store.draft();
        draft.write(b"report").await.unwrap();
        let about = About {
            item,
            recipients: vec![0],
            kind,
        };
        let report = super::item(Destination::Remote);
        store.report(lease, draft, report, about).await.unwrap();
    }
    let nobody = store.suppress(lease, unheard, vec![0], "nobody").await;
    assert_eq!(nobody, Ok(()));
}

/// All that the database holds, table by table.
fn rows(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let db = database::open_reader(&folder.join("postrider.db")).unwrap();
    let mut tables = db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .unwrap();
    let tables = tables.query_map([], |row| row.get(0)).unwrap();
    tables
        .map(|table| {
            let table: String = table.unwrap();
            let mut query = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns = query.column_count();
            let found = query.query_map([], |row| {
                let values: rusqlite::Result<Vec<Value>> =
                    (0..columns).map(|n| row.get(n)).collect();
                Ok(format!("{:?}", values?))
            });
            let found = found.unwrap().map(Result::unwrap).collect();
            (table, found)
        })
        .collect()
}
