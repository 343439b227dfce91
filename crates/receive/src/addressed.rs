//! Whom an address means, for mail of our own making.

use std::pin::Pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use mailtypes::{ForwardPath, Mailbox};
use net::Clock;
use store::{Addressing, NewRecipient, NotAddressed, Store};

use crate::verdict::RecipientRefusal;
use crate::{Settings, lookup, relay};

/// The policy at RCPT, as others ask for it.
pub struct Policy<S> {
    /// Where the directory is.
    pub store: S,
    /// Limits the asking.
    pub clock: Clock,
    /// What the receiver goes by.
    pub settings: Arc<ArcSwap<Settings>>,
}

impl<S: Store> Policy<S> {
    async fn find(&self, address: &Mailbox) -> Result<Vec<NewRecipient>, NotAddressed> {
        let settings = self.settings.load_full();
        if !settings.is_local(address) {
            return Ok(vec![relay::remote(
                address,
                "mail of this server".to_owned(),
            )]);
        }
        let path = ForwardPath::Mailbox(address.clone());
        let (routed, _) = lookup::route(&self.store, &self.clock, &settings, &path, &[]).await;
        match routed {
            Ok(routed) => Ok(routed.recipients),
            Err(refusal @ RecipientRefusal::UnknownMailbox) => {
                Err(NotAddressed::Nobody(refusal.to_string()))
            }
            Err(refusal) => Err(NotAddressed::Later(refusal.to_string())),
        }
    }
}

impl<S: Store> Addressing for Policy<S> {
    fn recipients<'a>(
        &'a self,
        address: &'a Mailbox,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<NewRecipient>, NotAddressed>> + Send + 'a>> {
        Box::pin(self.find(address))
    }
}
