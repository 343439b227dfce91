//! A message goes into a mailbox: entry in, recipient ended, body shared, in one transaction.

use mailtypes::{EnhancedCode, Status};
use rusqlite::{OptionalExtension, params};

use crate::StoreError;
use crate::embedded::journal::writes::Write;
use crate::embedded::order::{Lasting, Order};
use crate::embedded::rows;
use crate::embedded::turn::Turn;
use crate::item::{Lease, LocalDelivery, LocalOutcome};
use crate::spans::Spans;
use crate::story::{EventKind, RecipientState};

pub(crate) struct DeliverLocal {
    pub(crate) lease: Lease,
    pub(crate) delivery: LocalDelivery,
}

impl Order for DeliverLocal {
    type Answer = LocalOutcome;
    type Error = StoreError;

    fn lasting(&self) -> Lasting {
        Lasting::Journal
    }

    /// What goes to an account has rows: from the beginning, or since the commit that brought it home.
    fn knows_young(&self) -> bool {
        true
    }

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<LocalOutcome, StoreError> {
        turn.check_lease(&self.lease, self.delivery.item)?;
        let waiting = match self.look(turn)? {
            Found::Waiting(waiting) => waiting,
            Found::Answer(outcome) => return Ok(outcome),
        };
        let Some(folder) = self.folder(turn)? else {
            return Ok(LocalOutcome::NoAccount);
        };
        if let Some(uid) = self.delivered_before(turn, folder.id)? {
            // The mailbox has it although the queue does not say so yet.
            self.end(turn, &[])?;
            return Ok(LocalOutcome::Repeated { uid });
        }
        let spans = waiting.spans.with_front(&self.delivery.added);
        self.insert(turn, &folder, &spans)?;
        self.end(turn, &spans.bodies())?;
        Ok(LocalOutcome::Delivered { uid: folder.uid })
    }
}

enum Found {
    Waiting(Waiting),
    Answer(LocalOutcome),
}

struct Waiting {
    spans: Spans,
}

struct Folder {
    id: i64,
    uid: u32,
    mod_seq: i64,
}

impl DeliverLocal {
    fn look(&self, turn: &Turn<'_>) -> Result<Found, StoreError> {
        let LocalDelivery {
            item, recipient, ..
        } = self.delivery;
        let row = turn
            .db
            .prepare_cached(
                "SELECT r.state, i.spans, i.return_paths
                 FROM recipient r JOIN item i ON i.id = r.item WHERE r.item = ? AND r.n = ?",
            )?
            .query_row(params![item.as_i64(), recipient], |row| {
                let state: i64 = row.get(0)?;
                let spans: Option<Vec<u8>> = row.get(1)?;
                let cuts: Option<String> = row.get(2)?;
                Ok((state, spans, cuts))
            })
            .optional()?;
        let Some((state, spans, cuts)) = row else {
            return Ok(Found::Answer(LocalOutcome::NotWaiting));
        };
        if state == RecipientState::Delivered.code() {
            let uid = turn
                .db
                .prepare_cached("SELECT uid FROM delivered WHERE item = ? AND n = ?")?
                .query_row(params![item.as_i64(), recipient], |row| row.get(0))
                .optional()?;
            let repeated = uid.map(|uid| LocalOutcome::Repeated { uid });
            return Ok(Found::Answer(repeated.unwrap_or(LocalOutcome::NotWaiting)));
        }
        if state != RecipientState::Queued.code() {
            return Ok(Found::Answer(LocalOutcome::NotWaiting));
        }
        let damaged = || StoreError::Disk(format!("the spans of item {item} are damaged"));
        let spans = spans
            .as_deref()
            .and_then(Spans::decode)
            .ok_or_else(damaged)?;
        let spans = rows::without_cuts(&spans, item.as_i64(), cuts.as_deref());
        Ok(Found::Waiting(Waiting {
            spans: spans.ok_or_else(damaged)?,
        }))
    }

    /// Takes the next UID of the folder, which is made when missing; `None` without the account.
    fn folder(&self, turn: &mut Turn<'_>) -> rusqlite::Result<Option<Folder>> {
        if let Some(taken) = self.take_uid(turn)? {
            return Ok(Some(taken));
        }
        let LocalDelivery {
            account,
            ref folder,
            ..
        } = self.delivery;
        let made = turn.write(
            Write::AddFolder,
            params![account.0, folder, turn.now.as_secs()],
        )?;
        if made == 0 {
            return Ok(None);
        }
        self.take_uid(turn)
    }

    fn take_uid(&self, turn: &mut Turn<'_>) -> rusqlite::Result<Option<Folder>> {
        let LocalDelivery {
            account,
            ref folder,
            ..
        } = self.delivery;
        turn.write_row(Write::TakeUid, params![account.0, folder], |row| {
            Ok(Folder {
                id: row.get(0)?,
                uid: row.get(1)?,
                mod_seq: row.get(2)?,
            })
        })
    }

    fn delivered_before(&self, turn: &Turn<'_>, folder: i64) -> rusqlite::Result<Option<u32>> {
        turn.db
            .prepare_cached("SELECT uid FROM delivered WHERE item = ? AND n = ? AND folder = ?")?
            .query_row(
                params![self.delivery.item.as_i64(), self.delivery.recipient, folder],
                |row| row.get(0),
            )
            .optional()
    }

    fn insert(&self, turn: &mut Turn<'_>, folder: &Folder, spans: &Spans) -> rusqlite::Result<()> {
        let item = self.delivery.item.as_i64();
        turn.write(
            Write::AddEntry,
            params![
                folder.id,
                folder.uid,
                folder.mod_seq,
                turn.now.as_millis(),
                i64::try_from(spans.size()).unwrap_or(i64::MAX),
                item,
                spans.encode(),
            ],
        )?;
        turn.write(
            Write::AddDelivered,
            params![item, self.delivery.recipient, folder.id, folder.uid],
        )?;
        Ok(())
    }

    /// Ends the recipient. `taken` are the bodies that the new entry refers to: what the item lets
    /// go of at the same time needs no counting.
    fn end(&self, turn: &mut Turn<'_>, taken: &[i64]) -> Result<(), StoreError> {
        let LocalDelivery {
            item,
            recipient,
            ref folder,
            ..
        } = self.delivery;
        let status = Status::new(EnhancedCode::new(2, 1, 5), "delivered");
        let detail = format!("into the mailbox, folder {folder}");
        turn.note(
            item,
            Some(recipient),
            EventKind::Delivered,
            Some(&status),
            &detail,
        )?;
        let released = turn.end(item, recipient, RecipientState::Delivered, Some(&status), 1)?;
        let released = released
            .as_deref()
            .and_then(Spans::decode)
            .unwrap_or_default()
            .bodies();
        for body in taken.iter().filter(|body| !released.contains(body)) {
            turn.refer(*body, 1)?;
        }
        for body in released.iter().filter(|body| !taken.contains(body)) {
            turn.refer(*body, -1)?;
        }
        Ok(())
    }
}
