//! What a start does with what a crash has left: nothing is guessed, nothing is lost.

use std::io;
use std::sync::Arc;

use rand::Rng;
use rusqlite::Connection;
use tracing::{debug, error, info, warn};

use super::journal::pieces::ReplayError;
use super::journal::replay::{ReplayFailed, Replayed, replay_segment};
use super::{OpenError, Options, start};
use crate::body_log::{
    BodyLog, Marks, Numbers, OpenSegment, is_spare, remove_if_there, segment_name, segment_number,
};
use crate::disk::{Disk, DiskFile};
use crate::error::db_is_full;

/// What a start goes on with.
pub(crate) struct Recovered {
    pub(crate) log: BodyLog,
    pub(crate) numbers: Numbers,
    /// Entries of the journal that were repeated.
    pub(crate) repeated: u64,
}

/// Repeats what the journal promises, cuts the open tail behind it, and removes files that no row
/// names.
pub(crate) fn recover(
    db: &Connection,
    disk: &Arc<dyn Disk>,
    options: &Options,
) -> Result<Recovered, OpenError> {
    let names = disk.list()?;
    let last_row = segments(db, "SELECT coalesce(max(id), 0), 0 FROM segment")?[0].0;
    let last_file = names
        .iter()
        .filter_map(|name| segment_number(name))
        .max()
        .unwrap_or(0);
    let secret = start::rng(options.seed).next_u64();
    let numbers = Numbers::starting_at(last_row.max(last_file) + 1, secret);
    remove_strays(db, &**disk, &names)?;
    let mut repeated = 0;
    let open = open_tail(db, &**disk, options, &mut repeated)?;
    Ok(Recovered {
        log: BodyLog::new(Arc::clone(disk), numbers.clone(), open, options.segment_len),
        numbers,
        repeated,
    })
}

/// Whether there is any segment at all.
pub(crate) fn has_segments(disk: &dyn Disk) -> io::Result<bool> {
    Ok(disk
        .list()?
        .iter()
        .any(|name| segment_number(name).is_some()))
}

/// Drafts, and segments whose commit never came: nobody was promised anything about them.
fn remove_strays(db: &Connection, disk: &dyn Disk, names: &[String]) -> io::Result<()> {
    let mut known = db
        .prepare("SELECT 1 FROM segment WHERE id = ?")
        .map_err(io::Error::other)?;
    for name in names {
        let stray = match segment_number(name) {
            Some(segment) => !known.exists([segment]).map_err(io::Error::other)?,
            None => name.starts_with("draft-") || is_spare(name),
        };
        if stray {
            info!(file = %name, "removing a file of the body log that no commit names");
            // It may be a folder of somebody else's.
            if let Err(error) = disk.remove(name) {
                warn!(file = %name, %error, "it cannot be removed and stays");
            }
        }
    }
    Ok(())
}

/// The open segment, cut at its end: the committed one, or that of the last entry of the journal
/// behind it. One that is too short, full or missing is closed: its bodies stay where they are, and
/// `check` reports what is damaged.
fn open_tail(
    db: &Connection,
    disk: &dyn Disk,
    options: &Options,
    repeated: &mut u64,
) -> Result<Option<OpenSegment>, OpenError> {
    let now = (options.clock)();
    let mut found = None;
    for (id, end) in segments(
        db,
        "SELECT id, end FROM segment WHERE closed = 0 ORDER BY id",
    )? {
        let end = u64::try_from(end).unwrap_or(0);
        if let Some(Tail { file, marks, len }) = tail(disk, id, end)? {
            let replayed = replay_segment(db, id, (&*file, marks), end, now)?;
            let Replayed { end, entries, dead } = replayed;
            *repeated += entries;
            for segment in dead {
                remove_if_there(disk, &segment_name(segment))?;
            }
            if len > end {
                // Room that was taken ahead, and perhaps what nobody was promised.
                debug!(segment = id, octets = len - end, "cutting the tail");
                file.cut(end)?;
            }
            if end < options.segment_len && found.is_none() {
                found = Some(OpenSegment {
                    id,
                    file,
                    marks,
                    end,
                    reserved: end,
                    named: true,
                });
                continue;
            }
        }
        db.execute("UPDATE segment SET closed = 1 WHERE id = ?", [id])
            .map_err(io::Error::other)?;
    }
    Ok(found)
}

/// A segment that may have something behind the end that commits have named.
struct Tail {
    file: Arc<dyn DiskFile>,
    marks: Marks,
    len: u64,
}

/// Opens a segment and says what is wrong with it. What cannot be read now may be read by the next start: it
/// is not given up.
fn tail(disk: &dyn Disk, segment: i64, end: u64) -> io::Result<Option<Tail>> {
    let file = match disk.open(&segment_name(segment)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            error!(segment, "the file of a segment is missing");
            return Ok(None);
        }
        opened => opened?,
    };
    let len = file.length()?;
    if len < end {
        error!(
            segment,
            len, end, "a segment is shorter than its commits say"
        );
        return Ok(None);
    }
    let Some(marks) = Marks::read(&*file, segment)? else {
        error!(
            segment,
            end,
            "the header of a segment is damaged: what the journal promises behind this end is lost"
        );
        return Ok(None);
    };
    Ok(Some(Tail { file, marks, len }))
}

impl From<ReplayFailed> for OpenError {
    fn from(failed: ReplayFailed) -> Self {
        match failed {
            ReplayFailed::Log(error) => Self::Log(error),
            // A full disk says nothing of the journal.
            ReplayFailed::Entry(ReplayError::Database(error)) if db_is_full(&error) => {
                Self::Database(error)
            }
            ReplayFailed::Entry(error) => Self::Journal(error.to_string()),
        }
    }
}

fn segments(db: &Connection, query: &str) -> io::Result<Vec<(i64, i64)>> {
    let list = || -> rusqlite::Result<Vec<(i64, i64)>> {
        db.prepare(query)?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
    };
    list().map_err(io::Error::other)
}
