//! Accounts.

use mailtypes::{Mailbox, Secret};
use store::{Account, AccountId, Listing, Store};

use super::queue::done;
use super::{House, mailbox, next_of};
use crate::view::story_time;
use crate::view::{AccountView, AccountsView};
use crate::{Answer, Kind, Refusal, password};

pub(super) async fn add(
    store: &impl Store,
    house: &House,
    address: &str,
    hash: &str,
) -> Result<Answer, Refusal> {
    let address = mailbox(address)?;
    let hash = checked(hash)?;
    check_ours(house, &address)?;
    // Mail to ann+news goes to ann: an account with a tag would never be asked for by its owner.
    if address.local.as_str().contains(['+', '*']) {
        let text = format!("{address}: an account's name has no `+` and no `*`");
        return Err(Refusal::new(Kind::Data, text));
    }
    store.add_account(&address, hash.expose()).await?;
    Ok(done(format!("account {} added", address.folded())))
}

pub(super) async fn passwd(
    store: &impl Store,
    address: &str,
    hash: &str,
) -> Result<Answer, Refusal> {
    let address = mailbox(address)?;
    let hash = checked(hash)?;
    store.set_password(&address, hash.expose()).await?;
    Ok(done(format!("password of {} changed", address.folded())))
}

pub(super) async fn remove(store: &impl Store, address: &str) -> Result<Answer, Refusal> {
    let address = mailbox(address)?;
    let messages = store.remove_account(&address).await?;
    let mail = match messages {
        0 => "it had no mail".to_owned(),
        1 => "and its one message".to_owned(),
        n => format!("and its {n} messages"),
    };
    Ok(done(format!(
        "account {} removed, {mail}",
        address.folded()
    )))
}

pub(super) async fn list(
    store: &impl Store,
    after: Option<&str>,
    limit: usize,
) -> Result<Answer, Refusal> {
    let after = after.map(mailbox).transpose()?;
    let accounts = store.accounts(after.as_ref(), limit).await?;
    Ok(Answer::Accounts(AccountsView {
        next: next_of(&accounts, limit, |account| account.address.to_string()),
        accounts: accounts.iter().map(account_view).collect(),
    }))
}

fn account_view(account: &Account) -> AccountView {
    AccountView {
        address: account.address.to_string(),
        created: story_time(account.created),
        maildir: account.delivery.maildir.clone(),
        forward: account
            .delivery
            .forward
            .iter()
            .map(ToString::to_string)
            .collect(),
        keep: account.delivery.keep,
    }
}

/// The account under an address.
pub(super) async fn account(store: &impl Store, text: &str) -> Result<AccountId, Refusal> {
    let address = mailbox(text)?;
    match store.lookup(&address).await? {
        Some(Listing::Account(id) | Listing::Forward { account: id, .. }) => Ok(id),
        Some(Listing::Alias(targets)) => {
            let targets: Vec<_> = targets.iter().map(ToString::to_string).collect();
            let text = format!("{address} is an alias of {}", targets.join(", "));
            Err(Refusal::new(Kind::NoUser, text))
        }
        None => {
            let text = format!(
                "there is no account {address}; `postrider account list` shows those that are"
            );
            Err(Refusal::new(Kind::NoUser, text))
        }
    }
}

/// An address that could never get mail is a mistake in it or in the configuration.
pub(super) fn check_ours(house: &House, address: &Mailbox) -> Result<(), Refusal> {
    let Some(domains) = &house.domains else {
        return Ok(());
    };
    if is_ours(house, address) {
        return Ok(());
    }
    let known: Vec<_> = domains.iter().map(ToString::to_string).collect();
    let text = format!(
        "{} is not a domain of this server ({}); add it to `domains` in the configuration",
        address.host,
        known.join(", ")
    );
    Err(Refusal::new(Kind::Config, text))
}

/// Whether mail to an address stays here, as far as is known.
pub(super) fn is_ours(house: &House, address: &Mailbox) -> bool {
    let domain = address.host.domain();
    house
        .domains
        .as_ref()
        .is_some_and(|ours| domain.is_some_and(|domain| ours.contains(domain)))
}

fn checked(hash: &str) -> Result<Secret<String>, Refusal> {
    if password::is_hash(hash) {
        Ok(Secret::new(hash.to_owned()))
    } else {
        let text = "the password hash is no argon2id string";
        Err(Refusal::new(Kind::Data, text))
    }
}
