//! Whether there is room for new mail.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use mailtypes::Timestamp;

use super::effects::Tally;
use super::locked;
use crate::disk::Disk;
use crate::limits::{END_LEN, SPACE_AGE_MAX};
use crate::{AcceptError, StoreError};

/// Looks at the disks now and then, and at the health of the writer and what waits each time.
pub(crate) struct Room {
    disks: Vec<Arc<dyn Disk>>,
    accepting: Arc<AtomicBool>,
    open: Open,
    /// When we looked, and what new mail might use then.
    seen: Mutex<Option<(Timestamp, u64)>>,
}

/// Recipients without an end: what their ends will write has to find room.
#[derive(Clone, Default)]
pub(crate) struct Open(Arc<AtomicI64>);

impl Open {
    /// As the database has them.
    pub(crate) fn set(&self, open: u64) {
        let open = i64::try_from(open).unwrap_or(i64::MAX);
        self.0.store(open, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, tally: &Tally) {
        self.0.fetch_add(tally.opened(), Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed).try_into().unwrap_or(0)
    }
}

impl Room {
    /// On the disks of the bodies and of the database, which may be one.
    pub(crate) fn new(disks: [Arc<dyn Disk>; 2], accepting: Arc<AtomicBool>, open: Open) -> Self {
        let [bodies, below] = disks;
        let mut disks = vec![bodies];
        if !Arc::ptr_eq(&disks[0], &below) {
            disks.push(below);
        }
        Self {
            disks,
            accepting,
            open,
            seen: Mutex::default(),
        }
    }

    /// Room for new mail of `size` octets.
    pub(crate) fn for_new(&self, size: u64, now: Timestamp) -> Result<(), AcceptError> {
        if !self.accepting.load(Ordering::Acquire) {
            return Err(StoreError::Disk("recovering from a disk error".to_owned()).into());
        }
        let needed = size.saturating_add(self.open.count().saturating_mul(END_LEN));
        if self.available(now)? > needed {
            Ok(())
        } else {
            Err(AcceptError::NoRoom)
        }
    }

    fn available(&self, now: Timestamp) -> Result<u64, AcceptError> {
        let mut seen = locked(&self.seen);
        if let Some((at, available)) = *seen
            && at <= now
            && now.since(at) < SPACE_AGE_MAX
        {
            return Ok(available);
        }
        let mut available = u64::MAX;
        for disk in &self.disks {
            let space = disk.space().map_err(|e| StoreError::from_io(&e))?;
            available = available.min(space.for_new_mail());
        }
        *seen = Some((now, available));
        Ok(available)
    }
}
