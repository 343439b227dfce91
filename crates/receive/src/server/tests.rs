//! Whole sessions over loopback, into a real store.

use std::net::TcpStream;
use std::time::Duration;

use mailtypes::{Domain, ItemId};
use net::{Acceptor, Limits, listen};
use proto::smtp;
use store::RecipientState;

use super::*;
use world::{Client, World, mailbox};

mod world;

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_in_the_queue_when_the_client_hears_250() {
    let world = World::new().await;
    let id = world
        .client(|client| {
            client.hello();
            let id = client.letter(&["Ann+x@example.org"], "Subject: hi\r\n\r\n..dot");
            client.ask("QUIT", "221 2.0.0");
            assert!(client.at_end());
            id
        })
        .await;
    world.wake.notified().await;
    let story = world.story(id).await;
    assert_eq!(story.envelope.reverse_path.to_string(), "eve@example.net");
    assert_eq!(story.origin.unwrap().helo, "client.example.net");
    assert_eq!(story.recipients.len(), 1);
    assert_eq!(story.recipients[0].address, mailbox("ann+x@example.org"));
    assert_eq!(story.recipients[0].original, "Ann+x@example.org");
    assert_eq!(story.recipients[0].state, RecipientState::Queued);
    assert!(
        story
            .facts
            .json
            .contains(r#"["ann@example.org",{"account":1}]"#),
        "{:?}",
        story.facts
    );
    let message = world
        .store
        .open_item(id)
        .await
        .unwrap()
        .unwrap()
        .read_all()
        .await
        .unwrap();
    let message = String::from_utf8(message).unwrap();
    assert!(
        message.starts_with("Received: from client.example.net ([127.0.0.1])"),
        "{message}"
    );
    assert!(message.contains("for <Ann+x@example.org>;"), "{message}");
    assert!(
        message.ends_with("\r\nSubject: hi\r\n\r\n.dot\r\n"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_may_come_all_at_once() {
    let world = World::new().await;
    let id = world
        .client(|client| {
            client.send(
                "EHLO c.example.net\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\n\
                 RCPT TO:<nobody@example.org>\r\nRCPT TO:<x@elsewhere.example>\r\n\
                 RCPT TO:<Postmaster>\r\nRCPT TO:<bob@example.org>\r\nVRFY ann\r\nEXPN ann\r\n\
                 DATA\r\n",
            );
            for start in [
                "220 ",
                "250 ",
                "250 2.1.0",
                "250 2.1.5",
                "550 5.1.1",
                "550 5.7.1",
            ] {
                client.expect(start);
            }
            for start in ["250 2.1.5", "250 2.1.5", "252 2.1.5", "550 5.7.1", "354 "] {
                client.expect(start);
            }
            client.send("Subject: hi\r\n\r\ntext\r\n.\r\nNOOP\r\nQUIT\r\n");
            let queued = client.expect("250 2.0.0 Ok: queued as ");
            client.expect("250 2.0.0");
            client.expect("221 2.0.0");
            ItemId::parse(queued.rsplit(' ').next().unwrap()).unwrap()
        })
        .await;
    let story = world.story(id).await;
    let to: Vec<_> = story
        .recipients
        .iter()
        .map(|to| to.address.to_string())
        .collect();
    assert_eq!(to, ["ann@example.org", "bob@example.org"]); // the oldest account is ann: once
    let message = world
        .store
        .open_item(id)
        .await
        .unwrap()
        .unwrap()
        .read_all()
        .await
        .unwrap();
    assert!(
        !String::from_utf8(message).unwrap().contains("for <"),
        "tells of the others"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_message_comes_whole() {
    let world = World::new().await;
    let line = "0123456789".repeat(7) + "\r\n";
    let text = format!("Subject: big\r\n\r\n{}end", line.repeat(30_000));
    let sent = text.clone();
    let id = world
        .client(move |client| {
            client.hello();
            client.letter(&["ann@example.org"], &text)
        })
        .await;
    let message = world
        .store
        .open_item(id)
        .await
        .unwrap()
        .unwrap()
        .read_all()
        .await
        .unwrap();
    assert!(message.ends_with(format!("{sent}\r\n").as_bytes()));
}

#[tokio::test(flavor = "multi_thread")]
async fn loops_end_here() {
    let world = World::new().await;
    world
        .client(|client| {
            client.hello();
            for text in [
                "Delivered-To: ANN@example.org\r\n".to_owned(),
                "Received: x\r\n".repeat(101),
            ] {
                client.ask("MAIL FROM:<eve@example.net>", "250");
                client.ask("RCPT TO:<ann@example.org>", "250");
                client.ask("DATA", "354");
                client.ask(&format!("{text}\r\ntext\r\n."), "554 5.4.6");
            }
            client.letter(
                &["ann@example.org"],
                "Delivered-To: bob@example.org\r\n\r\ntext",
            );
        })
        .await;
    assert_eq!(world.queue_len().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_accepted_leaves_nothing() {
    let world = World::new().await;
    world
        .client(|client| {
            client.hello();
            client.ask("MAIL FROM:<eve@example.net>", "250");
            client.ask("RCPT TO:<ann@example.org>", "250");
            client.ask("DATA", "354");
            client.send("half a letter\r\n");
        })
        .await; // gone in the midst of the body
    world
        .client(|client| {
            client.hello();
            client.ask("MAIL FROM:<eve@example.net>", "250");
            client.ask("RCPT TO:<ann@example.org>", "250");
            client.ask("RSET", "250");
            client.ask("DATA", "503");
            client.ask("MAIL FROM:<eve@example.net>", "250");
            client.ask("RCPT TO:<ann@example.org>", "250");
            client.ask("DATA", "354");
            client.ask("bare \n LF\r\n.", "550 5.5.2");
            client.letter(&["bob@example.org"], "the session goes on");
        })
        .await;
    assert_eq!(world.queue_len().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_ends_a_session() {
    let world = World::new().await;
    let clock = world.clock.clone();
    world
        .client(move |client| {
            client.hello();
            clock.advance(Duration::from_secs(301));
            client.expect("421 4.4.2");
            assert!(client.at_end());
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_connections_hear_421() {
    for (total, per_address, wanted) in [(10, 1, "421 4.7.0"), (1, 10, "421 4.3.2")] {
        let limits = Limits { total, per_address };
        let world = World::with(limits, smtp::Settings::default()).await;
        let addr = world.addr;
        world
            .client(move |first| {
                first.hello();
                let mut second = Client::connect(addr);
                second.expect(wanted);
                assert!(second.at_end());
                first.ask("NOOP", "250");
            })
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_settings_hold_for_the_next_transaction() {
    let world = World::new().await;
    let settings = Arc::clone(&world.settings);
    world
        .client(move |client| {
            client.hello();
            client.ask("MAIL FROM:<>", "250");
            client.ask("RCPT TO:<ann@example.com>", "550 5.7.1");
            let mut changed = Settings::clone(&settings.load());
            changed.domains.push(Domain::parse("example.com").unwrap());
            settings.store(Arc::new(changed));
            client.ask("RCPT TO:<ann@example.com>", "550 5.7.1");
            client.ask("RSET", "250");
            client.ask("MAIL FROM:<>", "250");
            client.ask("RCPT TO:<ann@example.com>", "550 5.1.1");
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_spares_the_body_under_way() {
    let world = World::new().await;
    let (phase, addr) = (world.phase.clone(), world.addr);
    world
        .client(move |writing| {
            writing.hello();
            writing.ask("MAIL FROM:<eve@example.net>", "250");
            writing.ask("RCPT TO:<ann@example.org>", "250");
            writing.ask("DATA", "354");
            let mut idle = Client::connect(addr);
            idle.hello();
            phase.send_replace(Phase::Stop);
            idle.expect("421 4.3.2");
            assert!(idle.at_end());
            writing.ask("text\r\n.", "250 2.0.0 Ok: queued as");
            writing.expect("421 4.3.2");
            assert!(writing.at_end());
        })
        .await;
    world.task.await.unwrap();
    assert_eq!(
        world
            .store
            .queue(&store::Selection::default(), None, 100)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_ever() {
    let world = World::new().await;
    let (phase, clock) = (world.phase.clone(), world.clock.clone());
    world
        .client(move |client| {
            client.hello();
            client.ask("MAIL FROM:<eve@example.net>", "250");
            client.ask("RCPT TO:<ann@example.org>", "250");
            client.ask("DATA", "354");
            phase.send_replace(Phase::Stop);
            // The grace begins when the session has seen the stop, at some moment of ours.
            for _ in 0..3 {
                std::thread::sleep(Duration::from_millis(100));
                clock.advance(STOP_GRACE / 2);
            }
            client.expect("421 4.3.2");
            assert!(client.at_end());
        })
        .await;
    world.task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_lets_sessions_end_by_themselves() {
    let world = World::new().await;
    let (phase, addr) = (world.phase.clone(), world.addr);
    world
        .client(move |client| {
            client.hello();
            phase.send_replace(Phase::Drain);
            let closed = (0..500).any(|_| {
                std::thread::sleep(Duration::from_millis(10));
                TcpStream::connect(addr).is_err()
            });
            assert!(closed, "still takes connections");
            client.letter(&["ann@example.org"], "text");
            client.ask("QUIT", "221");
        })
        .await;
    world.task.await.unwrap();
}

/// The clock stands still: a session that waits for anything would go on for ever.
#[tokio::test(flavor = "multi_thread")]
async fn behind_quit_nobody_waits_for_the_client() {
    let world = World::new().await;
    let addr = world.addr;
    let client = tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(addr);
        client.hello();
        client.ask("QUIT", "221");
        client
    });
    let client = client.await.unwrap();
    world.phase.send_replace(Phase::Drain);
    let ended = tokio::time::timeout(Duration::from_secs(20), world.task).await;
    ended.unwrap().unwrap();
    drop(client);
}

#[tokio::test]
async fn a_store_that_is_gone_is_our_fault() {
    let world = World::new().await;
    let store = world.store.clone();
    world
        .client(move |client| {
            client.hello();
            client.ask("MAIL FROM:<eve@example.net>", "250");
            client.ask("RCPT TO:<ann@example.org>", "250");
            client.ask("DATA", "354");
            store.close();
            client.ask("text\r\n.", "451 4.3.0");
            client.ask("NOOP", "250");
        })
        .await;
    drop(world.phase);
    world.task.await.unwrap();
}

/// 10,000 idle clients must fit into 16 KiB each, the kernel's part not counted.
#[tokio::test]
async fn a_waiting_session_is_small() {
    let world = World::new().await;
    let listener = listen::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut acceptor = Acceptor::new(listener).unwrap();
    let addr = acceptor.local_addr().unwrap();
    let (_client, (stream, peer)) =
        tokio::join!(tokio::net::TcpStream::connect(addr), acceptor.accept());
    let shared = Arc::new(Shared {
        metrics: Metrics::default(),
        store: world.store.clone(),
        clock: world.clock.clone(),
        settings: Arc::clone(&world.settings),
        wake: Arc::clone(&world.wake),
    });
    let session = Session::new(shared, stream, peer.ip(), world.phase.subscribe());
    let pass = Gate::new(Limits {
        total: 1,
        per_address: 1,
    })
    .enter(peer.ip())
    .unwrap();
    let future = keep(pass, session)
        .instrument(tracing::Span::none())
        .instrument(tracing::Span::none());
    let size = size_of_val(&future);
    assert!(size <= 3 * 1024, "{size} octets");
}
