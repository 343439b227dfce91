//! What nobody waits for: compaction, old stories, mail of removed accounts.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use mailtypes::Timestamp;
use tracing::warn;

use super::compact;
use super::keeper::{Housekeeper, wait};
use super::orders::{DropDead, ForgetStories, PurgeAccounts};
use crate::StoreError;
use crate::body_log::drop_spares;
use crate::limits::{HISTORY_AGE, HISTORY_ITEMS_MAX, HOUSEKEEPING_EVERY, SPARES_ROOM_MIN};

/// The thread ends when the value goes.
pub(crate) struct Housekeeping {
    _stop: mpsc::Sender<()>,
}

impl Housekeeping {
    pub(crate) fn start(keeper: Housekeeper) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        thread::Builder::new()
            .name("store-housekeeping".to_owned())
            .spawn(move || {
                let mut rounds = 0u32;
                while stopped.recv_timeout(HOUSEKEEPING_EVERY) == Err(RecvTimeoutError::Timeout) {
                    let done = keeper.round(rounds.is_multiple_of(COUNT_EVERY_ROUNDS));
                    rounds = rounds.wrapping_add(1);
                    if done == Err(StoreError::Closed) {
                        break;
                    }
                }
            })?;
        Ok(Self { _stop: stop })
    }
}

impl Housekeeper {
    /// One round of everything. `count` also looks at how many stories there are. A step that
    /// fails keeps none of the others from being done; the first error is the answer.
    pub(crate) fn round(&self, count: bool) -> Result<(), StoreError> {
        let mut answer = Ok(());
        for (step, done) in [
            ("old stories", self.forget_stories(count)),
            ("mail of removed accounts", self.purge_accounts()),
            ("dead segments", self.drop_dead()),
            ("spare files", self.drop_spares()),
            ("compaction", compact::compact_one(self)),
        ] {
            if let Err(error) = &done {
                if *error != StoreError::Closed {
                    warn!(step, %error, "housekeeping has to try again later");
                }
                answer = answer.and(done);
            }
        }
        answer
    }

    fn forget_stories(&self, count: bool) -> Result<(), StoreError> {
        let mut before = (self.clock)() - HISTORY_AGE;
        if count && let Some(older) = self.too_many()? {
            before = before.max(older);
        }
        while wait(self.writer.carry_out(ForgetStories { before }))? {
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn purge_accounts(&self) -> Result<(), StoreError> {
        if self.removed_accounts()? {
            while wait(self.writer.carry_out(PurgeAccounts))? {
                thread::sleep(PAUSE);
            }
        }
        Ok(())
    }

    fn drop_dead(&self) -> Result<(), StoreError> {
        let segments = self.dead_segments()?;
        if !segments.is_empty() {
            wait(self.writer.carry_out(DropDead { segments }))?;
        }
        Ok(())
    }

    fn drop_spares(&self) -> Result<(), StoreError> {
        let space = self.disk.space();
        let done = space.and_then(|space| match space.for_new_mail() {
            room if room < SPARES_ROOM_MIN => drop_spares(&*self.disk),
            _ => Ok(()),
        });
        done.map_err(|e| StoreError::from_io(&e))
    }

    /// The end before which stories must go for the rest to stay within the limit.
    fn too_many(&self) -> rusqlite::Result<Option<Timestamp>> {
        let items: i64 = self.db.query_row(
            "SELECT count(*) FROM item WHERE ended IS NOT NULL",
            [],
            |row| row.get(0),
        )?;
        let surplus = items - i64::try_from(HISTORY_ITEMS_MAX).unwrap_or(i64::MAX);
        if surplus <= 0 {
            return Ok(None);
        }
        self.db.query_row(
            "SELECT ended FROM item WHERE ended IS NOT NULL ORDER BY ended LIMIT 1 OFFSET ?",
            [surplus],
            |row| Ok(Some(Timestamp::from_millis(row.get(0)?))),
        )
    }

    fn removed_accounts(&self) -> rusqlite::Result<bool> {
        self.db
            .prepare_cached("SELECT 1 FROM account WHERE address IS NULL")?
            .exists([])
    }

    fn dead_segments(&self) -> rusqlite::Result<Vec<i64>> {
        self.db
            .prepare_cached("SELECT id FROM segment WHERE closed = 1 AND live <= 0 LIMIT 100")?
            .query_map([], |row| row.get(0))?
            .collect()
    }
}

/// Between groups, so that mail gets in between.
const PAUSE: Duration = Duration::from_millis(5);
/// Counting all stories reads much; once in so many rounds is enough.
const COUNT_EVERY_ROUNDS: u32 = 360;
