//! Whether there is room for new mail.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use mailtypes::Timestamp;

use super::locked;
use crate::disk::Disk;
use crate::limits::SPACE_AGE_MAX;
use crate::{AcceptError, StoreError};

/// Looks at the disk now and then, and at the health of the writer each time.
pub(crate) struct Room {
    disk: Arc<dyn Disk>,
    accepting: Arc<AtomicBool>,
    /// When we looked, and what new mail might use then.
    seen: Mutex<Option<(Timestamp, u64)>>,
}

impl Room {
    pub(crate) fn new(disk: Arc<dyn Disk>, accepting: Arc<AtomicBool>) -> Self {
        Self {
            disk,
            accepting,
            seen: Mutex::default(),
        }
    }

    /// Room for new mail of `size` octets.
    pub(crate) fn for_new(&self, size: u64, now: Timestamp) -> Result<(), AcceptError> {
        if !self.accepting.load(Ordering::Acquire) {
            return Err(StoreError::Disk("recovering from a disk error".to_owned()).into());
        }
        if self.available(now)? > size {
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
        let space = self.disk.space().map_err(|e| StoreError::from_io(&e))?;
        let available = space.for_new_mail();
        *seen = Some((now, available));
        Ok(available)
    }
}
