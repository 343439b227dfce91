//! Rows into values. A value that does not parse is damage, told as such.

use mailtypes::{
    BodyType, EnhancedCode, Envelope, ItemId, Mailbox, Protocol, ReversePath, Status, Timestamp,
};
use rusqlite::types::Type;
use rusqlite::{Error, Row};

use crate::body_log::Place;
use crate::spans::Spans;
use crate::story::{RecipientState, RecipientView};
use crate::{AccountId, Destination, Facts, Origin};

pub(crate) fn bad(column: usize, what: &'static str) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, what.into())
}

/// Sizes and offsets as SQLite keeps them.
pub(crate) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    u64::try_from(row.get::<_, i64>(column)?).map_err(|_| bad(column, "negative number"))
}

pub(crate) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_millis)
}

pub(crate) fn item(row: &Row<'_>, column: usize) -> rusqlite::Result<ItemId> {
    ItemId::from_i64(row.get(column)?).ok_or_else(|| bad(column, "negative queue id"))
}

pub(crate) fn mailbox(row: &Row<'_>, column: usize) -> rusqlite::Result<Mailbox> {
    Mailbox::parse(row.get_ref(column)?.as_str()?).map_err(|_| bad(column, "not an address"))
}

pub(crate) fn mailboxes(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<Mailbox>> {
    let Some(json) = row.get_ref(column)?.as_str_or_null()? else {
        return Ok(Vec::new());
    };
    parse_mailboxes(json).ok_or_else(|| bad(column, "not a list of addresses"))
}

pub(crate) fn parse_mailboxes(json: &str) -> Option<Vec<Mailbox>> {
    let texts: Vec<String> = serde_json::from_str(json).ok()?;
    texts.iter().map(|text| Mailbox::parse(text).ok()).collect()
}

pub(crate) fn write_mailboxes(list: &[Mailbox]) -> String {
    serde_json::json!(list.iter().map(ToString::to_string).collect::<Vec<_>>()).to_string()
}

pub(crate) fn reverse_path(row: &Row<'_>, column: usize) -> rusqlite::Result<ReversePath> {
    match row.get_ref(column)?.as_str()? {
        "" => Ok(ReversePath::Null),
        _ => mailbox(row, column).map(ReversePath::Mailbox),
    }
}

/// A message without what its column `return_paths` cuts out of its body; `None`: damaged.
pub(crate) fn without_cuts(spans: &Spans, body: i64, cuts: Option<&str>) -> Option<Spans> {
    let pairs: Vec<[u64; 2]> = match cuts {
        Some(json) => serde_json::from_str(json).ok()?,
        None => Vec::new(),
    };
    let cuts: Vec<_> = pairs.into_iter().map(|[from, to]| from..to).collect();
    Some(spans.without(body, &cuts))
}

/// Columns: `reverse_path`, `body_type`, `smtputf8`, `require_tls`.
pub(crate) fn envelope(row: &Row<'_>, first: usize) -> rusqlite::Result<Envelope> {
    let body = row.get_ref(first + 1)?.as_str()?;
    Ok(Envelope {
        reverse_path: reverse_path(row, first)?,
        body: BodyType::parse(body).ok_or_else(|| bad(first + 1, "unknown body type"))?,
        smtputf8: row.get(first + 2)?,
        require_tls: row.get(first + 3)?,
    })
}

/// Columns: segment, at, length, crc.
pub(crate) fn place(row: &Row<'_>, first: usize) -> rusqlite::Result<Place> {
    Ok(Place {
        segment: row.get(first)?,
        at: unsigned(row, first + 1)?,
        length: unsigned(row, first + 2)?,
        crc: row.get(first + 3)?,
    })
}

pub(crate) fn destination(row: &Row<'_>, column: usize) -> rusqlite::Result<Destination> {
    let account: Option<i64> = row.get(column)?;
    Ok(account.map_or(Destination::Remote, |id| {
        Destination::Account(AccountId(id))
    }))
}

pub(crate) fn status(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Status>> {
    let Some(text) = row.get_ref(column)?.as_str_or_null()? else {
        return Ok(None);
    };
    let (code, text) = text.split_once(' ').unwrap_or((text, ""));
    let code = EnhancedCode::parse(code).ok_or_else(|| bad(column, "not a status"))?;
    Ok(Some(Status::new(code, text)))
}

/// Columns: client, helo, protocol, login, tls. All are NULL for a message of our own making.
pub(crate) fn origin(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Origin>> {
    let Some(client) = row.get_ref(first)?.as_str_or_null()? else {
        return Ok(None);
    };
    let word = row.get_ref(first + 2)?.as_str()?;
    let known = [
        Protocol::Smtp,
        Protocol::Esmtp,
        Protocol::Esmtps,
        Protocol::Esmtpa,
        Protocol::Esmtpsa,
    ];
    let protocol = known.into_iter().find(|p| p.as_str() == word);
    Ok(Some(Origin {
        client: client
            .parse()
            .map_err(|_| bad(first, "not an IP address"))?,
        helo: row.get(first + 1)?,
        protocol: protocol.ok_or_else(|| bad(first + 2, "unknown protocol"))?,
        login: row.get(first + 3)?,
        tls: row.get(first + 4)?,
    }))
}

/// Columns: `facts_form`, facts.
pub(crate) fn facts(row: &Row<'_>, first: usize) -> rusqlite::Result<Facts> {
    Ok(Facts {
        version: row.get(first)?,
        json: row.get(first + 1)?,
    })
}

/// The columns of [`recipient`].
pub(crate) const RECIPIENT: &str =
    "n, address, original, via, account, reason, state, due, attempts, status, told,
     coalesce(state = 0 AND hands / 2 = (SELECT max(epoch) FROM lease), 0)";

pub(crate) fn recipient(row: &Row<'_>) -> rusqlite::Result<RecipientView> {
    let state = RecipientState::from_code(row.get(6)?).ok_or_else(|| bad(6, "unknown state"))?;
    Ok(RecipientView {
        n: row.get(0)?,
        address: mailbox(row, 1)?,
        original: row.get(2)?,
        via: mailboxes(row, 3)?,
        destination: destination(row, 4)?,
        reason: row.get(5)?,
        state,
        due: row.get::<_, Option<i64>>(7)?.map(Timestamp::from_millis),
        attempts: row.get(8)?,
        status: status(row, 9)?,
        told: row.get(10)?,
        in_hand: row.get(11)?,
    })
}
