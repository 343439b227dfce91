//! Aliases: what they lead to must be there, and must not lead back.

use std::collections::HashSet;

use mailtypes::Mailbox;
use store::{Alias, Listing, Store};

use super::directory::{check_ours, is_ours};
use super::queue::done;
use super::{House, mailbox, next_of};
use crate::view::{AliasView, AliasesView};
use crate::{Answer, Kind, Refusal};

pub(super) async fn set(
    store: &impl Store,
    house: &House,
    address: &str,
    targets: &[String],
) -> Result<Answer, Refusal> {
    let address = mailbox(address)?.folded();
    check_ours(house, &address)?;
    let targets: Vec<Mailbox> = targets
        .iter()
        .map(|t| mailbox(t))
        .collect::<Result<_, _>>()?;
    check_targets(store, house, &address, &targets).await?;
    let written: Vec<_> = targets.iter().map(ToString::to_string).collect();
    let text = format!("alias {address} stands for {}", written.join(", "));
    store.set_alias(Alias { address, targets }).await?;
    Ok(done(text))
}

pub(super) async fn remove(store: &impl Store, address: &str) -> Result<Answer, Refusal> {
    let address = mailbox(address)?.folded();
    store.remove_alias(&address).await?;
    Ok(done(format!("alias {address} removed")))
}

pub(super) async fn list(
    store: &impl Store,
    after: Option<&str>,
    limit: usize,
) -> Result<Answer, Refusal> {
    let after = after.map(mailbox).transpose()?;
    let aliases = store.aliases(after.as_ref(), limit).await?;
    Ok(Answer::Aliases(AliasesView {
        next: next_of(&aliases, limit, |alias| alias.address.to_string()),
        aliases: aliases.iter().map(alias_view).collect(),
    }))
}

fn alias_view(alias: &Alias) -> AliasView {
    AliasView {
        address: alias.address.to_string(),
        targets: alias.targets.iter().map(ToString::to_string).collect(),
    }
}

/// Whether mail for `address` may go on to all of these.
pub(super) async fn check_targets(
    store: &impl Store,
    house: &House,
    address: &Mailbox,
    targets: &[Mailbox],
) -> Result<(), Refusal> {
    if targets.is_empty() || targets.len() > TARGETS_MAX {
        let text = format!("{address} may stand for 1 to {TARGETS_MAX} others");
        return Err(Refusal::new(Kind::Data, text));
    }
    for target in targets {
        check_target(store, house, address, target).await?;
    }
    check_loop(store, address, targets).await
}

/// A target at a domain of ours must be an account or an alias now.
async fn check_target(
    store: &impl Store,
    house: &House,
    address: &Mailbox,
    target: &Mailbox,
) -> Result<(), Refusal> {
    if target.folded() == *address {
        return Err(leads_back(address));
    }
    // Without a configuration at least the alias's own domain is known to be ours.
    let ours = is_ours(house, target) || target.host == address.host;
    let is_role = REQUIRED.contains(&target.folded().local.as_str());
    if !ours || is_role || listing(store, target).await?.is_some() {
        return Ok(());
    }
    let text = format!("the target {target} is neither an account nor an alias here; add it first");
    Err(Refusal::new(Kind::NoUser, text))
}

/// Follows aliases and accounts that send their mail on, from the targets on; whoever meets `address` again would go in a circle.
async fn check_loop(
    store: &impl Store,
    address: &Mailbox,
    targets: &[Mailbox],
) -> Result<(), Refusal> {
    let mut seen: HashSet<Mailbox> = HashSet::new();
    let mut level: Vec<Mailbox> = targets.to_vec();
    for _ in 0..DEPTH_MAX {
        let mut deeper = Vec::new();
        for target in level {
            let target = target.folded();
            let bare = target.without_tag();
            if target == *address || bare.as_ref() == Some(address) {
                return Err(leads_back(address));
            }
            if !seen.insert(target.clone()) {
                continue;
            }
            if seen.len() > FOLLOWED_MAX {
                let text = format!("{address} would stand for more than {FOLLOWED_MAX} addresses");
                return Err(Refusal::new(Kind::Data, text));
            }
            match listing(store, &target).await? {
                Some(Listing::Alias(next) | Listing::Forward { to: next, .. }) => {
                    deeper.extend(next);
                }
                Some(Listing::Account(_)) | None => {}
            }
        }
        if deeper.is_empty() {
            return Ok(());
        }
        level = deeper;
    }
    let text = format!("{address} would lead through more than {DEPTH_MAX} aliases in a row");
    Err(Refusal::new(Kind::Data, text))
}

/// What mail to an address meets: the address itself, or the one without its tag.
async fn listing(store: &impl Store, address: &Mailbox) -> Result<Option<Listing>, Refusal> {
    if let Some(found) = store.lookup(address).await? {
        return Ok(Some(found));
    }
    match address.without_tag() {
        Some(bare) => Ok(store.lookup(&bare).await?),
        None => Ok(None),
    }
}

fn leads_back(address: &Mailbox) -> Refusal {
    let text = format!("{address} would lead back to itself");
    Refusal::new(Kind::Data, text)
}

/// Local parts that every domain of ours has, whoever is behind them. RFC 5321 §4.5.1, RFC 2142 §4
const REQUIRED: [&str; 2] = ["postmaster", "abuse"];
/// Targets of one alias.
const TARGETS_MAX: usize = 1000;
/// Aliases in a row: what the receiving side follows.
const DEPTH_MAX: usize = 10;
/// Addresses behind one alias in all: what the receiving side takes in one envelope.
const FOLLOWED_MAX: usize = 1000;

#[cfg(test)]
mod tests;
