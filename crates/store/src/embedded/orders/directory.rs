//! Changes of the directory.

use mailtypes::Mailbox;
use rusqlite::{OptionalExtension, params};

use crate::directory::{AccountDelivery, AccountId, Alias};
use crate::embedded::order::Order;
use crate::embedded::rows::{parse_mailboxes, write_mailboxes};
use crate::embedded::turn::Turn;
use crate::error::DirectoryError;

pub(crate) struct AddAccount {
    pub(crate) address: Mailbox,
    pub(crate) password: String,
}

pub(crate) struct SetPassword {
    pub(crate) address: Mailbox,
    pub(crate) password: String,
}

pub(crate) struct SetDelivery {
    pub(crate) address: Mailbox,
    pub(crate) delivery: AccountDelivery,
}

pub(crate) struct RemoveAccount {
    pub(crate) address: Mailbox,
}

pub(crate) struct SetAlias {
    pub(crate) alias: Alias,
}

pub(crate) struct RemoveAlias {
    pub(crate) address: Mailbox,
}

impl Order for AddAccount {
    type Answer = AccountId;
    type Error = DirectoryError;

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<AccountId, DirectoryError> {
        let address = self.address.folded().to_string();
        if account(turn, &address)?.is_some() {
            return Err(DirectoryError::AccountExists(address));
        }
        if alias_exists(turn, &address)? {
            return Err(DirectoryError::AliasExists(address));
        }
        turn.db.execute(
            "INSERT INTO account (address, password, created) VALUES (?, ?, ?)",
            params![address, self.password, turn.now.as_millis()],
        )?;
        let id = turn.db.last_insert_rowid();
        turn.db.execute(
            "INSERT INTO folder (account, name, uid_validity, uid_next, mod_seq)
             VALUES (?, 'INBOX', ?, 1, 0)",
            params![id, turn.now.as_secs()],
        )?;
        turn.effects.directory = true;
        Ok(AccountId(id))
    }
}

impl Order for SetPassword {
    type Answer = ();
    type Error = DirectoryError;

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<(), DirectoryError> {
        let address = self.address.folded().to_string();
        let changed = turn.db.execute(
            "UPDATE account SET password = ? WHERE address = ?",
            params![self.password, address],
        )?;
        if changed == 0 {
            Err(DirectoryError::NoSuchAccount(address))
        } else {
            Ok(())
        }
    }
}

impl Order for SetDelivery {
    type Answer = ();
    type Error = DirectoryError;

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<(), DirectoryError> {
        let address = self.address.folded().to_string();
        let AccountDelivery {
            maildir,
            forward,
            keep,
        } = &self.delivery;
        let forward = (!forward.is_empty()).then(|| write_mailboxes(forward));
        let changed = turn.db.execute(
            "UPDATE account SET maildir = ?, forward = ?, keep = ? WHERE address = ?",
            params![maildir, forward, keep, address],
        )?;
        if changed == 0 {
            return Err(DirectoryError::NoSuchAccount(address));
        }
        turn.effects.directory = true;
        Ok(())
    }
}

impl Order for RemoveAccount {
    type Answer = u64;
    type Error = DirectoryError;

    /// Frees the address at once; the mail goes in small groups behind.
    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<u64, DirectoryError> {
        let address = self.address.folded().to_string();
        let Some(id) = account(turn, &address)? else {
            return Err(DirectoryError::NoSuchAccount(address));
        };
        if let Some(alias) = alias_that_leads_to(turn, &self.address.folded())? {
            return Err(DirectoryError::AliasLeadsHere(alias));
        }
        turn.effects.directory = true;
        turn.db.execute(
            "UPDATE account SET address = NULL, password = '' WHERE id = ?",
            [id],
        )?;
        let messages: i64 = turn.db.query_row(
            "SELECT count(*) FROM entry WHERE folder IN (SELECT id FROM folder WHERE account = ?)",
            [id],
            |row| row.get(0),
        )?;
        Ok(u64::try_from(messages).unwrap_or(0))
    }
}

impl Order for SetAlias {
    type Answer = ();
    type Error = DirectoryError;

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<(), DirectoryError> {
        let address = self.alias.address.folded().to_string();
        if account(turn, &address)?.is_some() {
            return Err(DirectoryError::AccountExists(address));
        }
        turn.effects.directory = true;
        turn.db.execute(
            "INSERT INTO alias (address, targets) VALUES (?, ?)
             ON CONFLICT (address) DO UPDATE SET targets = excluded.targets",
            params![address, write_mailboxes(&self.alias.targets)],
        )?;
        Ok(())
    }
}

impl Order for RemoveAlias {
    type Answer = ();
    type Error = DirectoryError;

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<(), DirectoryError> {
        let folded = self.address.folded();
        let address = folded.to_string();
        // Its part of the mail for the other one would go nowhere, and nobody would be told.
        if alias_exists(turn, &address)?
            && let Some(other) = alias_that_leads_to(turn, &folded)?
        {
            return Err(DirectoryError::AliasLeadsHere(other));
        }
        turn.effects.directory = true;
        let gone = turn
            .db
            .execute("DELETE FROM alias WHERE address = ?", [&address])?;
        if gone == 0 {
            Err(DirectoryError::NoSuchAlias(address))
        } else {
            Ok(())
        }
    }
}

fn account(turn: &Turn<'_>, address: &str) -> rusqlite::Result<Option<i64>> {
    turn.db
        .query_row(
            "SELECT id FROM account WHERE address = ?",
            [address],
            |row| row.get(0),
        )
        .optional()
}

fn alias_exists(turn: &Turn<'_>, address: &str) -> rusqlite::Result<bool> {
    turn.db
        .prepare_cached("SELECT 1 FROM alias WHERE address = ?")?
        .exists([address])
}

fn alias_that_leads_to(turn: &Turn<'_>, address: &Mailbox) -> rusqlite::Result<Option<String>> {
    let mut query = turn.db.prepare("SELECT address, targets FROM alias")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let targets = parse_mailboxes(row.get_ref(1)?.as_str()?).unwrap_or_default();
        if targets.iter().any(|target| target.folded() == *address) {
            return row.get(0).map(Some);
        }
    }
    Ok(None)
}
