//! Where the mail of an account goes.

use std::io::ErrorKind;
use std::path::Path;

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
    if let Some(folder) = maildir.as_deref().filter(|folder| !folder.starts_with('/')) {
        let text = format!("the Maildir `{folder}` must be a whole path, beginning with /");
        return Err(Refusal::new(Kind::Data, text));
    }
    if let Some(missing) = maildir.as_deref().and_then(missing_parent) {
        let text = format!(
            "the folder {missing}, in which the Maildir is to lie, does not exist: make it first, \
             for the user that the server runs as"
        );
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

/// The folder around a Maildir, when it is surely not there: the Maildir itself is made by delivery.
fn missing_parent(maildir: &str) -> Option<String> {
    let parent = Path::new(maildir).parent()?;
    let found = std::fs::metadata(parent);
    let missing = found.is_err_and(|error| error.kind() == ErrorKind::NotFound);
    missing.then(|| parent.display().to_string())
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
