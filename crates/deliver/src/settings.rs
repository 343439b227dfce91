//! How the deliverer behaves; may change while it runs.

use std::sync::Arc;

use mailtypes::Domain;
use proto::smtp::client::ClientSettings;

use crate::route::mx::Own;
use crate::route::table::Routes;
use crate::schedule::Schedule;
use crate::sites::Limits;

/// How a [`crate::Deliverer`] behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How we know ourselves among mail exchangers; the name is in reports too.
    pub own: Own,
    /// The domains whose mail is ours.
    pub domains: Vec<Domain>,
    /// Ways that are not by MX records.
    pub routes: Routes,
    /// When to try again, and for how long.
    pub schedule: Schedule,
    /// How many connections.
    pub limits: Limits,
    /// How the protocol behaves.
    pub client: Arc<ClientSettings>,
}
