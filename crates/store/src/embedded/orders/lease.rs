//! Leases of shards.

use std::time::Duration;

use rusqlite::params;

use crate::StoreError;
use crate::embedded::order::Order;
use crate::embedded::turn::Turn;
use crate::item::Lease;

/// Takes every shard whose lease has ended or is ours already, all with one new epoch.
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
