//! A start repeats what the journal promises behind the last commit.

use mailtypes::Timestamp;
use rusqlite::Connection;
use tracing::info;

use super::pieces::{self, ReplayError};
use crate::body_log::{Marks, Scan, buffer};
use crate::disk::DiskFile;
use crate::embedded::books::write_effects;
use crate::embedded::effects::Effects;
use crate::limits::READ_CHUNK;

/// What was repeated of a segment.
pub(crate) struct Replayed {
    /// Its new end.
    pub(crate) end: u64,
    pub(crate) entries: u64,
    /// The segments that died with it.
    pub(crate) dead: Vec<i64>,
}

/// Repeats the entries of an open segment behind `end` and commits them.
pub(crate) fn replay_segment(
    db: &Connection,
    segment: i64,
    (file, marks): (&dyn DiskFile, Marks),
    end: u64,
    now: Timestamp,
) -> Result<Replayed, ReplayFailed> {
    let mut scan = Scan::new(file, marks, end)?;
    let mut entries = 0u64;
    let mut effects = Effects::default();
    while let Some(entry) = scan.next()? {
        if entries == 0 {
            db.execute_batch("BEGIN IMMEDIATE")?;
        }
        pieces::replay(db, &entry, &mut effects)?;
        entries += 1;
    }
    if entries == 0 {
        let dead = Vec::new();
        return Ok(Replayed { end, entries, dead });
    }
    bring_down(file, end, scan.end())?;
    let dead = write_effects(db, &effects, Some((segment, scan.end())), now)?;
    db.execute_batch("COMMIT")?;
    info!(
        segment,
        entries,
        octets = scan.end() - end,
        "repeated what the journal had promised"
    );
    let end = scan.end();
    Ok(Replayed { end, entries, dead })
}

/// Whether all of it is on the disk is not known, and the commit must not name what is not. A sync
/// alone does not tell: when one has failed, in the start before this one, the next says "fine" and
/// writes nothing. So it is written once more.
fn bring_down(file: &dyn DiskFile, mut at: u64, end: u64) -> std::io::Result<()> {
    let mut chunk = buffer(end.saturating_sub(at));
    while at < end {
        let left = usize::try_from(end - at).unwrap_or(READ_CHUNK);
        let take = left.min(chunk.len());
        let piece = &mut chunk[..take];
        file.read_exact_at(piece, at)?;
        file.write_all_at(piece, at)?;
        at += piece.len() as u64;
    }
    file.sync_data()
}

/// Why the journal could not be repeated: nothing of it is lost, it lies in the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayFailed {
    #[error(transparent)]
    Log(#[from] std::io::Error),
    #[error(transparent)]
    Entry(#[from] ReplayError),
}

impl From<rusqlite::Error> for ReplayFailed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Entry(error.into())
    }
}
