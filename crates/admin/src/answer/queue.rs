//! Questions about items, and orders to them.

use mailtypes::ItemId;
use store::{Action, ItemView, Selection, Store};

use super::{item_id, mailbox, next_of};
use crate::view::{DoneView, ItemLine, QueueView, StoryView, TraceView};
use crate::{Answer, Kind, Refusal};

/// A queue id has no `@` and an address always has one: that tells them apart.
pub(super) async fn trace(
    store: &impl Store,
    what: &str,
    before: Option<&str>,
    limit: usize,
) -> Result<Answer, Refusal> {
    if !what.contains('@') {
        return show(store, item_id(what)?).await;
    }
    let address = mailbox(what)?;
    let before = before.map(item_id).transpose()?;
    let limit = limit.min(TRACE_ITEMS_MAX);
    let ids = store.trace(&address, before, limit).await?;
    let mut items = Vec::with_capacity(ids.len());
    for id in &ids {
        // Housekeeping may have dropped one meanwhile.
        if let Some(item) = store.story(*id).await? {
            items.push(ItemLine::from(&item));
        }
    }
    if items.is_empty() {
        let text =
            format!("no message from or to {address} is known (history is kept for 30 days)");
        return Err(Refusal::new(Kind::NotFound, text));
    }
    Ok(Answer::Trace(TraceView {
        address: address.to_string(),
        items,
        next: next_of(&ids, limit, ToString::to_string),
    }))
}

pub(super) async fn show(store: &impl Store, id: ItemId) -> Result<Answer, Refusal> {
    let item = story(store, id).await?;
    Ok(Answer::Story(Box::new(StoryView::from(&item))))
}

async fn story(store: &impl Store, id: ItemId) -> Result<ItemView, Refusal> {
    let gone = || {
        let text = format!("no message {id} is known (history is kept for 30 days)");
        Refusal::new(Kind::NotFound, text)
    };
    store.story(id).await?.ok_or_else(gone)
}

pub(super) async fn list(
    store: &impl Store,
    after: Option<&str>,
    limit: usize,
) -> Result<Answer, Refusal> {
    let after = after.map(item_id).transpose()?;
    let lines = store.queue(&Selection::default(), after, limit).await?;
    Ok(Answer::Queue(QueueView {
        items: lines.iter().map(ItemLine::from).collect(),
        next: next_of(&lines, limit, |line| line.id.to_string()),
    }))
}

pub(super) async fn hold(store: &impl Store, id: ItemId, by: &str) -> Result<Answer, Refusal> {
    let count = store.operate(Action::Hold, id, None, by).await?;
    tracing::info!(target: "mail", %id, recipients = count, by, "held");
    Ok(done(format!("{id}: {} held", recipients(count))))
}

pub(super) async fn release(store: &impl Store, id: ItemId, by: &str) -> Result<Answer, Refusal> {
    let count = store.operate(Action::Release, id, None, by).await?;
    tracing::info!(target: "mail", %id, recipients = count, by, "released");
    Ok(done(format!("{id}: {} due now", recipients(count))))
}

pub(super) async fn remove(store: &impl Store, id: ItemId, by: &str) -> Result<Answer, Refusal> {
    let count = store.operate(Action::Remove, id, None, by).await?;
    tracing::info!(target: "mail", %id, recipients = count, by, "removed");
    Ok(done(format!("{id}: {} removed", recipients(count))))
}

pub(super) fn done(message: String) -> Answer {
    Answer::Done(DoneView { message })
}

fn recipients(count: u32) -> String {
    if count == 1 {
        "1 recipient".to_owned()
    } else {
        format!("{count} recipients")
    }
}

/// Items of an address in one answer: each is read with its whole story.
const TRACE_ITEMS_MAX: usize = 100;
