//! Where a worker's connection comes from.

use net::Dial;
use net::dns::Dns;
use store::Store;

use super::Handover;
use crate::limits::MESSAGES_PER_CONNECTION;
use crate::remote::reach::{self, Nobody};
use crate::remote::trail::Trail;

impl<S: Store, R: Dns, D: Dial> Handover<S, R, D> {
    /// A connection that takes a message: the one at hand, or a new one.
    pub(super) async fn connect(&mut self, trail: &mut Trail) -> Result<(), Nobody> {
        if !self.is_home() && self.has_connection(trail) {
            return Ok(());
        }
        self.quit().await;
        self.plan = reach::plan(&self.shared, &self.hop, &mut self.rng, trail).await?;
        self.reach(trail).await
    }

    /// The same among the hosts that have not been tried.
    pub(super) async fn connect_further(&mut self, trail: &mut Trail) -> bool {
        if self.has_connection(trail) {
            return true;
        }
        self.quit().await;
        let first = trail.blamed.clone();
        let reached = self.plan.has_more() && self.reach(trail).await.is_ok();
        if !reached {
            // The word of the host that was there counts.
            trail.blamed = first;
        }
        reached
    }

    /// Whether the mail is for ourselves by now.
    fn is_home(&self) -> bool {
        reach::is_home(&self.hop, &self.shared.settings.load())
    }

    fn has_connection(&self, trail: &mut Trail) -> bool {
        let connection = self.connection.as_ref();
        let Some(connection) = connection.filter(|connection| {
            connection.is_ready() && connection.used < MESSAGES_PER_CONNECTION
        }) else {
            return false;
        };
        let kept = connection.used > 0;
        trail.host(&connection.host, connection.address, None, kept);
        true
    }

    async fn reach(&mut self, trail: &mut Trail) -> Result<(), Nobody> {
        let connection = reach::reach(&self.shared, &self.hop, &mut self.plan, trail).await?;
        self.shared.site_reached(&self.hop, self.id);
        self.connection = Some(connection);
        Ok(())
    }
}
