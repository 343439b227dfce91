//! The words of mail as values that cannot be wrong: domains, mailboxes, paths, envelopes,
//! statuses, times and ids.
//!
//! Everything else in Postrider speaks in these types. They know grammar and limits; they know no
//! protocol, no storage, no clock and no randomness: those come in as arguments.

mod address_literal;
pub mod dns;
mod domain;
mod envelope;
mod id;
mod ip_text;
mod mailbox;
mod path;
mod secret;
mod status;
mod timestamp;

pub use address_literal::{AddressLiteral, BadLiteral};
pub use domain::{BadDomain, Domain};
pub use envelope::{BodyType, Envelope, Protocol};
pub use id::{BadId, ItemId, Shard};
pub use ip_text::IpText;
pub use mailbox::{BadMailbox, Host, LocalPart, Mailbox};
pub use path::{ForwardPath, ReversePath};
pub use secret::Secret;
pub use status::{EnhancedCode, Status};
pub use timestamp::Timestamp;
