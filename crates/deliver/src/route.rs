//! Which way a recipient goes: routes of the configuration first, then the MX records of its domain.
//!
//! [`table`] finds the [`NextHop`] of an address without asking anybody; [`mx`] turns DNS answers
//! into the hosts to try. Both are pure.

pub(crate) mod mx;
pub(crate) mod next_hop;
pub(crate) mod table;
