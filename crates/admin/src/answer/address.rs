//! What happens with mail for an address of ours.

use store::{AccountId, Destination, NewRecipient, NotAddressed, Store};

use super::{House, mailbox};
use crate::view::{AddressView, EndView};
use crate::{Answer, Kind, Refusal};

pub(super) async fn explain(
    store: &impl Store,
    house: &House,
    address: &str,
) -> Result<Answer, Refusal> {
    let address = mailbox(address)?;
    let Some(addressing) = &house.addressing else {
        let text = "nobody here knows what addresses mean";
        return Err(Refusal::new(Kind::Usage, text));
    };
    let (to, refused) = match addressing.0.recipients(&address).await {
        Ok(recipients) => (ends(store, &recipients).await?, None),
        Err(NotAddressed::Nobody(why)) => (Vec::new(), Some(format!("550 5.1.1 {why}"))),
        Err(NotAddressed::Later(why)) => (Vec::new(), Some(format!("451 4.3.0 {why}"))),
    };
    Ok(Answer::Address(AddressView {
        address: address.to_string(),
        to,
        refused,
    }))
}

async fn ends(store: &impl Store, recipients: &[NewRecipient]) -> Result<Vec<EndView>, Refusal> {
    let mut ends = Vec::new();
    for recipient in recipients {
        let (into, maildir) = match recipient.destination {
            Destination::Remote => ("remote", None),
            Destination::Account(account) => match maildir(store, account).await? {
                Some(folder) => ("maildir", Some(folder)),
                None => ("mailbox", None),
            },
        };
        ends.push(EndView {
            address: recipient.address.to_string(),
            into: into.to_owned(),
            maildir,
            reason: recipient.reason.clone(),
        });
    }
    Ok(ends)
}

/// The Maildir of an account, among the first accounts: more of them are not gone through.
async fn maildir(store: &impl Store, id: AccountId) -> Result<Option<String>, Refusal> {
    let mut after = None;
    for _ in 0..PAGES_MAX {
        let page = store
            .accounts(after.as_ref(), store::limits::PAGE_MAX)
            .await?;
        if let Some(account) = page.iter().find(|account| account.id == id) {
            return Ok(account.delivery.maildir.clone());
        }
        let Some(last) = page.last() else {
            break;
        };
        after = Some(last.address.clone());
    }
    Ok(None)
}

/// Pages of accounts looked through for one.
const PAGES_MAX: usize = 100;
