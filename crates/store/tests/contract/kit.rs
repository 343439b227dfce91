//! Short words for the cases.

use std::time::Duration;

use mailtypes::{
    EnhancedCode, Envelope, ForwardPath, ItemId, Mailbox, Protocol, ReversePath, Status,
};
use store::{
    AccountId, Destination, Due, Facts, Lane, Lease, LocalDelivery, LocalOutcome, NewItem,
    NewRecipient, Origin, Shape, Store,
};

pub(crate) fn address(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

pub(crate) fn status(class: u8) -> Status {
    Status::new(EnhancedCode::new(class, 0, 0), "as the test wants")
}

pub(crate) fn recipient(text: &str, destination: Destination) -> NewRecipient {
    NewRecipient {
        address: address(text),
        original: ForwardPath::Mailbox(address(text)),
        via: vec![address("alias@example.org")],
        destination,
        reason: "as the test wants".to_owned(),
    }
}

pub(crate) fn item(recipients: Vec<NewRecipient>) -> NewItem {
    NewItem {
        envelope: Envelope::from(ReversePath::Mailbox(address("Bob@client.example"))),
        added: "Received: by test\r\n".to_owned(),
        origin: Some(Origin {
            client: "192.0.2.1".parse().unwrap(),
            helo: "client.example".to_owned(),
            protocol: Protocol::Esmtp,
            login: None,
            tls: None,
        }),
        shape: Shape {
            header_len: 14,
            longest_line: 12,
            ..Shape::default()
        },
        facts: Facts {
            version: 1,
            json: "{}".to_owned(),
        },
        recipients,
    }
}

pub(crate) async fn accept_item<S: Store>(store: &S, body: &[u8], item: NewItem) -> ItemId {
    let mut draft = store.draft();
    let id = draft.id();
    for piece in body.chunks(64 * 1024) {
        draft.write(piece).await.unwrap();
    }
    assert_eq!(store.accept(draft, item).await.unwrap(), id);
    id
}

pub(crate) async fn accept<S: Store>(store: &S, body: &[u8], to: &[(&str, Destination)]) -> ItemId {
    let recipients = to
        .iter()
        .map(|(text, destination)| recipient(text, *destination))
        .collect();
    accept_item(store, body, item(recipients)).await
}

pub(crate) async fn account<S: Store>(store: &S, text: &str) -> AccountId {
    store
        .add_account(&address(text), "$argon2id$…")
        .await
        .unwrap()
}

pub(crate) async fn lease<S: Store>(store: &S) -> Lease {
    store.lease("node", Duration::from_hours(1)).await.unwrap()
}

pub(crate) fn local(item: ItemId, recipient: u32, account: AccountId) -> LocalDelivery {
    let added = format!("Delivered-To: {recipient}\r\n");
    LocalDelivery {
        item,
        recipient,
        account,
        folder: "INBOX".to_owned(),
        added,
    }
}

/// All that is due, lane by lane.
pub(crate) async fn due<S: Store>(store: &S, lease: &Lease) -> Vec<Due> {
    let mut all = Vec::new();
    for lane in [Lane::Here, Lane::Fresh, Lane::Again] {
        all.extend(store.due(lease, lane, None, 1000).await.unwrap().due);
    }
    all
}

/// Delivers everything that is due and local; answers the outcomes.
pub(crate) async fn deliver_due<S: Store>(store: &S, lease: &Lease) -> Vec<LocalOutcome> {
    let due = due(store, lease).await;
    let deliveries: Vec<_> = due
        .iter()
        .filter_map(|due| match due.destination {
            Destination::Account(account) => Some(local(due.item, due.recipient, account)),
            Destination::Remote => None,
        })
        .collect();
    let mut outcomes = Vec::new();
    for group in deliveries.chunks(store::limits::FAN_OUT_MAX) {
        outcomes.extend(store.deliver_local(lease, group.to_vec()).await.unwrap());
    }
    outcomes
}

pub(crate) async fn read<S: Store>(store: &S, account: AccountId, uid: u32) -> Vec<u8> {
    let reader = store
        .open_message(account, "INBOX", uid)
        .await
        .unwrap()
        .unwrap();
    let size = reader.size();
    let octets = reader.read_all().await.unwrap();
    assert_eq!(octets.len() as u64, size);
    octets
}

pub(crate) async fn assert_books_balance<S: Store>(store: &S) {
    let report = store.audit().await.unwrap();
    assert_eq!(report.problems, vec![]);
    assert!(report.totals.balance());
}
