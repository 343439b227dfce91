//! After a failed sync: copies the tail of the segment to a new one.
//!
//! Everything that commits have named was synced before. Only the last page of it shared the page
//! cache with what failed, so the bodies in that page are written again elsewhere.

use std::io;

use mailtypes::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use tracing::error;

use super::books::write_effects;
use super::turn::Effects;
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

/// Copies what shares the last page of `segment`, and closes it.
pub(crate) fn copy_tail(
    db: &Connection,
    log: &mut BodyLog,
    bodies: &BodyReader,
    segment: i64,
    now: Timestamp,
) -> Result<(), Failed> {
    let end: Option<i64> = db
        .query_row("SELECT end FROM segment WHERE id = ?", [segment], |row| {
            row.get(0)
        })
        .optional()?;
    let Some(end) = end else { return Ok(()) };
    bodies.forget(segment);
    let tail = tail_of(db, segment, (end - 1).max(0) / PAGE * PAGE)?;
    let saved: Vec<(i64, Vec<u8>, Place)> = tail
        .into_iter()
        .filter_map(|(id, place)| read(bodies, id, place))
        .collect();
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
    // A dead segment's file stays until the next start: its disk is not to be trusted now.
    write_effects(db, &effects, log.open_end(), now)?;
    db.execute_batch("COMMIT")?;
    Ok(())
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

fn read(bodies: &BodyReader, id: i64, place: Place) -> Option<(i64, Vec<u8>, Place)> {
    let read = || -> io::Result<Vec<u8>> {
        let body = bodies
            .open(&Known(place), id)?
            .ok_or(io::ErrorKind::NotFound)?;
        let mut octets = vec![0; usize::try_from(place.length).map_err(io::Error::other)?];
        body.file.read_exact_at(&mut octets, place.at)?;
        Ok(octets)
    };
    match read() {
        Ok(octets) if crc32c::crc32c(&octets) == place.crc => Some((id, octets, place)),
        Ok(_) => {
            error!(
                body = id,
                "a body at the tail of a failed segment is damaged; it stays there"
            );
            None
        }
        Err(e) => {
            error!(body = id, error = %e, "a body at the tail of a failed segment cannot be read");
            None
        }
    }
}

/// Octets that the kernel keeps and writes together.
const PAGE: i64 = 4096;
