//! Messages in mailboxes.

use store::Store;

use super::directory::account as find_account;
use super::{Reply, next_of};
use crate::view::{MailLine, MailView, MessageView, story_path as path, story_time};
use crate::{Answer, Kind, Refusal};

pub(super) async fn list(
    store: &impl Store,
    account: &str,
    after: u32,
    limit: usize,
) -> Result<Answer, Refusal> {
    let id = find_account(store, account).await?;
    let entries = store.entries(id, INBOX, after, limit).await?;
    let mut messages = Vec::with_capacity(entries.len());
    for entry in &entries {
        messages.push(line(store, entry).await?);
    }
    Ok(Answer::Mail(MailView {
        account: account.to_owned(),
        next: next_of(&messages, limit, |line| line.uid),
        messages,
    }))
}

pub(super) async fn show(store: &impl Store, account: &str, uid: u32) -> Result<Reply, Refusal> {
    let id = find_account(store, account).await?;
    let Some(body) = store.open_message(id, INBOX, uid).await? else {
        let text = format!(
            "{account} has no message {uid}; `postrider mail list {account}` shows what is there"
        );
        return Err(Refusal::new(Kind::NotFound, text));
    };
    let view = MessageView {
        account: account.to_owned(),
        uid,
        size: body.size(),
    };
    Ok(Reply {
        answer: Answer::Message(view),
        body: Some(body),
    })
}

/// The sender is in the story, which may be gone while the message is still here.
async fn line(store: &impl Store, entry: &store::EntryView) -> Result<MailLine, Refusal> {
    let story = store.story(entry.item).await?;
    Ok(MailLine {
        uid: entry.uid,
        arrived: story_time(entry.received),
        size: entry.size,
        id: entry.item.to_string(),
        from: story.map(|item| path(&item.envelope.reverse_path)),
    })
}

/// The one folder there is so far.
const INBOX: &str = "INBOX";
