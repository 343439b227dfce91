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
use super::{Embedded, Source};
use crate::item::Lease;
use crate::spans::Spans;
use crate::{MessageReader, ReadError, StoreError};

impl Embedded {
    /// Runs a question in one snapshot of the database that has all that was answered before.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.inner.ahead.load(Ordering::Acquire) {
            self.inner.writer.carry_out(Settle).await?;
        }
        self.read_committed(question).await
    }

    /// Looks for something that does not change once it is committed: only where it is missing a
    /// commit is made first.
    pub(super) async fn find<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<Option<T>> + Clone + Send + 'static,
    ) -> Result<Option<T>, StoreError> {
        // From before the look: what is committed meanwhile is missing in it and not ahead any more.
        let ahead = self.inner.ahead.load(Ordering::Acquire);
        let found = self.read_committed(question.clone()).await?;
        if found.is_some() || !ahead {
            return Ok(found);
        }
        self.read(question).await
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
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnMut(&Turn<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.writer.carry_out(Ask(question)).await
    }

    /// Looks into the queue. What cannot be read is set aside, and then it is looked again.
    pub(super) async fn look(
        &self,
        lease: &Lease,
        question: impl Fn(&Connection, Look) -> rusqlite::Result<Found> + Clone + Send + 'static,
    ) -> Result<Found, StoreError> {
        let epoch = lease.epoch;
        loop {
            let question = question.clone();
            let look = move |turn: &Turn<'_>| {
                let look = Look {
                    now: turn.now,
                    epoch,
                };
                question(turn.db, look)
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
        let source = Source::new(self.inner.readers.clone(), self.inner.bodies.clone());
        MessageReader::new(spans, source)
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
        // What is committed does not change while it waits; what is not, is looked for once more.
        let missing = self.open_committed(missing, &mut opened).await;
        if missing.is_empty() || !ahead {
            return opened;
        }
        match self.inner.writer.carry_out(Settle).await {
            Ok(()) => {
                self.open_committed(missing, &mut opened).await;
            }
            Err(error) => missing
                .into_iter()
                .for_each(|(n, ..)| opened[n] = Err(error.clone().into())),
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
