//! Where the mail of an account goes.

use mailtypes::Mailbox;
use store::{AccountDelivery, Store};

use super::queue::done;
use super::{House, alias, mailbox};
use crate::{Answer, Kind, Refusal};

pub(super) async fn set(
    store: &impl Store,
    house: &House,
    address: &str,
    maildir: Option<String>,
    forward: &[String],
    keep: bool,
) -> Result<Answer, Refusal> {
    let address = mailbox(address)?.folded();
    let fault = |folder| super::maildir::fault(folder, &house.data);
    if let Some(text) = maildir.as_deref().and_then(fault) {
        return Err(Refusal::new(Kind::Data, text));
    }
    if keep && forward.is_empty() {
        let text = "a copy is kept of mail that goes on: say where it goes with --forward";
        return Err(Refusal::new(Kind::Usage, text));
    }
    let forward: Vec<Mailbox> = forward
        .iter()
        .map(|to| mailbox(to))
        .collect::<Result<_, _>>()?;
    if !forward.is_empty() {
        alias::check_targets(store, house, &address, &forward).await?;
    }
    let text = told(&address, maildir.as_deref(), &forward, keep);
    let delivery = AccountDelivery {
        maildir,
        forward,
        keep,
    };
    store.set_delivery(&address, delivery).await?;
    Ok(done(text))
}

fn told(address: &Mailbox, maildir: Option<&str>, forward: &[Mailbox], keep: bool) -> String {
    let here = match maildir {
        Some(folder) => format!("into the Maildir {folder}"),
        None => "into its mailbox here".to_owned(),
    };
    if forward.is_empty() {
        return format!("mail for {address} goes {here}");
    }
    let to: Vec<_> = forward.iter().map(ToString::to_string).collect();
    let copy = if keep {
        format!(", and {here}")
    } else {
        String::new()
    };
    format!("mail for {address} goes on to {}{copy}", to.join(", "))
}
