use std::sync::Arc;

use mailtypes::{Domain, Timestamp};
use store::{AccountDelivery, Embedded, Options};

use super::*;
use crate::answer::delivery;

fn house() -> House {
    House {
        data: "/nowhere".into(),
        domains: Some(vec![Domain::parse("example.org").unwrap()]),
        uptime: None,
        stopping: false,
        version: "test",
        now: Timestamp::EPOCH,
        delivery: None,
        addressing: None,
    }
}

/// Accounts ann, bob and eve; bob's mail goes on to carl, who is elsewhere.
async fn directory(folder: &std::path::Path) -> Embedded {
    let options = Options {
        seed: Some(1),
        ..Options::new(Arc::new(|| Timestamp::EPOCH))
    };
    let store = Embedded::open(folder, options).unwrap();
    for account in ["ann@example.org", "bob@example.org", "eve@example.org"] {
        let account = Mailbox::parse(account).unwrap();
        store.add_account(&account, "*").await.unwrap();
    }
    let bob = Mailbox::parse("bob@example.org").unwrap();
    let forward = AccountDelivery {
        forward: vec![Mailbox::parse("carl@example.net").unwrap()],
        ..AccountDelivery::default()
    };
    store.set_delivery(&bob, forward).await.unwrap();
    store
}

/// Each step says who stands for whom, or sends mail on (`>`), and whether that may be.
async fn check(steps: &[(&str, &str, &str, bool)]) {
    let folder = tempfile::tempdir().unwrap();
    let (store, house) = (directory(folder.path()).await, house());
    for (who, how, whom, may) in steps {
        let whom = [(*whom).to_owned()];
        let done = match *how {
            "=" => set(&store, &house, who, &whom).await,
            _ => delivery::set(&store, &house, who, None, &whom, *how == ">+").await,
        };
        match done {
            Ok(_) => assert!(may, "{who} {how} {whom:?}"),
            Err(refusal) => {
                let text = format!("{refusal:?}");
                assert!(
                    !may && text.contains("lead back"),
                    "{who} {how} {whom:?}: {text}"
                );
            }
        }
    }
}

#[tokio::test]
async fn nothing_leads_back_by_aliases_and_forwards() {
    let sales = "sales@example.org";
    let bob = "bob@example.org";
    check(&[(sales, "=", bob, true), (bob, ">", sales, false)]).await;
    // The other way round: the account sends on first.
    check(&[
        (sales, "=", "ann@example.org", true),
        (bob, ">", sales, true),
        (sales, "=", bob, false),
        (sales, "=", "bob+x@example.org", false),
        (sales, "=", "eve@example.org", true),
    ])
    .await;
    // Two accounts, with a copy or without.
    for how in [">", ">+"] {
        check(&[
            (bob, how, "ann@example.org", true),
            ("ann@example.org", how, bob, false),
            ("ann@example.org", how, "eve@example.org", true),
            ("eve@example.org", how, bob, false),
        ])
        .await;
    }
    // What goes elsewhere does not lead back as far as is known here.
    check(&[
        (sales, "=", bob, true),
        (bob, ">", "sales@example.net", true),
    ])
    .await;
}
