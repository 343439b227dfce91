//! Cases of mail coming in.

use store::{Destination, Store};

use crate::Backend;
use crate::kit::*;

pub(crate) async fn what_was_accepted_survives_a_restart(mut backend: impl Backend) {
    let store = backend.store();
    let ann = account(&store, "ann@example.org").await;
    let to = [
        ("ann@example.org", Destination::Account(ann)),
        ("x@far.example", Destination::Remote),
    ];
    let id = accept(&store, b"Subject: hi\r\n\r\nbody\r\n", &to).await;
    drop(store);
    backend.restart();
    let store = backend.store();
    let story = store.story(id).await.unwrap().unwrap();
    assert_eq!(
        story.envelope.reverse_path.to_string(),
        "Bob@client.example"
    );
    assert_eq!(
        (
            story.origin.as_ref().unwrap().helo.as_str(),
            story.recipients.len()
        ),
        ("client.example", 2)
    );
    assert_eq!(story.recipients[0].via, vec![address("alias@example.org")]);
    let body = store
        .open_item(id)
        .await
        .unwrap()
        .unwrap()
        .read_all()
        .await
        .unwrap();
    assert_eq!(body, b"Received: by test\r\nSubject: hi\r\n\r\nbody\r\n");
    let due = due(&store, &lease(&store).await).await;
    assert_eq!(
        due.iter()
            .map(|d| (d.item, d.recipient))
            .collect::<Vec<_>>(),
        [(id, 0), (id, 1)]
    );
    assert_eq!(
        (due[0].destination, due[1].destination),
        (Destination::Account(ann), Destination::Remote)
    );
    assert_books_balance(&store).await;
}

pub(crate) async fn a_refused_draft_leaves_nothing(mut backend: impl Backend) {
    let store = backend.store();
    let mut small = store.draft();
    small.write(b"never mind").await.unwrap();
    let mut large = store.draft();
    large.write(&vec![b'x'; 400_000]).await.unwrap();
    let (small_id, large_id) = (small.id(), large.id());
    drop((small, large, store));
    backend.restart();
    let store = backend.store();
    assert!(store.story(small_id).await.unwrap().is_none());
    assert!(store.story(large_id).await.unwrap().is_none());
    assert_eq!(store.check().await.unwrap().bodies, 0);
    assert_books_balance(&store).await;
}

pub(crate) async fn large_bodies_come_back_whole(mut backend: impl Backend) {
    let store = backend.store();
    let body: Vec<u8> = (0..3_000_000u32)
        .map(|n| n.to_le_bytes()[n as usize % 3])
        .collect();
    let id = accept(&store, &body, &[("x@far.example", Destination::Remote)]).await;
    let empty = accept(&store, b"", &[("x@far.example", Destination::Remote)]).await;
    drop(store);
    backend.restart();
    let store = backend.store();
    let read = store
        .open_item(id)
        .await
        .unwrap()
        .unwrap()
        .read_all()
        .await
        .unwrap();
    assert!(read.strip_prefix(b"Received: by test\r\n").unwrap() == body);
    let read = store
        .open_item(empty)
        .await
        .unwrap()
        .unwrap()
        .read_all()
        .await
        .unwrap();
    assert_eq!(read, b"Received: by test\r\n");
    let report = store.check().await.unwrap();
    assert_eq!(
        (report.bodies, report.octets, report.problems),
        (2, 3_000_000, vec![])
    );
}

pub(crate) async fn many_at_once_are_all_there(mut backend: impl Backend) {
    let store = backend.store();
    let tasks: Vec<_> = (0..200u32)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let body = format!("Subject: {n}\r\n\r\n").repeat(n as usize % 7 + 1);
                let to = [("x@far.example", Destination::Remote)];
                (accept(&store, body.as_bytes(), &to).await, body)
            })
        })
        .collect();
    let mut accepted = Vec::new();
    for task in tasks {
        accepted.push(task.await.unwrap());
    }
    drop(store);
    backend.restart();
    let store = backend.store();
    for (id, body) in accepted {
        let read = store
            .open_item(id)
            .await
            .unwrap()
            .unwrap()
            .read_all()
            .await
            .unwrap();
        assert_eq!(
            read.strip_prefix(b"Received: by test\r\n").unwrap(),
            body.as_bytes()
        );
    }
    assert_eq!(store.check().await.unwrap().problems, vec![]);
    assert_books_balance(&store).await;
}
