//! Rewrites a mostly dead segment: copy, sync, COMMIT the new places, then the old file goes.
//!
//! Readers that hold the old file keep it; readers that come late find the new place.

use std::io;
use std::time::Duration;

use tracing::{info, warn};

use super::keeper::{Housekeeper, wait};
use super::orders::{Move, Relocate};
use super::rows;
use crate::StoreError;
use crate::body_log::{
    Known, OpenSegment, Place, RECORD_HEADER_LEN, buffer, create_segment, record_header,
    segment_name,
};
use crate::limits::{COMPACT_BELOW_PERCENT, READ_CHUNK, SEGMENT_LEN_MAX};

/// Rewrites the deadest segment, if one is dead enough.
pub(crate) fn compact_one(keeper: &Housekeeper) -> Result<(), StoreError> {
    let space = keeper.disk.space().map_err(|e| StoreError::from_io(&e))?;
    let room = space.for_new_mail();
    let after = if room < SCARCE {
        Duration::ZERO
    } else {
        keeper.compact_after
    };
    let Some(segment) = candidate(keeper, after)? else {
        return Ok(());
    };
    // The copy must not eat the reserve.
    if room < 2 * SEGMENT_LEN_MAX {
        return Ok(());
    }
    let bodies = live_bodies(keeper, segment)?;
    if bodies.is_empty() {
        return Ok(()); // the last one went meanwhile, and the segment with it
    }
    let mut copy = match create_segment(&*keeper.disk, &keeper.numbers) {
        Ok(copy) => copy,
        Err(e) => {
            warn!(segment, error = ?e, "a segment cannot be compacted now");
            return Ok(());
        }
    };
    match copy_bodies(keeper, &bodies, &mut copy) {
        Ok(moves) => {
            info!(
                from = segment,
                to = copy.id,
                bodies = moves.len(),
                "compacted a segment"
            );
            relocate(keeper, &moves, &copy)
        }
        Err(stuck) => {
            warn!(segment, error = %stuck, "a segment cannot be compacted; it stays as it is");
            if matches!(stuck, Stuck::Damaged(_)) {
                keeper.given_up.borrow_mut().insert(segment);
            }
            keeper
                .disk
                .remove(&segment_name(copy.id))
                .map_err(|e| StoreError::from_io(&e))
        }
    }
}

/// Commits the new places in groups. A copy that no commit can have named is removed again.
fn relocate(keeper: &Housekeeper, moves: &[Move], copy: &OpenSegment) -> Result<(), StoreError> {
    let segment = (copy.id, copy.end);
    for (n, group) in moves.chunks(MOVES_PER_TURN).enumerate() {
        let order = Relocate {
            moves: group.to_vec(),
            segment,
            first: n == 0,
        };
        match wait(keeper.writer.carry_out(order)) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                // With any other error rows may name it.
                if n == 0 && matches!(error, StoreError::Full | StoreError::Disk(_)) {
                    keeper
                        .disk
                        .remove(&segment_name(copy.id))
                        .map_err(|e| StoreError::from_io(&e))?;
                }
                return Err(error);
            }
        }
    }
    Ok(())
}

/// The deadest segment of those that have been mostly dead for long enough. What passes through leaves a
/// segment within moments: most of them die as a whole before it is worth while to copy the rest.
fn candidate(keeper: &Housekeeper, after: Duration) -> rusqlite::Result<Option<i64>> {
    let mut query = keeper.db.prepare_cached(
        "SELECT id FROM segment WHERE closed = 1 AND live > 0 AND live * 100 < end * ?
         ORDER BY live * 1.0 / end",
    )?;
    let found = query.query_map([COMPACT_BELOW_PERCENT.cast_signed()], |row| row.get(0))?;
    let mut found: Vec<i64> = found.collect::<Result<_, _>>()?;
    found.retain(|segment| !keeper.given_up.borrow().contains(segment));
    let now = (keeper.clock)();
    let mut since = keeper.mostly_dead.borrow_mut();
    let before = std::mem::take(&mut *since);
    since.extend(found.iter().map(|segment| {
        let seen = before.get(segment).copied();
        (*segment, seen.unwrap_or(now))
    }));
    let long_enough = |segment: &i64| now.since(since[segment]) >= after;
    Ok(found.into_iter().find(long_enough))
}

fn live_bodies(keeper: &Housekeeper, segment: i64) -> rusqlite::Result<Vec<(i64, Place)>> {
    keeper
        .db
        .prepare_cached(
            "SELECT id, segment, at, length, crc FROM body WHERE segment = ? ORDER BY at",
        )?
        .query_map([segment], |row| Ok((row.get(0)?, rows::place(row, 1)?)))?
        .collect()
}

/// Copies bodies behind the end of `copy` and forces them down. Damage stops it: a damaged body is
/// left where it is, so that nothing papers over it.
fn copy_bodies(
    keeper: &Housekeeper,
    bodies: &[(i64, Place)],
    copy: &mut OpenSegment,
) -> Result<Vec<Move>, Stuck> {
    let mut moves = Vec::with_capacity(bodies.len());
    for (id, from) in bodies {
        let to = Place {
            segment: copy.id,
            at: copy.end + RECORD_HEADER_LEN as u64,
            length: from.length,
            crc: from.crc,
        };
        copy.file.write_all_at(
            &record_header(copy.marks, *id, from.length, from.crc),
            copy.end,
        )?;
        copy_octets(keeper, *id, *from, to, copy)?;
        copy.end = to.end();
        moves.push(Move {
            body: *id,
            from: *from,
            to,
        });
    }
    copy.file.sync_data()?;
    Ok(moves)
}

fn copy_octets(
    keeper: &Housekeeper,
    id: i64,
    from: Place,
    to: Place,
    copy: &OpenSegment,
) -> Result<(), Stuck> {
    let source = keeper
        .bodies
        .open(&Known(from), id)
        .map_err(Stuck::opening)?
        .ok_or_else(|| Stuck::Damaged(io::ErrorKind::NotFound.into()))?;
    let (mut done, mut crc) = (0, 0);
    let mut chunk = buffer(from.length);
    while done < from.length {
        let left = usize::try_from(from.length - done).unwrap_or(READ_CHUNK);
        let take = left.min(chunk.len());
        source
            .file
            .read_exact_at(&mut chunk[..take], from.at + done)
            .map_err(Stuck::Damaged)?;
        crc = crc32c::crc32c_append(crc, &chunk[..take]);
        copy.file.write_all_at(&chunk[..take], to.at + done)?;
        done += take as u64;
    }
    if crc == from.crc {
        Ok(())
    } else {
        Err(Stuck::Damaged(io::Error::other("a body in it is damaged")))
    }
}

/// Why a segment was not copied.
#[derive(Debug, thiserror::Error)]
enum Stuck {
    /// It cannot be read as it was written: no later try would be better.
    #[error(transparent)]
    Damaged(io::Error),
    /// The disk is full or failing, or no descriptor is left.
    #[error(transparent)]
    Later(#[from] io::Error),
}

impl Stuck {
    fn opening(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Damaged(error),
            _ => Self::Later(error),
        }
    }
}

const MOVES_PER_TURN: usize = 500;
/// With less room than this for new mail nothing waits to be compacted, in octets.
const SCARCE: u64 = 32 * SEGMENT_LEN_MAX;
