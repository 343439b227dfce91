//! Mail that was taken for another server, and whose domain has become ours meanwhile.
//!
//! Its MX records point here now, so sending it out would fail it as a loop. It goes to the account that
//! its address means here; where there is not exactly one, it is put off, and says so.

use std::sync::Arc;

use futures_util::future::join_all;
use mailtypes::{EnhancedCode, Host, Mailbox, Status};
use net::Dial;
use net::dns::Dns;
use store::{AccountId, Addressing, Destination, Due, Lease, NewRecipient, NotAddressed, Store};

use super::Away;
use crate::limits::HOME_PAUSE;
use crate::outcome::Ending;
use crate::remote::trail::Trail;
use crate::settings::Settings;

/// Whether mail for an address is ours to deliver.
pub(super) fn is_ours(address: &Mailbox, settings: &Settings) -> bool {
    matches!(&address.host, Host::Domain(domain) if settings.domains.contains(domain))
}

impl<S: Store, R: Dns, D: Dial> Away<S, R, D> {
    /// Brings recipients home.
    pub(super) async fn bring_home(&self, lease: &Lease, all: Vec<Due>) {
        join_all(all.into_iter().map(|due| self.one_home(lease, due))).await;
    }

    async fn one_home(&self, lease: &Lease, due: Due) {
        if !self.shared.sites().hold(&due) {
            return;
        }
        let meant = meant(Arc::clone(&self.addressing), due.address.clone()).await;
        let host = &due.address.host;
        let astray = match account(meant) {
            Ok(account) => {
                let why = format!("{host} is a domain of ours now");
                let key = (due.item, due.recipient);
                let home = self.shared.store.bring_home(lease, key, account, &why);
                match home.await {
                    Ok(()) => {
                        self.here.notify_one();
                        return self.shared.done_with(std::iter::once(&due));
                    }
                    Err(error) => Astray::Trouble(error.to_string()),
                }
            }
            Err(astray) => astray,
        };
        match astray {
            // A fault of our own is no attempt.
            Astray::Trouble(why) => {
                let status = but(host, 0, &why);
                let until = self.shared.clock.now() + HOME_PAUSE;
                self.shared.postpone([due], &status, until).await;
            }
            // RFC 3463 §3.4: system incorrectly configured
            Astray::Nobody(why) => {
                let ending = Ending::Later(but(host, 5, &why));
                let trail = Trail::new("this server".to_owned(), "a domain of ours".to_owned());
                self.shared.tell(due, ending, &trail).await;
            }
        }
    }
}

fn but(host: &Host, detail: u16, why: &str) -> Status {
    let text = format!("{host} is a domain of ours now, but {why}");
    Status::new(EnhancedCode::new(4, 3, detail), text)
}

/// Why mail does not come home.
enum Astray {
    /// Our own trouble.
    Trouble(String),
    /// No account takes it.
    Nobody(String),
}

/// Asks in a task of its own: should that come to grief, it is alone.
async fn meant(
    addressing: Arc<dyn Addressing>,
    address: Mailbox,
) -> Result<Vec<NewRecipient>, NotAddressed> {
    let asking = tokio::spawn(async move { addressing.recipients(&address).await });
    let came_to_grief = |error: tokio::task::JoinError| NotAddressed::Later(error.to_string());
    asking.await.map_err(came_to_grief)?
}

/// The account that an address means; or why there is none.
fn account(meant: Result<Vec<NewRecipient>, NotAddressed>) -> Result<AccountId, Astray> {
    match meant {
        Ok(to) => match to.as_slice() {
            [
                NewRecipient {
                    destination: Destination::Account(account),
                    ..
                },
            ] => Ok(*account),
            _ => Err(Astray::Nobody(
                "the address stands for several or for one elsewhere: have the message sent again, \
                 and `postrider queue remove` this one"
                    .to_owned(),
            )),
        },
        Err(NotAddressed::Nobody(why)) => Err(Astray::Nobody(format!(
            "the address is nobody's ({why}): add the account, and `postrider queue retry`"
        ))),
        Err(NotAddressed::Later(why)) => Err(Astray::Trouble(why)),
    }
}
