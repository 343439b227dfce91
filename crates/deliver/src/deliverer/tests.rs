use std::path::Path;

use mailtypes::{Envelope, ForwardPath, ItemId, Mailbox, Protocol, ReversePath};
use store::{
    Destination, Embedded, Facts, NewItem, NewRecipient, Options, Origin, RecipientState, Shape,
};

use super::*;

const START: i64 = 1_800_000_000_000;

struct World {
    store: Embedded,
    clock: Clock,
    wake: Arc<Notify>,
    stop: watch::Sender<bool>,
    ann: AccountId,
}

impl World {
    async fn new(folder: &Path) -> Self {
        let clock = Clock::manual(Timestamp::from_millis(START));
        let now = clock.clone();
        let options = Options {
            seed: Some(1),
            ..Options::new(Arc::new(move || now.now()))
        };
        let store = Embedded::open(folder, options).unwrap();
        let ann = store
            .add_account(&mailbox("ann@example.org"), "*")
            .await
            .unwrap();
        Self {
            store,
            clock,
            wake: Arc::default(),
            stop: watch::Sender::new(false),
            ann,
        }
    }

    fn start(&self) -> tokio::task::JoinHandle<()> {
        let deliverer = Deliverer::new(
            self.store.clone(),
            self.clock.clone(),
            Arc::clone(&self.wake),
        );
        tokio::spawn(deliverer.seeded(1).run(self.stop.subscribe()))
    }

    async fn accept(&self, to: &[(&str, Destination)]) -> ItemId {
        let mut draft = self.store.draft();
        draft
            .write(b"Return-Path: <old@example.net>\r\nSubject: hi\r\n\r\ntext\r\n")
            .await
            .unwrap();
        let recipients = to
            .iter()
            .map(|(address, destination)| NewRecipient {
                address: mailbox(address),
                original: ForwardPath::Mailbox(mailbox(address)),
                via: Vec::new(),
                destination: *destination,
                reason: "account".to_owned(),
            })
            .collect();
        let from = ReversePath::Mailbox(mailbox("bob@example.net"));
        let item = NewItem {
            envelope: Envelope::from(from),
            added: "Received: by test\r\n".to_owned(),
            origin: Origin {
                client: [192, 0, 2, 1].into(),
                helo: "client.example.net".to_owned(),
                protocol: Protocol::Esmtp,
                login: None,
                tls: None,
            },
            shape: Shape {
                return_paths: std::iter::once(0..32).collect(),
                ..Shape::default()
            },
            facts: Facts {
                version: 1,
                json: "{}".to_owned(),
            },
            recipients,
        };
        let id = self.store.accept(draft, item).await.unwrap();
        self.wake.notify_one();
        id
    }

    /// Waits until a recipient of an item is as wanted.
    async fn wait_for(&self, item: ItemId, n: usize, state: RecipientState, attempts: u32) {
        for _ in 0..500 {
            let story = self.store.story(item).await.unwrap().unwrap();
            let recipient = &story.recipients[n];
            if recipient.state == state && recipient.attempts >= attempts {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!(
            "never {state:?} with {attempts} attempts: {:?}",
            self.store.story(item).await
        );
    }
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

#[tokio::test]
async fn a_message_comes_into_the_mailbox_with_its_marks() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    let task = world.start();
    let ann = Destination::Account(world.ann);
    let item = world
        .accept(&[("ann+news@example.org", ann), ("ann@example.org", ann)])
        .await;
    world.wait_for(item, 0, RecipientState::Delivered, 1).await;
    world.wait_for(item, 1, RecipientState::Delivered, 1).await;
    let message = world
        .store
        .open_message(world.ann, "INBOX", 1)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        String::from_utf8(message.read_all().await.unwrap()).unwrap(),
        "Return-Path: <bob@example.net>\r\nDelivered-To: ann+news@example.org\r\n\
         Received: by test\r\nSubject: hi\r\n\r\ntext\r\n"
    );
    assert_eq!(
        world
            .store
            .entries(world.ann, "INBOX", 0, 10)
            .await
            .unwrap()
            .len(),
        2
    );
    world.stop.send_replace(true);
    task.await.unwrap();
}

#[tokio::test]
async fn what_came_before_the_start_is_delivered_too() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    let ann = Destination::Account(world.ann);
    let many: Vec<String> = (0..250).map(|n| format!("ann+{n}@example.org")).collect();
    let many: Vec<_> = many.iter().map(|address| (address.as_str(), ann)).collect();
    let item = world.accept(&many).await; // more than one request of the store takes
    let _task = world.start();
    world
        .wait_for(item, 249, RecipientState::Delivered, 1)
        .await;
    assert_eq!(
        world
            .store
            .entries(world.ann, "INBOX", 0, 1000)
            .await
            .unwrap()
            .len(),
        250
    );
}

#[tokio::test]
async fn mail_for_a_removed_account_is_owed_a_bounce() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    let item = world
        .accept(&[("ann@example.org", Destination::Account(world.ann))])
        .await;
    world
        .store
        .remove_account(&mailbox("ann@example.org"))
        .await
        .unwrap();
    let _task = world.start();
    world.wait_for(item, 0, RecipientState::BounceOwed, 1).await;
    let story = world.store.story(item).await.unwrap().unwrap();
    assert_eq!(
        story.recipients[0]
            .status
            .as_ref()
            .unwrap()
            .code
            .to_string(),
        "5.1.1"
    );
}

#[tokio::test]
async fn mail_for_other_servers_is_kept_and_tried_by_the_schedule() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    let ann = Destination::Account(world.ann);
    let item = world
        .accept(&[
            ("eve@elsewhere.example", Destination::Remote),
            ("ann@example.org", ann),
        ])
        .await;
    let _task = world.start();
    world.wait_for(item, 1, RecipientState::Delivered, 1).await;
    world.wait_for(item, 0, RecipientState::Queued, 1).await;
    for attempts in 2..5 {
        let story = world.store.story(item).await.unwrap().unwrap();
        let due = story.recipients[0].due.unwrap();
        assert_eq!(story.recipients[0].attempts, attempts - 1);
        assert_eq!(
            story.recipients[0]
                .status
                .as_ref()
                .unwrap()
                .code
                .to_string(),
            "4.4.4"
        );
        let now = world.clock.now();
        let pause = schedule::FIRST * (1 << (attempts - 2));
        assert!(due.since(now) >= pause && due.since(now) <= pause.mul_f64(1.1));
        // A poll or two go by in between; the deliverer looks at the clock itself.
        world.clock.advance(due.since(now));
        world
            .wait_for(item, 0, RecipientState::Queued, attempts)
            .await;
    }
}

#[tokio::test]
async fn it_stops_when_told_and_when_the_store_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    let task = world.start();
    tokio::task::yield_now().await;
    world.stop.send_replace(true);
    task.await.unwrap();
    world.stop.send_replace(false);
    let task = world.start();
    world.store.close();
    world.clock.advance(POLL);
    tokio::time::timeout(Duration::from_secs(10), task)
        .await
        .unwrap()
        .unwrap();
}
