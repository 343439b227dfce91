//! After a failed sync: copies the tail of the segment to a new one.
//!
//! Everything that commits have named was synced before. Only its end can have shared a page or a
//! block with what failed, so the bodies there are written again elsewhere.

use std::io;

use mailtypes::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use tracing::error;

use super::books::write_effects;
use super::effects::Effects;
use crate::body_log::{AppendError, BodyLog, BodyReader, Known, Place, Record};

/// Why a tail could not be copied yet.
#[derive(Debug)]
pub(crate) enum Failed {
    Log(AppendError),
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// Whether a commit has named the segment.
pub(crate) fn is_named(db: &Connection, segment: i64) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM segment WHERE id = ?")?
        .exists([segment])
}

/// Copies the bodies at the end of `segment`, and closes it. Answers the segments that died: itself,
/// when no commit has ever named it.
pub(crate) fn copy_tail(
    db: &Connection,
    log: &mut BodyLog,
    bodies: &BodyReader,
    segment: i64,
    now: Timestamp,
) -> Result<Vec<i64>, Failed> {
    let end: Option<i64> = db
        .query_row("SELECT end FROM segment WHERE id = ?", [segment], |row| {
            row.get(0)
        })
        .optional()?;
    let Some(end) = end else {
        return Ok(vec![segment]);
    };
    bodies.forget(segment);
    let tail = tail_of(db, segment, end - TAIL)?;
    let mut saved = Vec::with_capacity(tail.len());
    for (id, place) in tail {
        let body = read(bodies, id, place);
        saved.extend(body.map_err(|e| Failed::Log(AppendError::Write(e)))?);
    }
    let records: Vec<Record<'_>> = saved
        .iter()
        .map(|(id, octets, place)| Record {
            id: *id,
            octets,
            crc: place.crc,
        })
        .collect();
    let places = if records.is_empty() {
        Vec::new()
    } else {
        log.append(&records).map_err(Failed::Log)?
    };
    let mut effects = Effects::default();
    // It dies when nothing lives in it.
    effects.live(segment, 0);
    db.execute_batch("BEGIN IMMEDIATE")?;
    db.execute("UPDATE segment SET closed = 1 WHERE id = ?", [segment])?;
    for ((id, octets, _), place) in saved.iter().zip(places) {
        db.execute(
            "UPDATE body SET segment = ?, at = ? WHERE id = ?",
            params![
                place.segment,
                i64::try_from(place.at).unwrap_or(i64::MAX),
                id
            ],
        )?;
        let length = i64::try_from(octets.len()).unwrap_or(i64::MAX);
        effects.live(segment, -length);
        effects.live(place.segment, length);
    }
    let dead = write_effects(db, &effects, log.open_end(), now)?;
    db.execute_batch("COMMIT")?;
    Ok(dead)
}

fn tail_of(db: &Connection, segment: i64, from: i64) -> rusqlite::Result<Vec<(i64, Place)>> {
    db.prepare(
        "SELECT id, segment, at, length, crc FROM body WHERE segment = ? AND at + length > ?",
    )?
    .query_map([segment, from], |row| {
        Ok((row.get(0)?, super::rows::place(row, 1)?))
    })?
    .collect()
}

/// A body with its octets; `None` when it is damaged, which is reported and stays where it is. One
/// that cannot be read now is tried again later.
fn read(bodies: &BodyReader, id: i64, place: Place) -> io::Result<Option<(i64, Vec<u8>, Place)>> {
    let body = bodies
        .open(&Known(place), id)?
        .ok_or(io::ErrorKind::NotFound)?;
    let mut octets = vec![0; usize::try_from(place.length).map_err(io::Error::other)?];
    match body.file.read_exact_at(&mut octets, place.at) {
        Err(e) if e.kind() != io::ErrorKind::UnexpectedEof => return Err(e),
        Ok(()) if crc32c::crc32c(&octets) == place.crc => return Ok(Some((id, octets, place))),
        _ => {}
    }
    error!(
        body = id,
        "a body at the tail of a failed segment is damaged; it stays there"
    );
    Ok(None)
}

/// Octets at the end that are copied: more than any file system keeps and writes as one.
const TAIL: i64 = 2 * 1024 * 1024;
