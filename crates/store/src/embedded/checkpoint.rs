//! Moves what the WAL holds into the database file, out of the writer's way.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use rusqlite::Connection;
use tracing::warn;

use crate::limits::{WAL_CHECKPOINT, WAL_LEN_MAX};

/// Watches the length of the WAL from behind the writer's turns.
pub(crate) struct Checkpoints {
    wal: PathBuf,
    wake: mpsc::SyncSender<()>,
    turns: u32,
}

impl Checkpoints {
    /// Starts the thread; it ends with the value.
    pub(crate) fn start(path: &Path, db: Connection) -> std::io::Result<Self> {
        let (wake, woken) = mpsc::sync_channel(1);
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        let wal = PathBuf::from(wal);
        let watched = wal.clone();
        thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || {
                while woken.recv().is_ok() {
                    run(&db, &watched);
                }
                // The last one leaves the data folder tidy: everything in the database file.
                run(&db, &watched);
            })?;
        Ok(Self {
            wal,
            wake,
            turns: 0,
        })
    }

    /// Looks now and then whether the WAL has become long.
    pub(crate) fn after_turn(&mut self) {
        self.turns = self.turns.wrapping_add(1);
        if self.turns.is_multiple_of(LOOK_EVERY_TURNS) && length(&self.wal) > WAL_CHECKPOINT {
            // Full means that it has been told already.
            let _ = self.wake.try_send(());
        }
    }
}

fn run(db: &Connection, wal: &Path) {
    // A passive checkpoint waits for nobody. Only a WAL that has outgrown its limit is worth
    // making the writer wait, so that it starts again at the front of the file.
    let kind = if length(wal) > WAL_LEN_MAX {
        "RESTART"
    } else {
        "PASSIVE"
    };
    let done = db.query_row(&format!("PRAGMA wal_checkpoint({kind})"), [], |_| Ok(()));
    if let Err(e) = done {
        warn!(error = %e, "a checkpoint of the database failed");
    }
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |meta| meta.len())
}

const LOOK_EVERY_TURNS: u32 = 32;
