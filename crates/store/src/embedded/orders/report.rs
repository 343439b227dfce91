//! A report to the sender: the new message and what it is about, in one transaction.

use mailtypes::ItemId;
use rusqlite::{Connection, OptionalExtension, params};

use super::Accept;
use crate::StoreError;
use crate::embedded::journal::writes::Write;
use crate::embedded::order::{Fate, Lasting, Order};
use crate::embedded::turn::Turn;
use crate::error::ReportError;
use crate::item::{About, Lease, ReportKind};
use crate::spans::Spans;
use crate::story::{EventKind, RecipientState};

/// Accepts the report and writes down of whom it tells.
pub(crate) struct Report {
    pub(crate) lease: Lease,
    pub(crate) message: Accept,
    pub(crate) about: About,
}

impl Order for Report {
    type Answer = ItemId;
    type Error = ReportError;

    fn body(&self) -> Option<(i64, &[u8], u32)> {
        self.message.body()
    }

    fn weight(&self) -> usize {
        self.message.weight()
    }

    fn lasting(&self) -> Lasting {
        self.message.lasting()
    }

    fn knows_young(&self) -> bool {
        true
    }

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<ItemId, ReportError> {
        turn.check_lease(&self.lease, self.about.item)?;
        turn.make_rows(self.about.item)?;
        let mut open = Vec::new();
        for n in &self.about.recipients {
            if wants(turn, &self.about, *n)? {
                open.push(*n);
            }
        }
        if open.is_empty() {
            return Err(ReportError::NotOwed);
        }
        let id = self.message.apply(turn)?;
        let whom = self.message.item.recipients.first();
        let whom = whom.map_or_else(String::new, |to| format!(" to {}", to.address));
        let detail = format!("report {id}{whom}");
        for n in open {
            match self.about.kind {
                ReportKind::Failure => {
                    end(turn, self.about.item, n, RecipientState::Bounced, &detail)?;
                }
                ReportKind::Delay => {
                    turn.note(self.about.item, Some(n), EventKind::Warned, None, &detail)?;
                    turn.write(Write::MarkTold, params![self.about.item.as_i64(), n])?;
                }
            }
        }
        Ok(id)
    }

    fn settled(&mut self, fate: Fate) {
        self.message.settled(fate);
    }

    fn reconcile(&self, db: &Connection) -> rusqlite::Result<Option<ItemId>> {
        self.message.reconcile(db)
    }
}

/// Ends recipients without telling anybody, for a stated reason.
pub(crate) struct Suppress {
    pub(crate) lease: Lease,
    pub(crate) item: ItemId,
    pub(crate) recipients: Vec<u32>,
    pub(crate) reason: String,
}

impl Order for Suppress {
    type Answer = ();
    type Error = StoreError;

    fn lasting(&self) -> Lasting {
        Lasting::Journal
    }

    fn weight(&self) -> usize {
        self.recipients.len() * self.reason.len()
    }

    fn knows_young(&self) -> bool {
        true
    }

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        turn.check_lease(&self.lease, self.item)?;
        turn.make_rows(self.item)?;
        let about = About {
            item: self.item,
            recipients: Vec::new(),
            kind: ReportKind::Failure,
        };
        for n in &self.recipients {
            if wants(turn, &about, *n)? {
                end(
                    turn,
                    self.item,
                    *n,
                    RecipientState::Suppressed,
                    &self.reason,
                )?;
            }
        }
        Ok(())
    }
}

/// Whether the report still has something to say of a recipient.
fn wants(turn: &Turn<'_>, about: &About, n: u32) -> rusqlite::Result<bool> {
    let row: Option<(i64, bool)> = turn
        .db
        .prepare_cached("SELECT state, told FROM recipient WHERE item = ? AND n = ?")?
        .query_row(params![about.item.as_i64(), n], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    Ok(row.is_some_and(|(state, told)| match about.kind {
        ReportKind::Failure => state == RecipientState::BounceOwed.code(),
        ReportKind::Delay => state == RecipientState::Queued.code() && !told,
    }))
}

fn end(
    turn: &mut Turn<'_>,
    item: ItemId,
    n: u32,
    state: RecipientState,
    detail: &str,
) -> rusqlite::Result<()> {
    let kind = match state {
        RecipientState::Bounced => EventKind::Bounced,
        _ => EventKind::Suppressed,
    };
    turn.note(item, Some(n), kind, None, detail)?;
    let released = turn.end(item, n, state, None, 0)?;
    let released = released.as_deref().and_then(Spans::decode);
    for body in released.unwrap_or_default().bodies() {
        turn.refer(body, -1)?;
    }
    Ok(())
}
