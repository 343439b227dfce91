//! Gathers what the policy at RCPT asks for.

use std::collections::btree_map::Entry;
use std::net::IpAddr;

use mailtypes::ForwardPath;
use net::Clock;
use store::{NewRecipient, Store};

use crate::Settings;
use crate::deadline::within;
use crate::limits::{FINAL_RECIPIENTS_MAX, LOOKUP_TIMEOUT};
use crate::recipient;
use crate::relay;
use crate::verdict::{Question, RecipientFacts, RecipientRefusal, Routed, Verdict};

/// Routes one RCPT: asks the directory until the policy has a verdict. The facts come back too:
/// they are kept with the item.
pub(crate) async fn route<S: Store>(
    store: &S,
    clock: &Clock,
    settings: &Settings,
    path: &ForwardPath,
    taken: &[NewRecipient],
) -> (Result<Routed, RecipientRefusal>, RecipientFacts) {
    let mut facts = RecipientFacts::default();
    // Ends: each round answers all its questions, and the policy limits how many there are.
    loop {
        let questions = match recipient::decide(settings, path, taken, &facts) {
            Verdict::Accept(routed) => return (Ok(routed), facts),
            Verdict::Refuse(refusal) => return (Err(refusal), facts),
            Verdict::Ask(questions) => questions,
        };
        let answered = within(clock, LOOKUP_TIMEOUT, gather(store, questions, &mut facts)).await;
        if let Err(refusal) = answered.unwrap_or(Err(RecipientRefusal::LookupTimeout)) {
            return (Err(refusal), facts);
        }
    }
}

/// The verdict for an address that is not ours, when the client may relay.
pub(crate) fn relayed(
    settings: &Settings,
    client: IpAddr,
    path: &ForwardPath,
    taken: &[NewRecipient],
) -> Option<Result<Routed, RecipientRefusal>> {
    let ForwardPath::Mailbox(address) = path else {
        return None;
    };
    if settings.is_local(address) {
        return None;
    }
    let recipient = relay::decide(settings, client, address)?;
    if taken.len() >= FINAL_RECIPIENTS_MAX {
        return Some(Err(RecipientRefusal::TooManyRecipients));
    }
    let mut routed = Routed::default();
    // The same address twice in an envelope gets one copy.
    if !taken.iter().any(|known| known.address == recipient.address) {
        routed.recipients.push(recipient);
    }
    Some(Ok(routed))
}

async fn gather<S: Store>(
    store: &S,
    questions: Vec<Question>,
    facts: &mut RecipientFacts,
) -> Result<(), RecipientRefusal> {
    for question in questions {
        match question {
            Question::Listing(address) => {
                if let Entry::Vacant(unknown) = facts.listings.entry(address) {
                    let listing = store.lookup(unknown.key()).await?;
                    unknown.insert(listing);
                }
            }
            Question::OldestAccount => {
                let account = store.first_account().await?;
                facts.oldest = Some(account.map(|account| (account.id, account.address)));
            }
        }
    }
    Ok(())
}
