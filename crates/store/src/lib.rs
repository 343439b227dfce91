//! Bodies, queue, mailboxes, directory and history.
//!
//! [`Store`] is the contract: semantic operations, never SQL. [`Embedded`] keeps it with SQLite for
//! everything small and an append-only body log for the messages themselves, in one data folder.
//! The states of a queue item and what a crash at each point leaves are in `docs/queue-states.md`.
//!
//! The store knows no SMTP, no sockets and no policy: whoever calls it has decided already.

mod addressing;
mod body_log;
mod contract;
mod directory;
mod disk;
mod draft;
mod embedded;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod item;
mod mailbox;
mod metrics;
mod pool;
mod report;
mod spans;
mod story;

pub use addressing::{Addressing, NotAddressed};
pub use contract::Store;
pub use directory::{Account, AccountDelivery, AccountId, Alias, Listing};
#[doc(hidden)]
pub use disk::double;
pub use disk::{Disk, DiskFile, RealDisk, Space};
pub use draft::Draft;
pub use embedded::{
    BackupError, Clock, DATABASE, Embedded, Kept, LockHolder, OldSchema, OpenError, Options,
    Upgraded, Work,
};
pub use error::{AcceptError, DirectoryError, OperateError, ReadError, ReportError, StoreError};
pub use item::{
    About, Attempt, Begun, Cursor, Destination, Due, DuePage, Facts, Lane, Lease, LocalDelivery,
    LocalOutcome, NewItem, NewRecipient, Origin, Outcome, ReportKind, Shape,
};
pub use mailbox::{EntryView, MessageReader};
pub use metrics::{Metrics, Stopwatch};
pub use report::{AuditReport, Census, CheckReport, Problem, Totals};
pub use spans::{Span, Spans};
pub use story::{
    Action, Event, EventKind, ItemView, QueueLine, RecipientState, RecipientView, Selection,
};

/// Limits of the store, with their units.
pub mod limits;
