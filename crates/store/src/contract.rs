//! The contract that every backend keeps.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mailtypes::{Host, ItemId, Mailbox};

use crate::{
    About, AcceptError, Account, AccountDelivery, AccountId, Action, Alias, Attempt, AuditReport,
    Begun, Census, CheckReport, Cursor, DirectoryError, Draft, DuePage, EntryView, ItemView, Lane,
    Lease, Listing, LocalDelivery, LocalOutcome, MessageReader, NewItem, OperateError, QueueLine,
    ReadError, ReportError, Selection, StoreError,
};

/// What Postrider asks of its storage.
///
/// Every list is bounded and goes on behind a cursor. Every change is durable when its future
/// resolves to `Ok`. A change that answers [`StoreError::Unknown`] may have happened: look by id.
pub trait Store: Clone + Send + Sync + 'static {
    // --- arriving ---

    /// A place for a body to stream into. It reserves the queue id; dropping it leaves nothing.
    fn draft(&self) -> Draft;

    /// Whether new mail of `size` octets may come: `Err` below the disk reserve, or while the store
    /// recovers from a disk error.
    fn room(&self, size: u64) -> Result<(), AcceptError>;

    /// Makes the message ours: body, envelope and recipients, all durable together.
    fn accept(
        &self,
        draft: Draft,
        item: NewItem,
    ) -> impl Future<Output = Result<ItemId, AcceptError>> + Send;

    // --- leaving ---

    /// Takes all shards that nobody else holds. A node schedules only what it holds a lease for.
    /// Each call begins a new epoch, also for the same owner: it may have died and started again.
    fn lease(
        &self,
        owner: &str,
        lasts: Duration,
    ) -> impl Future<Output = Result<Lease, StoreError>> + Send;

    /// Prolongs a lease before it runs out and keeps its epoch, so that attempts under way still
    /// count. [`StoreError::LeaseLost`] when it has run out or somebody else has it.
    fn renew(
        &self,
        held: &Lease,
        lasts: Duration,
    ) -> impl Future<Output = Result<Lease, StoreError>> + Send;

    /// Recipients of a lane that are due now in the leased shards, behind `after`, earliest first.
    fn due(
        &self,
        lease: &Lease,
        lane: Lane,
        after: Option<Cursor>,
        limit: usize,
    ) -> impl Future<Output = Result<DuePage, StoreError>> + Send;

    /// The same for one host that is not ours, and what waits in a lane for it.
    fn due_at(
        &self,
        lease: &Lease,
        host: &Host,
        lane: Lane,
        after: Option<Cursor>,
        limit: usize,
    ) -> impl Future<Output = Result<DuePage, StoreError>> + Send;

    /// Marks recipients as in hand, before an attempt whose end may get lost: at most
    /// [`crate::limits::BEGIN_MAX`]. Should the process die, the mark tells so. `watched` ones are
    /// to blame for it.
    fn begin(
        &self,
        lease: &Lease,
        attempts: Vec<(ItemId, u32)>,
        watched: bool,
    ) -> impl Future<Output = Result<Vec<Begun>, StoreError>> + Send;

    /// Puts messages into mailboxes and ends their recipients, each in one transaction: exactly
    /// once, however often it is repeated. At most [`crate::limits::FAN_OUT_MAX`] at a time.
    fn deliver_local(
        &self,
        lease: &Lease,
        deliveries: Vec<LocalDelivery>,
    ) -> impl Future<Output = Result<Vec<LocalOutcome>, StoreError>> + Send;

    /// Gives a recipient that waits for another server to an account of ours, where it is due at once;
    /// `why` goes into its history. Does nothing when it does not wait so.
    fn bring_home(
        &self,
        lease: &Lease,
        recipient: (ItemId, u32),
        account: AccountId,
        why: &str,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Records what came of attempts.
    fn record(
        &self,
        lease: &Lease,
        attempts: impl Into<Arc<[Attempt]>> + Send,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Accepts a report to the sender and writes down whom it is about, in one transaction.
    fn report(
        &self,
        lease: &Lease,
        draft: Draft,
        message: NewItem,
        about: About,
    ) -> impl Future<Output = Result<ItemId, ReportError>> + Send;

    /// Ends recipients that are owed a report without one, for a stated reason.
    fn suppress(
        &self,
        lease: &Lease,
        item: ItemId,
        recipients: Vec<u32>,
        reason: &str,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    // --- operating ---

    /// Does something with an item, or with its recipients at one host, by the hand of a named
    /// person. Answers how many recipients.
    fn operate(
        &self,
        action: Action,
        item: ItemId,
        host: Option<&Host>,
        by: &str,
    ) -> impl Future<Output = Result<u32, OperateError>> + Send;

    /// Returns when questions see, also from the last commit, all that was answered before.
    fn settle(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The same store, whose next four questions are answered from the last commit, without waiting for
    /// another one: also while there can be none, as on a full disk.
    #[must_use]
    fn last_commit(&self) -> Self;

    /// Recipients that are not at their end.
    fn open_recipients(&self) -> impl Future<Output = Result<u64, ReadError>> + Send;

    /// Selected items with open recipients, oldest first, behind `after`.
    fn queue(
        &self,
        selection: &Selection,
        after: Option<ItemId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<QueueLine>, ReadError>> + Send;

    /// The whole story of an item.
    fn story(
        &self,
        item: ItemId,
    ) -> impl Future<Output = Result<Option<ItemView>, ReadError>> + Send;

    /// Items that an address sent or got, newest first, before `before`.
    fn trace(
        &self,
        address: &Mailbox,
        before: Option<ItemId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<ItemId>, ReadError>> + Send;

    /// Proves that every accepted recipient has exactly one end or is in the queue.
    fn audit(&self) -> impl Future<Output = Result<AuditReport, ReadError>> + Send;

    /// Counts what lies in the queue and in the body log, in a time that grows with the queue only: a
    /// million recipients take a tenth of a second. What came in the last moments may be missing: whoever
    /// watches a store makes it write nothing, and sees it also when it cannot write.
    fn census(&self) -> impl Future<Output = Result<Census, ReadError>> + Send;

    /// Reads every body and compares it with its checksum.
    fn check(&self) -> impl Future<Output = Result<CheckReport, ReadError>> + Send;

    // --- the directory ---

    /// What the directory has under exactly this address; case of the local part does not matter.
    fn lookup(
        &self,
        address: &Mailbox,
    ) -> impl Future<Output = Result<Option<Listing>, StoreError>> + Send;

    /// The account that gets mail for a postmaster without one: the oldest.
    fn first_account(&self) -> impl Future<Output = Result<Option<Account>, StoreError>> + Send;

    /// Adds an account. `password` is a PHC string, never the password itself.
    fn add_account(
        &self,
        address: &Mailbox,
        password: &str,
    ) -> impl Future<Output = Result<AccountId, DirectoryError>> + Send;

    /// Changes the password of an account.
    fn set_password(
        &self,
        address: &Mailbox,
        password: &str,
    ) -> impl Future<Output = Result<(), DirectoryError>> + Send;

    /// Says where the mail of an account goes.
    fn set_delivery(
        &self,
        address: &Mailbox,
        delivery: AccountDelivery,
    ) -> impl Future<Output = Result<(), DirectoryError>> + Send;

    /// Removes an account; its mail goes in the background. Gives the number of its messages.
    fn remove_account(
        &self,
        address: &Mailbox,
    ) -> impl Future<Output = Result<u64, DirectoryError>> + Send;

    /// Accounts by address, behind `after`.
    fn accounts(
        &self,
        after: Option<&Mailbox>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Account>, ReadError>> + Send;

    /// Adds an alias or replaces its targets. The local part `*` catches all of its domain.
    fn set_alias(&self, alias: Alias) -> impl Future<Output = Result<(), DirectoryError>> + Send;

    /// Removes an alias.
    fn remove_alias(
        &self,
        address: &Mailbox,
    ) -> impl Future<Output = Result<(), DirectoryError>> + Send;

    /// Aliases by address, behind `after`.
    fn aliases(
        &self,
        after: Option<&Mailbox>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Alias>, ReadError>> + Send;

    // --- reading ---

    /// Messages of an account's folder by UID, behind `after`.
    fn entries(
        &self,
        account: AccountId,
        folder: &str,
        after: u32,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<EntryView>, ReadError>> + Send;

    /// Opens one message for reading.
    fn open_message(
        &self,
        account: AccountId,
        folder: &str,
        uid: u32,
    ) -> impl Future<Output = Result<Option<MessageReader>, ReadError>> + Send;

    /// Opens the messages of queue items, as long as the queue holds them, in the order asked for.
    /// Where the flag says so the octets are read at once: for messages known to be small.
    fn open_items(
        &self,
        items: Vec<(ItemId, bool)>,
    ) -> impl Future<Output = Vec<Result<Option<MessageReader>, ReadError>>> + Send;

    /// Opens the message of a queue item as the last server on its way hands it over: without the
    /// `Return-Path` fields that it brought. RFC 5321 §4.4
    fn open_final(
        &self,
        item: ItemId,
    ) -> impl Future<Output = Result<Option<MessageReader>, ReadError>> + Send;

    /// Opens one of them, to be read piece by piece.
    fn open_item(
        &self,
        item: ItemId,
    ) -> impl Future<Output = Result<Option<MessageReader>, ReadError>> + Send {
        let opened = self.open_items(vec![(item, false)]);
        async { opened.await.pop().unwrap_or(Ok(None)) }
    }
}
