//! A message becomes ours.

use std::collections::BTreeSet;
use std::sync::Arc;

use mailtypes::{ForwardPath, IpText, ItemId};
use rusqlite::{Connection, OptionalExtension, params};

use crate::body_log::Place;
use crate::draft::Finished;
use crate::embedded::fresh::{self, Fresh};
use crate::embedded::journal::writes::Write;
use crate::embedded::order::{Fate, Lasting, Order};
use crate::embedded::queries;
use crate::embedded::rows::{number, write_mailboxes};
use crate::embedded::turn::Turn;
use crate::item::{Destination, Lane, NewItem, NewRecipient};
use crate::spans::Spans;
use crate::story::RecipientState;
use crate::{AcceptError, StoreError};

pub(crate) struct Accept {
    pub(crate) id: ItemId,
    pub(crate) body: Finished,
    pub(crate) item: NewItem,
    /// Where the message is kept for whoever sends it on.
    pub(crate) fresh: Arc<Fresh>,
}

impl Order for Accept {
    type Answer = ItemId;
    type Error = AcceptError;

    /// A client that was told "later" meanwhile will send the message again.
    const ONLY_IF_AWAITED: bool = true;

    /// A segment of its own is named by a commit.
    fn lasting(&self) -> Lasting {
        match &self.body {
            Finished::Memory { .. } => Lasting::Journal,
            Finished::Segment(..) => Lasting::Commit,
        }
    }

    fn body(&self) -> Option<(i64, &[u8], u32)> {
        match &self.body {
            Finished::Memory { octets, crc, .. } => Some((self.id.as_i64(), octets, *crc)),
            Finished::Segment(..) => None,
        }
    }

    fn weight(&self) -> usize {
        let body = self.body().map_or(0, |(_, octets, _)| octets.len());
        let NewItem {
            added,
            facts,
            recipients,
            ..
        } = &self.item;
        body + added.len() + facts.json.len() + recipients.len() * RECIPIENT_LEN
    }

    fn knows_young(&self) -> bool {
        true
    }

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<ItemId, AcceptError> {
        let place = match &mut self.body {
            Finished::Segment(place, guard) => {
                // From here a commit may name it: it goes only when that certainly did not happen.
                guard.keep(true);
                turn.db.execute(
                    "INSERT INTO segment (id, closed, end, live) VALUES (?, 1, ?, 0)",
                    params![place.segment, number(place.end())],
                )?;
                *place
            }
            Finished::Memory { .. } => turn
                .place
                .ok_or_else(|| StoreError::Disk("the body has no place".to_owned()))?,
        };
        let (id, item) = (self.id, &self.item);
        let write = |turn: &mut Turn<'_>| {
            insert_body(turn, id, place)?;
            insert_item(turn, id, item, place.length)?;
            for (n, recipient) in (0u32..).zip(&item.recipients) {
                insert_recipient(turn, id, n, recipient)?;
            }
            mention(turn, id, item)
        };
        if turn.can_be_young(item) {
            let due = queries::due::of_new(id, item, place.length, turn.now);
            turn.keep_young(due, place, write)?;
        } else {
            write(turn)?;
        }
        turn.effects.tally.accepted += number(item.recipients.len() as u64);
        Ok(id)
    }

    fn settled(&mut self, fate: Fate) {
        match (&mut self.body, fate) {
            (Finished::Segment(_, guard), Fate::Not) => guard.keep(false),
            (Finished::Memory { octets, .. }, Fate::Happened) if self.item.goes_out() => {
                let message = fresh::Message {
                    added: std::mem::take(&mut self.item.added),
                    body: std::mem::take(octets),
                };
                self.fresh.put(self.id, message);
            }
            _ => {}
        }
    }

    fn reconcile(&self, db: &Connection) -> rusqlite::Result<Option<ItemId>> {
        db.query_row(
            "SELECT 1 FROM item WHERE id = ?",
            [self.id.as_i64()],
            |_| Ok(self.id),
        )
        .optional()
    }
}

impl NewItem {
    /// Whether somebody will open it soon to send it on.
    fn goes_out(&self) -> bool {
        let remote = |to: &NewRecipient| to.destination == Destination::Remote;
        self.recipients.iter().any(remote)
    }
}

fn insert_body(turn: &mut Turn<'_>, id: ItemId, place: Place) -> rusqlite::Result<()> {
    turn.write(
        Write::AddBody,
        params![
            id.as_i64(),
            place.segment,
            number(place.at),
            number(place.length),
            place.crc
        ],
    )?;
    turn.effects.live(place.segment, number(place.length));
    Ok(())
}

fn insert_item(
    turn: &mut Turn<'_>,
    id: ItemId,
    item: &NewItem,
    body_len: u64,
) -> rusqlite::Result<()> {
    let spans = Spans::of_body(&item.added, id.as_i64(), body_len);
    let origin = item.origin.as_ref();
    let cuts = &item.shape.return_paths;
    let cuts = (!cuts.is_empty()).then(|| write_ranges(cuts));
    turn.write(
        Write::AddItem,
        params![
            id.as_i64(),
            id.shard().0,
            turn.now.as_millis(),
            number(item.recipients.len() as u64),
            item.envelope.reverse_path.to_string(),
            item.envelope.body.as_str(),
            item.envelope.smtputf8,
            item.envelope.require_tls,
            spans.encode(),
            number(spans.size()),
            item.shape.has_8bit,
            number(item.shape.longest_line),
            number(item.shape.header_len),
            cuts,
            origin.map(|origin| IpText(origin.client).to_string()),
            origin.map(|origin| origin.helo.as_str()),
            origin.map(|origin| origin.protocol.as_str()),
            origin.and_then(|origin| origin.login.as_deref()),
            origin.and_then(|origin| origin.tls.as_deref()),
            item.facts.version,
            item.facts.json,
        ],
    )?;
    Ok(())
}

fn insert_recipient(
    turn: &mut Turn<'_>,
    id: ItemId,
    n: u32,
    recipient: &NewRecipient,
) -> rusqlite::Result<()> {
    let (account, lane) = match recipient.destination {
        Destination::Account(account) => (Some(account.0), Lane::Here),
        Destination::Remote => (None, Lane::Fresh),
    };
    let via = (!recipient.via.is_empty()).then(|| write_mailboxes(&recipient.via));
    turn.write(
        Write::AddRecipient,
        params![
            id.as_i64(),
            n,
            recipient.address.to_string(),
            recipient.address.host.to_string(),
            recipient.original.to_string(),
            via,
            recipient.reason,
            account,
            RecipientState::Queued.code(),
            turn.now.as_millis(),
            lane.code(),
        ],
    )?;
    Ok(())
}

/// Writes down every address that the item can be found by.
fn mention(turn: &mut Turn<'_>, id: ItemId, item: &NewItem) -> rusqlite::Result<()> {
    let mut addresses = BTreeSet::new();
    addresses.extend(item.envelope.reverse_path.mailbox());
    for recipient in &item.recipients {
        addresses.insert(&recipient.address);
        addresses.extend(&recipient.via);
        if let ForwardPath::Mailbox(original) = &recipient.original {
            addresses.insert(original);
        }
    }
    for address in addresses {
        turn.write(
            Write::AddMention,
            params![address.folded().to_string(), id.as_i64()],
        )?;
    }
    Ok(())
}

fn write_ranges(ranges: &[std::ops::Range<u64>]) -> String {
    serde_json::json!(ranges.iter().map(|r| [r.start, r.end]).collect::<Vec<_>>()).to_string()
}

/// About what is written of one recipient, in octets.
const RECIPIENT_LEN: usize = 256;
