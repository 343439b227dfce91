//! Policy at RCPT: who gets the mail for an address.
//!
//! [`decide`] is pure. It works on the answers of the directory that are known so far and returns a
//! verdict, or the questions whose answers it needs next; so nothing is looked up that cannot
//! change the verdict. The steps behind it are in `expand.rs`.

use mailtypes::{ForwardPath, Host, LocalPart, Mailbox};
use store::NewRecipient;

use crate::Settings;
use crate::expand::Expansion;
use crate::verdict::{RecipientFacts, RecipientRefusal, Verdict};

/// Decides about one RCPT. `taken` are the final recipients that the envelope has already.
///
/// Nobody may relay: an address of another domain is refused, and so is an address literal, even
/// one of ours, since RFC 5321 §4.5.1 asks for a postmaster at our domains only.
pub(crate) fn decide(
    settings: &Settings,
    path: &ForwardPath,
    taken: &[NewRecipient],
    facts: &RecipientFacts,
) -> Verdict {
    let Some(address) = addressee(settings, path) else {
        return Verdict::Refuse(RecipientRefusal::NoAccountYet);
    };
    if !settings.is_local(&address) {
        return Verdict::Refuse(RecipientRefusal::RelayDenied);
    }
    Expansion::new(settings, path, taken, facts).verdict(&address)
}

/// The address that a path means. RFC 5321 §4.1.1.3
fn addressee(settings: &Settings, path: &ForwardPath) -> Option<Mailbox> {
    match path {
        ForwardPath::Mailbox(mailbox) => Some(mailbox.clone()),
        ForwardPath::Postmaster => settings.domains.first().map(|domain| Mailbox {
            local: LocalPart::parse("postmaster").expect("a Dot-string"),
            host: Host::Domain(domain.clone()),
        }),
    }
}

#[cfg(test)]
mod tests;
