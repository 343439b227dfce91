//! Leases of shards.

use std::time::Duration;

use rusqlite::params;

use crate::StoreError;
use crate::embedded::order::Order;
use crate::embedded::turn::Turn;
use crate::item::Lease;

/// Takes every shard whose lease has ended or bears our name, all with one new epoch: the name may
/// be that of a process that has died, whose results must not count any more.
pub(crate) struct TakeLease {
    pub(crate) owner: String,
    pub(crate) lasts: Duration,
}

impl Order for TakeLease {
    type Answer = Lease;
    type Error = StoreError;

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<Lease, StoreError> {
        let newest: i64 =
            turn.db
                .query_row("SELECT coalesce(max(epoch), 0) FROM lease", [], |row| {
                    row.get(0)
                })?;
        let lease = Lease {
            owner: self.owner.clone(),
            epoch: newest + 1,
            expires: turn.now + self.lasts,
        };
        let mut take = turn.db.prepare_cached(
            "INSERT INTO lease (shard, owner, epoch, expires) VALUES (?, ?, ?, ?)
             ON CONFLICT (shard) DO UPDATE
               SET owner = excluded.owner, epoch = excluded.epoch, expires = excluded.expires
               WHERE owner = excluded.owner OR expires <= ?",
        )?;
        for shard in 0..=u8::MAX {
            let taken = take.execute(params![
                shard,
                lease.owner,
                lease.epoch,
                lease.expires.as_millis(),
                turn.now.as_millis(),
            ])?;
            if taken > 0 {
                turn.effects.epochs.push((shard, lease.epoch));
            }
        }
        Ok(lease)
    }
}

/// Prolongs a lease that has not run out. The epoch stays, so that what came of attempts under way
/// still counts.
pub(crate) struct RenewLease {
    pub(crate) held: Lease,
    pub(crate) lasts: Duration,
}

impl Order for RenewLease {
    type Answer = Lease;
    type Error = StoreError;

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<Lease, StoreError> {
        let now = turn.now.as_millis();
        let holds = turn
            .db
            .prepare_cached("SELECT 1 FROM lease WHERE owner = ? AND epoch = ? AND expires > ?")?
            .exists(params![self.held.owner, self.held.epoch, now])?;
        if !holds {
            return Err(StoreError::LeaseLost);
        }
        let lease = Lease {
            expires: turn.now + self.lasts,
            ..self.held.clone()
        };
        // Shards that others have let go come along, unless their epoch is newer than ours: the
        // epoch of a shard never goes back, else one would be given out twice.
        let mut renew = turn.db.prepare_cached(
            "UPDATE lease SET owner = ?1, epoch = ?2, expires = ?3
             WHERE (owner = ?1 AND epoch = ?2) OR (epoch < ?2 AND expires <= ?4)
             RETURNING shard",
        )?;
        let mut taken = renew.query(params![
            lease.owner,
            lease.epoch,
            lease.expires.as_millis(),
            now
        ])?;
        while let Some(row) = taken.next()? {
            turn.effects.epochs.push((row.get(0)?, lease.epoch));
        }
        Ok(lease)
    }
}
