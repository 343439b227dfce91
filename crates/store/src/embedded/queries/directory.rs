//! Accounts and aliases.

use mailtypes::{Mailbox, Secret};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::directory::{Account, AccountDelivery, AccountId, Alias, Listing};
use crate::embedded::rows;

/// What stands under exactly this address.
pub(crate) fn lookup(db: &Connection, address: &Mailbox) -> rusqlite::Result<Option<Listing>> {
    let key = address.folded().to_string();
    let account = db
        .prepare_cached("SELECT id, forward, keep FROM account WHERE address = ?")?
        .query_row([&key], |row| {
            let account = AccountId(row.get(0)?);
            let to = rows::mailboxes(row, 1)?;
            let keep = row.get(2)?;
            Ok(if to.is_empty() {
                Listing::Account(account)
            } else {
                Listing::Forward { account, to, keep }
            })
        })
        .optional()?;
    if account.is_some() {
        return Ok(account);
    }
    db.prepare_cached("SELECT targets FROM alias WHERE address = ?")?
        .query_row([&key], |row| rows::mailboxes(row, 0).map(Listing::Alias))
        .optional()
}

/// The oldest account.
pub(crate) fn first_account(db: &Connection) -> rusqlite::Result<Option<Account>> {
    db.prepare_cached(
        "SELECT id, address, password, created, maildir, forward, keep FROM account
         WHERE address IS NOT NULL ORDER BY id LIMIT 1",
    )?
    .query_row([], account)
    .optional()
}

/// Accounts by address.
pub(crate) fn accounts(
    db: &Connection,
    after: Option<&Mailbox>,
    limit: usize,
) -> rusqlite::Result<Vec<Account>> {
    db.prepare_cached(
        "SELECT id, address, password, created, maildir, forward, keep FROM account
         WHERE address > ? ORDER BY address LIMIT ?",
    )?
    .query_map(params![key(after), limit], account)?
    .collect()
}

/// Aliases by address.
pub(crate) fn aliases(
    db: &Connection,
    after: Option<&Mailbox>,
    limit: usize,
) -> rusqlite::Result<Vec<Alias>> {
    db.prepare_cached(
        "SELECT address, targets FROM alias WHERE address > ? ORDER BY address LIMIT ?",
    )?
    .query_map(params![key(after), limit], |row| {
        Ok(Alias {
            address: rows::mailbox(row, 0)?,
            targets: rows::mailboxes(row, 1)?,
        })
    })?
    .collect()
}

fn key(after: Option<&Mailbox>) -> String {
    after.map_or_else(String::new, |address| address.folded().to_string())
}

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        id: AccountId(row.get(0)?),
        address: rows::mailbox(row, 1)?,
        password: Secret::new(row.get(2)?),
        created: rows::time(row, 3)?,
        delivery: AccountDelivery {
            maildir: row.get(4)?,
            forward: rows::mailboxes(row, 5)?,
            keep: row.get(6)?,
        },
    })
}
