//! Moves what the WAL holds into the database file, out of the writer's way.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;

use rusqlite::Connection;
use tracing::warn;

use crate::disk::{Disk, Space};
use crate::limits::{WAL_CHECKPOINT, WAL_LEN_MAX};

/// Watches the length of the WAL from behind the writer's turns.
///
/// What is in it is brought down by a thread. It begins anew at its front only when all of it has been
/// and nobody writes, and under load somebody always does. Where the disk has room it may grow for so long;
/// where it has not, the writer stops for that.
pub(crate) struct Checkpoints {
    wal: PathBuf,
    /// Of the database.
    disk: Arc<dyn Disk>,
    wake: mpsc::SyncSender<()>,
    /// How often not to look whether it is too long.
    pause: u32,
}

impl Checkpoints {
    /// Starts the thread; it ends with the value. The database lies on `disk`.
    pub(crate) fn start(path: &Path, db: Connection, disk: Arc<dyn Disk>) -> std::io::Result<Self> {
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
            disk,
            wake,
            pause: 0,
        })
    }

    /// Looks behind a commit whether the WAL has become long; answers whether it is to be cut.
    pub(crate) fn after_turn(&mut self) -> bool {
        self.pause = self.pause.saturating_sub(1);
        if !reaches(&self.wal, WAL_CHECKPOINT) {
            return false;
        }
        let len_max = self.disk.space().map_or(WAL_LEN_MAX, Space::for_wal);
        let is_scarce = len_max < WAL_LEN_MAX;
        if is_scarce && self.pause == 0 && reaches(&self.wal, len_max) {
            self.pause = PAUSE;
            return true;
        }
        // Full means that it has been told already.
        let _ = self.wake.try_send(());
        false
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
/// Commits until it is tried again to cut a WAL: somebody may be reading for long.
const PAUSE: u32 = 8;

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

    #[test]
    fn a_wal_that_is_too_long_for_the_disk_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let wal = folder.path().join("test.db-wal");
        let db = crate::embedded::database::open(&path).unwrap();
        let disk = crate::disk::double::MemoryDisk::default();
        let again = crate::embedded::database::open_again(&path).unwrap();
        let mut checkpoints = Checkpoints::start(&path, again, Arc::new(disk.clone())).unwrap();
        db.execute_batch("CREATE TABLE filler (octets BLOB)")
            .unwrap();
        let fill = |octets: u64| {
            let octets = u32::try_from(octets).unwrap();
            db.execute("INSERT INTO filler VALUES (zeroblob(?))", [octets])
                .unwrap();
        };
        let cut = || crate::embedded::database::cut_wal(&db).unwrap();
        assert!(!checkpoints.after_turn());
        fill(WAL_CHECKPOINT + 1);
        assert!(!checkpoints.after_turn(), "there is room");
        disk.set_free(4 * WAL_CHECKPOINT);
        assert!(checkpoints.after_turn());
        // The thread may be at it.
        while !cut() {}
        assert_eq!(std::fs::metadata(&wal).unwrap().len(), 0);
        fill(WAL_CHECKPOINT + 1);
        let looks = (0..PAUSE).map(|_| checkpoints.after_turn());
        let looks: Vec<_> = looks.collect();
        assert!(looks[..looks.len() - 1].iter().all(|look| !look) && looks[looks.len() - 1]);
    }
}
