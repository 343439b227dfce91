//! Questions, and the messages of the queue: who answers them, and from where.
//!
//! Readers see what is committed. The writer sees what is promised too, and what has just come in is
//! still in memory.

use std::sync::atomic::Ordering;

use mailtypes::ItemId;
use rusqlite::Connection;

use super::orders::{Ask, SetAside, Settle};
use super::queries::due::{Found, Look};
use super::source::{self, Opened};
use super::turn::Turn;
use super::{Embedded, Source, queries};
use crate::body_log::Place;
use crate::item::Lease;
use crate::spans::Spans;
use crate::{MessageReader, ReadError, StoreError};

impl Embedded {
    /// Runs a question in one snapshot of the database that has all that was answered before.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.commit_promised().await?;
        self.read_committed(question).await
    }

    /// The same, for what people ask about the queue: some of them take what the last commit has.
    pub(super) async fn read_queue<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.settles {
            self.commit_promised().await?;
        }
        self.read_committed(question).await
    }

    /// Returns when all is committed that was promised before.
    pub(super) async fn commit_promised(&self) -> Result<(), StoreError> {
        if self.inner.ahead.load(Ordering::Acquire) {
            self.inner.writer.carry_out(Settle).await?;
        }
        Ok(())
    }

    /// Runs a question in one snapshot, without what is only promised: for what always comes with a commit.
    pub(super) async fn read_committed<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let snapshot = move |db: &mut Connection| {
            let tx = db.transaction()?;
            question(&tx)
        };
        Ok(self.inner.readers.run(snapshot).await??)
    }

    /// Asks the writer, whose transaction has what is promised.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnMut(&Turn<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.writer.carry_out(Ask(question)).await
    }

    /// Looks into the queue. What cannot be read is set aside, and then it is looked again.
    pub(super) async fn look(
        &self,
        lease: &Lease,
        question: impl Fn(&Turn<'_>, Look) -> rusqlite::Result<Found> + Clone + Send + 'static,
    ) -> Result<Found, StoreError> {
        let epoch = lease.epoch;
        loop {
            let question = question.clone();
            let look = move |turn: &Turn<'_>| {
                let look = Look {
                    now: turn.now,
                    epoch,
                };
                question(turn, look)
            };
            let found = self.ask(look).await?;
            if found.damaged.is_empty() {
                return Ok(found);
            }
            let damaged = found.damaged;
            self.inner.writer.carry_out(SetAside { damaged }).await?;
        }
    }

    pub(super) fn message(&self, spans: &Spans) -> MessageReader {
        self.promised(spans, Vec::new())
    }

    /// A message whose bodies may lie in places that no commit has named yet.
    fn promised(&self, spans: &Spans, places: Vec<(i64, Place)>) -> MessageReader {
        let (readers, bodies) = (self.inner.readers.clone(), self.inner.bodies.clone());
        MessageReader::new(spans, Source::new(readers, bodies, places))
    }

    /// Opens the message of an item as a mailbox gets it.
    pub(super) async fn open_in_final_form(
        &self,
        item: ItemId,
    ) -> Result<Option<MessageReader>, ReadError> {
        // From before the look: what is committed meanwhile is missing in it and not ahead any more.
        let ahead = self.inner.ahead.load(Ordering::Acquire);
        let look = queries::mailbox::final_spans;
        let found = self.read_committed(move |db| look(db, item)).await?;
        match found {
            None if ahead => {
                let opened = self.open_promised(vec![item], look).await?;
                opened.into_iter().next().transpose().map(Option::flatten)
            }
            found => Ok(found.map(|spans| self.message(&spans))),
        }
    }

    /// Opens messages that no commit has yet: the writer knows where their bodies lie, and what it
    /// has promised is in the log.
    async fn open_promised(
        &self,
        items: Vec<ItemId>,
        look: fn(&Connection, ItemId) -> rusqlite::Result<Option<Spans>>,
    ) -> Result<Vec<Result<Option<MessageReader>, ReadError>>, StoreError> {
        let find = move |turn: &Turn<'_>| {
            let one = |item: &ItemId| {
                // What goes to a mailbox, and is looked at in its final form, has rows.
                if let Some((spans, place)) = turn.young.spans(*item) {
                    return Ok(Some((vec![(item.as_i64(), place)], spans)));
                }
                match look(turn.db, *item)? {
                    Some(spans) => Ok(Some((source::places(turn.db, &spans)?, spans))),
                    None => Ok(None),
                }
            };
            Ok(items.iter().map(one).collect::<Vec<_>>())
        };
        let found: Vec<rusqlite::Result<_>> = self.ask(find).await?;
        let open = |found: Option<(_, Spans)>| found.map(|(at, spans)| self.promised(&spans, at));
        let opened = found.into_iter().map(|found| match found {
            Ok(found) => Ok(open(found)),
            Err(error) => Err(StoreError::from(error).into()),
        });
        Ok(opened.collect())
    }

    /// Opens messages of the queue, in the order asked for.
    pub(super) async fn open_queued(
        &self,
        items: Vec<(ItemId, bool)>,
    ) -> Vec<Result<Option<MessageReader>, ReadError>> {
        // From before the look: what is committed meanwhile is missing in it and not ahead any more.
        let ahead = self.inner.ahead.load(Ordering::Acquire);
        let mut opened = Vec::with_capacity(items.len());
        let mut missing = Vec::new();
        for (n, (item, at_once)) in items.into_iter().enumerate() {
            let fresh = self.inner.fresh.take(item);
            if fresh.is_none() {
                missing.push((n, item, at_once));
            }
            opened.push(Ok(fresh.map(|message| {
                MessageReader::of_octets(vec![message.added.into_bytes(), message.body])
            })));
        }
        // What is committed does not change while it waits; what is not, the writer has.
        let missing = self.open_committed(missing, &mut opened).await;
        if missing.is_empty() || !ahead {
            return opened;
        }
        let items = missing.iter().map(|(_, item, _)| *item).collect();
        let promised = self
            .open_promised(items, queries::mailbox::item_spans)
            .await;
        let promised = promised
            .unwrap_or_else(|error| missing.iter().map(|_| Err(error.clone().into())).collect());
        for ((n, _, at_once), found) in missing.into_iter().zip(promised) {
            opened[n] = match found {
                Ok(Some(reader)) if at_once => {
                    let octets = reader.read_all().await;
                    octets.map(|octets| Some(MessageReader::of_octets(vec![octets])))
                }
                found => found,
            };
        }
        opened
    }

    /// Opens what it finds in the last commit; gives back what it does not find.
    async fn open_committed(
        &self,
        items: Vec<(usize, ItemId, bool)>,
        opened: &mut [Result<Option<MessageReader>, ReadError>],
    ) -> Vec<(usize, ItemId, bool)> {
        if items.is_empty() {
            return items;
        }
        let (bodies, asked) = (self.inner.bodies.clone(), items.clone());
        let found = self.read_committed(move |db| {
            let open = |(_, item, at_once)| source::open(db, &bodies, item, at_once);
            Ok(asked.into_iter().map(open).collect::<Vec<_>>())
        });
        let found = match found.await {
            Ok(found) => found,
            Err(error) => items.iter().map(|_| Err(error.clone().into())).collect(),
        };
        let mut missing = Vec::new();
        for (asked, found) in items.into_iter().zip(found) {
            match found {
                Ok(None) => missing.push(asked),
                Ok(Some(message)) => opened[asked.0] = Ok(Some(self.reader(message))),
                Err(error) => opened[asked.0] = Err(error),
            }
        }
        missing
    }

    fn reader(&self, opened: Opened) -> MessageReader {
        match opened {
            Opened::Whole(octets) => MessageReader::of_octets(vec![octets]),
            Opened::Spans(spans) => self.message(&spans),
        }
    }
}
