//! Data folders of every schema that was ever released open, and lose nothing.
//!
//! `POSTRIDER_WRITE_FIXTURE=1 cargo test -p store --test upgrade` writes the folder of the newest
//! schema; do that once per schema, in the commit that makes it, and never change it afterwards.
#![expect(clippy::unwrap_used, reason = "all of this is test code")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mailtypes::Timestamp;
use store::{
    Action, Alias, Attempt, Destination, Embedded, EventKind, Lane, Listing, LocalOutcome, Options,
    Outcome, RecipientState, Selection, Store, Work,
};

#[path = "upgrade/backup.rs"]
mod backup;
#[path = "upgrade/content.rs"]
mod content;
#[path = "contract/kit.rs"]
mod kit;
#[path = "upgrade/refused.rs"]
mod refused;
use kit::*;

const SCHEMAS: &[u32] = &[1, 2, 3, 4];

#[tokio::test(flavor = "multi_thread")]
async fn the_folder_of_each_schema_opens_and_loses_nothing() {
    if std::env::var_os("POSTRIDER_WRITE_FIXTURE").is_some() {
        write_fixture(&fixture(*SCHEMAS.last().unwrap())).await;
    }
    for schema in SCHEMAS {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&fixture(*schema), copy.path());
        let before = content::of(&copy.path().join("postrider.db"));
        let store = open(copy.path());
        content::assert_kept(&before, &content::of(&copy.path().join("postrider.db")));
        check(&store).await;
    }
}

async fn check(store: &Embedded) {
    assert_books_balance(store).await;
    assert_eq!(store.check().await.unwrap().problems, vec![]);
    let Some(Listing::Account(ann)) = store.lookup(&address("ann@example.org")).await.unwrap()
    else {
        panic!("the account is gone")
    };
    let alias = store.lookup(&address("all@example.org")).await.unwrap();
    assert!(matches!(alias, Some(Listing::Alias(targets)) if targets.len() == 2));
    assert_eq!(
        read(store, ann, 1).await,
        b"Delivered-To: 0\r\nReceived: by test\r\nSubject: delivered\r\n\r\n"
    );
    let mut states = Vec::new();
    for line in store.queue(&Selection::default(), None, 100).await.unwrap() {
        let story = store.story(line.id).await.unwrap().unwrap();
        states.push((
            story.recipients[0].state,
            story.events.last().map(|e| e.kind),
        ));
        assert!(store.open_item(line.id).await.unwrap().is_some());
    }
    assert_eq!(
        states,
        [
            (RecipientState::Queued, Some(EventKind::Deferred)),
            (RecipientState::Held, Some(EventKind::Held)),
            (RecipientState::BounceOwed, Some(EventKind::Failed)),
            (RecipientState::Queued, None),
        ]
    );
    let held = lease(store).await;
    assert_eq!(
        deliver_due(store, &held).await,
        [LocalOutcome::Delivered { uid: 2 }]
    );
    let due = store.due(&held, Lane::Here, None, 10).await.unwrap().due;
    assert!(matches!(&due[..], [failed] if failed.owed), "{due:?}");
    let deferred = store.due(&held, Lane::Again, None, 10).await.unwrap().due;
    assert!(
        matches!(&deferred[..], [one] if one.attempts == 1),
        "{deferred:?}"
    );
    assert_books_balance(store).await;
}

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

async fn write_fixture(folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
    let store = open(folder);
    let ann = account(&store, "ann@example.org").await;
    let targets = vec![address("ann@example.org"), address("x@far.example")];
    store
        .set_alias(Alias {
            address: address("all@example.org"),
            targets,
        })
        .await
        .unwrap();
    let held = lease(&store).await;
    let to_ann = [("ann@example.org", Destination::Account(ann))];
    let to_far = [("x@far.example", Destination::Remote)];
    accept(&store, b"Subject: delivered\r\n\r\n", &to_ann).await;
    deliver_due(&store, &held).await;
    let deferred = accept(&store, b"Subject: deferred\r\n\r\n", &to_far).await;
    let kept = accept(&store, b"Subject: held\r\n\r\n", &to_far).await;
    let failed = accept(&store, b"Subject: failed\r\n\r\n", &to_far).await;
    accept(&store, b"Subject: waits\r\n\r\n", &to_ann).await;
    store
        .operate(Action::Hold, kept, None, "root")
        .await
        .unwrap();
    let again = Outcome::Deferred(status(4), Timestamp::from_millis(4_000_000_000_000));
    let detail = "by test".to_owned();
    let attempts = vec![
        Attempt {
            item: deferred,
            recipient: 0,
            since: NOW,
            at: NOW,
            outcome: again,
            detail: detail.clone(),
            trail: None,
        },
        Attempt {
            item: failed,
            recipient: 0,
            since: NOW,
            at: NOW,
            outcome: Outcome::Failed(status(5)),
            detail,
            trail: None,
        },
    ];
    store.record(&held, attempts).await.unwrap();
    store.close();
    drop(store);
    // The store's own threads still close their connections.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    // Everything into the one file.
    let db = rusqlite::Connection::open(folder.join("postrider.db")).unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    db.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
        .unwrap();
    db.execute_batch("VACUUM").unwrap();
    std::fs::remove_file(folder.join("lock")).unwrap();
}

fn open(folder: &Path) -> Embedded {
    let clock = Arc::new(|| NOW);
    let options = Options {
        seed: Some(1),
        work: Work::ThreadsOnDemand,
        ..Options::new(clock)
    };
    Embedded::open(folder, options).unwrap()
}

fn fixture(schema: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/schema-{schema}"))
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
