//! Moves what the WAL holds into the database file, out of the writer's way.

use std::fs::File;
use std::os::unix::fs::FileExt;
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
        if self.turns.is_multiple_of(LOOK_EVERY_TURNS) && reaches(&self.wal, WAL_CHECKPOINT) {
            // Full means that it has been told already.
            let _ = self.wake.try_send(());
        }
    }
}

fn run(db: &Connection, wal: &Path) {
    // A passive checkpoint waits for nobody. Only a WAL that has outgrown its limit is worth
    // making the writer wait, so that it starts again at the front of the file.
    let kind = if reaches(wal, WAL_LEN_MAX) {
        "RESTART"
    } else {
        "PASSIVE"
    };
    let done = db.query_row(&format!("PRAGMA wal_checkpoint({kind})"), [], |_| Ok(()));
    if let Err(e) = done {
        warn!(error = %e, "a checkpoint of the database failed");
    }
}

/// Whether the WAL has grown to `len` octets since it last began at its front.
///
/// The length of the file does not tell: SQLite begins again at the front without cutting it. What
/// is left from before has other salts than the header of the file.
// https://www.sqlite.org/fileformat2.html §4.1
fn reaches(wal: &Path, len: u64) -> bool {
    let look = || -> std::io::Result<bool> {
        let file = File::open(wal)?;
        let mut header = [0; HEADER_LEN];
        file.read_exact_at(&mut header, 0)?;
        let [.., a, b, c, d] = header[..12] else {
            return Ok(false);
        };
        let frame_len = FRAME_HEADER_LEN as u64 + u64::from(u32::from_be_bytes([a, b, c, d]));
        let frames = len.saturating_sub(HEADER_LEN as u64) / frame_len;
        let mut frame = [0; FRAME_HEADER_LEN];
        file.read_exact_at(&mut frame, HEADER_LEN as u64 + frames * frame_len)?;
        Ok(frame[8..16] == header[16..24])
    };
    // A file that ends before, or is not there, has not grown so far.
    look().unwrap_or(false)
}

/// Octets of the header of a WAL: the page size stands at 8, the salts at 16.
const HEADER_LEN: usize = 32;
/// Octets in front of each page in a WAL: the salts stand at 8.
const FRAME_HEADER_LEN: usize = 24;
const LOOK_EVERY_TURNS: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wal_that_began_again_is_short() {
        const LEN: u64 = 64 * 1024;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let wal = folder.path().join("test.db-wal");
        assert!(!reaches(&wal, LEN));
        let db = crate::embedded::database::open(&path).unwrap();
        run(&db, &wal);
        db.execute_batch("CREATE TABLE filler (octets BLOB)")
            .unwrap();
        assert!(!reaches(&wal, LEN));
        let fill = |octets: u32| {
            db.execute("INSERT INTO filler VALUES (zeroblob(?))", [octets])
                .unwrap();
        };
        fill(1 << 17);
        assert!(reaches(&wal, LEN));
        run(&db, &wal);
        fill(1);
        assert!(std::fs::metadata(&wal).unwrap().len() > LEN);
        assert!(!reaches(&wal, LEN));
        fill(1 << 17);
        assert!(reaches(&wal, LEN));
    }
}
