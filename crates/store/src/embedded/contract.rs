//! [`Store`] for [`Embedded`]: each method hands its work to the writer or a reader.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use mailtypes::{Host, ItemId, Mailbox};
use rusqlite::Connection;

use super::orders::{
    Accept, AddAccount, Begin, BringHome, DeliverLocal, Operate, Record, RemoveAccount,
    RemoveAlias, RenewLease, Report, SetAlias, SetDelivery, SetPassword, Suppress, TakeLease,
};
use super::{Embedded, queries};
use crate::item::{
    About, Attempt, Begun, Cursor, DuePage, Lane, Lease, LocalDelivery, LocalOutcome, NewItem,
};
use crate::limits::{FAN_OUT_MAX, PAGE_MAX};
use crate::report::{AuditReport, Census, CheckReport, Problem, Problems};
use crate::story::{Action, ItemView, QueueLine, Selection};
use crate::{
    AcceptError, Account, AccountDelivery, AccountId, Alias, DirectoryError, Draft, EntryView,
    Listing, MessageReader, OperateError, ReadError, ReportError, Store, StoreError,
};

impl Store for Embedded {
    fn draft(&self) -> Draft {
        let id = self.inner.ids.next((self.inner.clock)());
        self.inner.drafts.start(id)
    }

    fn room(&self, size: u64) -> Result<(), AcceptError> {
        self.inner.room.for_new(size, (self.inner.clock)())
    }

    async fn accept(&self, draft: Draft, item: NewItem) -> Result<ItemId, AcceptError> {
        self.room(draft.unwritten())?;
        let id = draft.id();
        let body = draft.finish().await?;
        let fresh = Arc::clone(&self.inner.fresh);
        let order = Accept {
            id,
            body,
            item,
            fresh,
        };
        self.inner.writer.carry_out(order).await
    }

    async fn lease(&self, owner: &str, lasts: Duration) -> Result<Lease, StoreError> {
        self.inner
            .writer
            .carry_out(TakeLease {
                owner: owner.to_owned(),
                lasts,
            })
            .await
    }

    async fn renew(&self, held: &Lease, lasts: Duration) -> Result<Lease, StoreError> {
        let held = held.clone();
        self.inner
            .writer
            .carry_out(RenewLease { held, lasts })
            .await
    }

    async fn due(
        &self,
        lease: &Lease,
        lane: Lane,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<DuePage, StoreError> {
        let limit = limit.min(PAGE_MAX);
        let found = self
            .look(lease, move |turn, look| {
                queries::due::due(turn, look, lane, after, limit)
            })
            .await?;
        Ok(DuePage {
            due: found.due,
            next: found.next,
            later: found.later,
        })
    }

    async fn due_at(
        &self,
        lease: &Lease,
        host: &Host,
        lane: Lane,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<DuePage, StoreError> {
        let limit = limit.min(PAGE_MAX);
        let host = host.clone();
        let found = self
            .look(lease, move |turn, look| {
                queries::due::due_at(turn, look, &host, lane, after, limit)
            })
            .await?;
        Ok(DuePage {
            due: found.due,
            next: found.next,
            later: found.later,
        })
    }

    async fn begin(
        &self,
        lease: &Lease,
        attempts: Vec<(ItemId, u32)>,
        watched: bool,
    ) -> Result<Vec<Begun>, StoreError> {
        self.inner
            .writer
            .carry_out(Begin {
                lease: lease.clone(),
                attempts,
                watched,
            })
            .await
    }

    async fn deliver_local(
        &self,
        lease: &Lease,
        deliveries: Vec<LocalDelivery>,
    ) -> Result<Vec<LocalOutcome>, StoreError> {
        // Each is an order of its own, so that one that fails does not fail the others; the writer
        // takes them into the same transaction as far as its turn goes.
        let asked: Vec<_> = deliveries
            .into_iter()
            .take(FAN_OUT_MAX)
            .map(|delivery| DeliverLocal {
                lease: lease.clone(),
                delivery,
            })
            .map(|order| self.inner.writer.carry_out(order))
            .collect();
        let mut outcomes = Vec::with_capacity(asked.len());
        for outcome in join_all(asked).await {
            outcomes.push(match outcome {
                Ok(outcome) => outcome,
                Err(error @ (StoreError::LeaseLost | StoreError::Closed)) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "a local delivery has to be tried again");
                    LocalOutcome::Failed
                }
            });
        }
        Ok(outcomes)
    }

    async fn bring_home(
        &self,
        lease: &Lease,
        (item, recipient): (ItemId, u32),
        account: AccountId,
        why: &str,
    ) -> Result<(), StoreError> {
        let order = BringHome {
            lease: lease.clone(),
            item,
            recipient,
            account,
            why: why.to_owned(),
        };
        self.inner.writer.carry_out(order).await
    }

    async fn record(
        &self,
        lease: &Lease,
        attempts: impl Into<Arc<[Attempt]>> + Send,
    ) -> Result<(), StoreError> {
        let order = Record {
            lease: lease.clone(),
            attempts: attempts.into(),
        };
        self.inner.writer.carry_out(order).await
    }

    async fn report(
        &self,
        lease: &Lease,
        draft: Draft,
        message: NewItem,
        about: About,
    ) -> Result<ItemId, ReportError> {
        let id = draft.id();
        let body = draft.finish().await?;
        self.inner
            .writer
            .carry_out(Report {
                lease: lease.clone(),
                message: Accept {
                    id,
                    body,
                    item: message,
                    fresh: Arc::clone(&self.inner.fresh),
                },
                about,
            })
            .await
    }

    async fn suppress(
        &self,
        lease: &Lease,
        item: ItemId,
        recipients: Vec<u32>,
        reason: &str,
    ) -> Result<(), StoreError> {
        self.inner
            .writer
            .carry_out(Suppress {
                lease: lease.clone(),
                item,
                recipients,
                reason: reason.to_owned(),
            })
            .await
    }

    async fn operate(
        &self,
        action: Action,
        item: ItemId,
        host: Option<&Host>,
        by: &str,
    ) -> Result<u32, OperateError> {
        self.inner
            .writer
            .carry_out(Operate {
                action,
                item,
                host: host.cloned(),
                by: by.to_owned(),
            })
            .await
    }

    async fn settle(&self) -> Result<(), StoreError> {
        self.commit_promised().await
    }

    fn last_commit(&self) -> Self {
        Self {
            settles: false,
            ..self.clone()
        }
    }

    async fn open_recipients(&self) -> Result<u64, ReadError> {
        Ok(self.read_queue(queries::audit::open).await?)
    }

    async fn queue(
        &self,
        selection: &Selection,
        after: Option<ItemId>,
        limit: usize,
    ) -> Result<Vec<QueueLine>, ReadError> {
        let selection = selection.clone();
        let limit = limit.min(PAGE_MAX);
        Ok(self
            .read_queue(move |db| queries::queue::queue(db, &selection, after, limit))
            .await?)
    }

    async fn story(&self, item: ItemId) -> Result<Option<ItemView>, ReadError> {
        let story = move |db: &Connection| queries::story::story(db, item);
        Ok(self.read_queue(story).await?)
    }

    async fn trace(
        &self,
        address: &Mailbox,
        before: Option<ItemId>,
        limit: usize,
    ) -> Result<Vec<ItemId>, ReadError> {
        let address = address.clone();
        let limit = limit.min(PAGE_MAX);
        Ok(self
            .read_queue(move |db| queries::story::trace(db, &address, before, limit))
            .await?)
    }

    async fn audit(&self) -> Result<AuditReport, ReadError> {
        let totals = self.read(queries::audit::totals).await?;
        let mut problems = Problems::default();
        if !totals.balance() {
            let text = "the daily totals and the queue do not balance".to_owned();
            problems.extend([Problem { item: None, text }]);
        }
        for segment in self.read(queries::segments::used).await? {
            let bodies = self.inner.bodies.clone();
            let look = move |db: &Connection| queries::segments::problem(db, &bodies, segment);
            problems.extend(self.read(look).await?);
        }
        let mut after = Some(-1);
        while let Some(from) = after {
            let (next, found) = self
                .read(move |db| {
                    let mut found = Vec::new();
                    let next = queries::audit::page(db, from, PAGE_MAX, &mut found)?;
                    Ok((next, found))
                })
                .await?;
            problems.extend(found);
            after = next;
        }
        let problems = problems.into_list();
        Ok(AuditReport { totals, problems })
    }

    async fn census(&self) -> Result<Census, ReadError> {
        let now = (self.inner.clock)();
        Ok(self
            .read_committed(move |db| queries::census::census(db, now))
            .await?)
    }

    async fn check(&self) -> Result<CheckReport, ReadError> {
        let mut report = CheckReport::default();
        let mut problems = Problems::default();
        let mut after = -1;
        loop {
            let page = self
                .read(move |db| queries::bodies::page(db, after, PAGE_MAX))
                .await?;
            let Some(last) = page.last().copied() else {
                report.problems = problems.into_list();
                return Ok(report);
            };
            for id in page {
                let bodies = self.inner.bodies.clone();
                let look = move |db: &mut Connection| queries::bodies::check(db, &bodies, id);
                let (octets, problem) = self.inner.readers.run(look).await?;
                report.bodies += 1;
                report.octets += octets;
                problems.extend(problem);
            }
            after = last;
        }
    }

    async fn lookup(&self, address: &Mailbox) -> Result<Option<Listing>, StoreError> {
        let address = address.folded();
        let generation = match self.inner.cache.get(&address) {
            Ok(known) => return Ok(known),
            Err(generation) => generation,
        };
        let asked = address.clone();
        let found = self
            .read_committed(move |db| queries::directory::lookup(db, &asked))
            .await?;
        self.inner.cache.put(address, found.clone(), generation);
        Ok(found)
    }

    async fn first_account(&self) -> Result<Option<Account>, StoreError> {
        self.read_committed(queries::directory::first_account).await
    }

    async fn add_account(
        &self,
        address: &Mailbox,
        password: &str,
    ) -> Result<AccountId, DirectoryError> {
        let (address, password) = (address.clone(), password.to_owned());
        self.inner
            .writer
            .carry_out(AddAccount { address, password })
            .await
    }

    async fn set_password(&self, address: &Mailbox, password: &str) -> Result<(), DirectoryError> {
        let (address, password) = (address.clone(), password.to_owned());
        self.inner
            .writer
            .carry_out(SetPassword { address, password })
            .await
    }

    async fn set_delivery(
        &self,
        address: &Mailbox,
        delivery: AccountDelivery,
    ) -> Result<(), DirectoryError> {
        self.inner
            .writer
            .carry_out(SetDelivery {
                address: address.clone(),
                delivery,
            })
            .await
    }

    async fn remove_account(&self, address: &Mailbox) -> Result<u64, DirectoryError> {
        self.inner
            .writer
            .carry_out(RemoveAccount {
                address: address.clone(),
            })
            .await
    }

    async fn accounts(
        &self,
        after: Option<&Mailbox>,
        limit: usize,
    ) -> Result<Vec<Account>, ReadError> {
        let after = after.cloned();
        let limit = limit.min(PAGE_MAX);
        Ok(self
            .read_committed(move |db| queries::directory::accounts(db, after.as_ref(), limit))
            .await?)
    }

    async fn set_alias(&self, alias: Alias) -> Result<(), DirectoryError> {
        self.inner.writer.carry_out(SetAlias { alias }).await
    }

    async fn remove_alias(&self, address: &Mailbox) -> Result<(), DirectoryError> {
        self.inner
            .writer
            .carry_out(RemoveAlias {
                address: address.clone(),
            })
            .await
    }

    async fn aliases(
        &self,
        after: Option<&Mailbox>,
        limit: usize,
    ) -> Result<Vec<Alias>, ReadError> {
        let after = after.cloned();
        let limit = limit.min(PAGE_MAX);
        Ok(self
            .read_committed(move |db| queries::directory::aliases(db, after.as_ref(), limit))
            .await?)
    }

    async fn entries(
        &self,
        account: AccountId,
        folder: &str,
        after: u32,
        limit: usize,
    ) -> Result<Vec<EntryView>, ReadError> {
        let folder = folder.to_owned();
        let limit = limit.min(PAGE_MAX);
        let read =
            move |db: &Connection| queries::mailbox::entries(db, account, &folder, after, limit);
        Ok(self.read(read).await?)
    }

    async fn open_message(
        &self,
        account: AccountId,
        folder: &str,
        uid: u32,
    ) -> Result<Option<MessageReader>, ReadError> {
        let folder = folder.to_owned();
        let read = move |db: &Connection| queries::mailbox::entry_spans(db, account, &folder, uid);
        Ok(self.read(read).await?.map(|spans| self.message(&spans)))
    }

    async fn open_final(&self, item: ItemId) -> Result<Option<MessageReader>, ReadError> {
        self.open_in_final_form(item).await
    }

    async fn open_items(
        &self,
        items: Vec<(ItemId, bool)>,
    ) -> Vec<Result<Option<MessageReader>, ReadError>> {
        self.open_queued(items).await
    }
}
