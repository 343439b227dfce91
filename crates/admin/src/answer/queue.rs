//! Questions about items.

use mailtypes::{Host, ItemId, ReversePath, Timestamp};
use store::{ItemView, RecipientView, Selection, Store};

use super::{House, item_id, mailbox, next_of};
use crate::view::{DoneView, ItemLine, QueueView, StoryView, TraceView};
use crate::{Answer, Kind, Refusal, Which};

/// A queue id has no `@` and an address always has one: that tells them apart.
pub(super) async fn trace(
    store: &impl Store,
    house: &House,
    what: &str,
    before: Option<&str>,
    limit: usize,
) -> Result<Answer, Refusal> {
    if !what.contains('@') {
        return show(store, house, item_id(what)?).await;
    }
    let address = mailbox(what)?;
    let before = before.map(item_id).transpose()?;
    let limit = limit.min(TRACE_ITEMS_MAX);
    let ids = store.trace(&address, before, limit).await?;
    let mut items = Vec::with_capacity(ids.len());
    for id in &ids {
        // Housekeeping may have dropped one meanwhile.
        if let Some(mut item) = store.story(*id).await? {
            put_down(&mut item.recipients, house);
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
        behind: None,
    }))
}

/// What a server that does not run any more had in hand, nobody has.
fn put_down(recipients: &mut [RecipientView], house: &House) {
    for recipient in recipients {
        recipient.in_hand &= house.uptime.is_some();
    }
}

pub(super) async fn show(store: &impl Store, house: &House, id: ItemId) -> Result<Answer, Refusal> {
    let mut item = story(store, id).await?;
    put_down(&mut item.recipients, house);
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
    house: &House,
    which: &Which,
    after: Option<&str>,
    limit: usize,
) -> Result<Answer, Refusal> {
    let after = after.map(item_id).transpose()?;
    let selection = selection(which, house)?;
    let mut lines = store.queue(&selection, after, limit).await?;
    for line in &mut lines {
        put_down(&mut line.recipients, house);
    }
    Ok(Answer::Queue(QueueView {
        items: lines.iter().map(ItemLine::from).collect(),
        next: next_of(&lines, limit, |line| line.id.to_string()),
        behind: None,
    }))
}

/// What an operator wrote, as the store asks for it.
pub(super) fn selection(which: &Which, house: &House) -> Result<Selection, Refusal> {
    let host = |text: &String| {
        Host::parse(text)
            .map_err(|why| Refusal::new(Kind::Data, format!("`{text}` is no domain: {why}")))
    };
    let sender = |text: &String| match text.as_str() {
        "" | "<>" => Ok(ReversePath::Null),
        text => mailbox(text).map(ReversePath::Mailbox),
    };
    let before = |secs: u64| {
        let age = i64::try_from(secs.saturating_mul(1000)).unwrap_or(i64::MAX);
        Timestamp::from_millis(house.now.as_millis().saturating_sub(age))
    };
    Ok(Selection {
        item: which.id.as_deref().map(item_id).transpose()?,
        host: which.domain.as_ref().map(host).transpose()?,
        sender: which.sender.as_ref().map(sender).transpose()?,
        accepted_before: which.older_than.map(before),
    })
}

pub(super) fn done(message: String) -> Answer {
    Answer::Done(DoneView { message })
}

/// Items of an address in one answer: each is read with its whole story.
const TRACE_ITEMS_MAX: usize = 100;
