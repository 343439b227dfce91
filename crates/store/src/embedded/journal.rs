//! The journal: what a turn has written, so that it can be written again.
//!
//! The orders that come by the thousand (accept, begin, record, deliver) are promised by an entry in
//! the body log, behind the bodies that they brought, with one sync for both. The transaction that
//! they ran in stays open and is committed a moment later, for many turns at once. A commit names how
//! far into the log it goes; a start repeats what lies behind.
//!
//! An entry holds statements of [`writes::Write`] with their values. The same statements in the same
//! order on the same rows make the same rows, so a repetition has nothing to decide.

pub(crate) mod ahead;
pub(crate) mod pieces;
pub(crate) mod redo;
pub(crate) mod replay;
pub(crate) mod writes;
