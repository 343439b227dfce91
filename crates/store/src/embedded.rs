//! The store of one machine: SQLite and a body log in one data folder.
//!
//! ```text
//! DATA/                   locked by the one program that works on it
//! DATA/lock               the number of its process, for people
//! DATA/postrider.db       queue, mailboxes, directory, history (with -wal and -shm beside it)
//! DATA/postrider.db.schema-2.backup  what an upgrade has kept of the schema before
//! DATA/bodies/000001.seg  the body log
//! DATA/bodies/draft-ID    a large body on its way in
//! DATA/bodies/spare-ID    the file of a dead segment, kept for a new one
//! ```

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use mailtypes::ItemId;
use rusqlite::Connection;

use crate::body_log::BodyReader;
use crate::disk::{Disk, RealDisk};
use crate::draft::Drafts;
use crate::limits::SEGMENT_LEN_MAX;
use crate::metrics::{Metrics, Stopwatch};
use crate::pool::Pool;

mod books;
mod by_callers;
mod cache;
mod checkpoint;
mod compact;
mod contract;
mod database;
mod effects;
mod evacuate;
mod folder;
mod fresh;
mod gather;
mod handle;
mod housekeeping;
mod ids;
mod journal;
mod keeper;
mod kept;
mod lock;
mod order;
mod orders;
mod queries;
mod reading;
mod recover;
mod room;
mod rows;
mod source;
mod start;
mod thread;
mod turn;
mod turns;
mod upgrade;
mod without_rows;
mod writer;
mod young;

#[cfg(test)]
mod tests;

pub(crate) use journal::pieces;
pub use kept::Kept;
pub use lock::LockHolder;
pub(crate) use source::Source;
pub use turns::Clock;
pub use upgrade::{BackupError, Upgraded};

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// Tells the time.
    pub clock: Clock,
    /// Where ids come from; `None` takes the system's randomness.
    pub seed: Option<u64>,
    /// The disk under the body log; `None` takes `DATA/bodies`.
    pub disk: Option<Arc<dyn Disk>>,
    /// Who does its work.
    pub work: Work,
    /// What times waits for the disk; `None` takes the clock.
    pub stopwatch: Option<Stopwatch>,
    /// What becomes of a folder of an older schema.
    pub old_schema: OldSchema,
    /// A segment of the body log takes no new body beyond this size, in octets.
    pub segment_len: u64,
}

/// Who does the work of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Threads of its own, one of which keeps house.
    Threads,
    /// Threads of its own; nobody keeps house.
    ThreadsOnDemand,
    /// The callers, one thing after the other, so that a simulation can be replayed; nobody keeps house.
    Callers,
}

/// What becomes of a folder of an older schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldSchema {
    /// It is upgraded.
    Upgrade,
    /// It is refused.
    Refuse,
}

impl Options {
    /// The usual ones.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            seed: None,
            disk: None,
            work: Work::Threads,
            stopwatch: None,
            old_schema: OldSchema::Upgrade,
            segment_len: SEGMENT_LEN_MAX,
        }
    }
}

/// The store of one machine. Clones share it.
#[derive(Clone)]
pub struct Embedded {
    inner: Arc<Inner>,
    /// Whether questions about the queue wait until what was promised before is committed.
    settles: bool,
}

struct Inner {
    clock: Clock,
    writer: handle::WriterHandle,
    readers: Pool<Connection>,
    bodies: BodyReader,
    drafts: Drafts,
    ids: ids::Ids,
    room: room::Room,
    cache: Arc<cache::DirectoryCache>,
    fresh: Arc<fresh::Fresh>,
    /// Whether something is promised that readers do not see yet.
    ahead: Arc<AtomicBool>,
    /// Entries of the journal that the start has repeated.
    repeated: u64,
    metrics: Metrics,
    /// What the start has upgraded.
    upgraded: Option<Upgraded>,
    _housekeeping: Option<housekeeping::Housekeeping>,
    _lock: lock::Lock,
}

/// Why a data folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or a file in it cannot be written.
    #[error("cannot write {path}: {error}", path = path.display())]
    NotWritable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is a folder of something else.
    #[error("{folder} holds no data of Postrider, but {found:?}", folder = folder.display())]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// A file in it that is none of ours.
        found: String,
    },
    /// Another program has it open.
    #[error("another Postrider works on this data folder{}", holder(.0))]
    InUse(LockHolder),
    /// A newer version has written it.
    #[error(
        "the data folder has schema {found}, this program knows schemas up to {known}: \
         a newer Postrider has written it"
    )]
    Newer {
        /// The schema of the folder.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// An older version has written it, and whoever opens it does not want it upgraded.
    #[error("the data folder has schema {found}, this program works with schema {known}")]
    Older {
        /// The schema of the folder.
        found: u32,
        /// That of this program.
        known: u32,
    },
    /// An upgrade wants more room on the disk than there is. Nothing was changed; or, where a copy of
    /// another day let it pass the first look, nothing but what a start of the old program does too.
    #[error(
        "the upgrade of the data folder from schema {found} copies the database first: it needs \
         {needed} octets on the disk, and {free} are free"
    )]
    NoRoom {
        /// The schema of the folder.
        found: u32,
        /// Octets for the copy and for the upgrade itself.
        needed: u64,
        /// Octets that there are.
        free: u64,
    },
    /// The copy that an upgrade makes first was not made. Nothing was changed but what a start of the
    /// old program does too.
    #[error("the copy {path} before the upgrade could not be made: {error}", path = path.display())]
    NoBackup {
        /// The copy.
        path: PathBuf,
        /// Why.
        error: BackupError,
    },
    /// There are bodies without the database that says whose they are.
    #[error("{path} is missing or empty, and there are bodies in the log: a start would drop them",
        path = path.display())]
    NoDatabase {
        /// The database that should be there.
        path: PathBuf,
    },
    /// The database does not open.
    #[error("the database cannot be opened: {0}")]
    Database(#[from] rusqlite::Error),
    /// The body log or a thread does not start.
    #[error("the body log cannot be opened: {0}")]
    Log(#[from] std::io::Error),
    /// What the journal promises cannot be repeated. It lies in the log as before.
    #[error("what was accepted before the server stopped cannot be taken over: {0}")]
    Journal(String),
}

/// The folder `bodies` may be a link to another disk.
struct Disks {
    bodies: Arc<dyn Disk>,
    /// That of the database.
    below: Arc<dyn Disk>,
}

impl Disks {
    /// One that the options name is both.
    fn of(folder: &Path, options: &Options) -> Result<Self, OpenError> {
        if let Some(disk) = &options.disk {
            return Ok(Self {
                bodies: Arc::clone(disk),
                below: Arc::clone(disk),
            });
        }
        Ok(Self {
            bodies: Arc::new(RealDisk::open(&folder.join("bodies"))?),
            below: Arc::new(RealDisk::open(folder)?),
        })
    }
}

fn holder(holder: &LockHolder) -> String {
    holder
        .pid
        .map_or_else(String::new, |pid| format!(" (process {pid})"))
}

impl Embedded {
    /// Opens the data folder, makes it when missing, mends what a crash has left, and starts the
    /// threads of the store.
    pub fn open(folder: &Path, options: Options) -> Result<Self, OpenError> {
        folder::make(folder)?;
        folder::check_ours(folder)?;
        let lock = lock::Lock::take(folder)?;
        let path = folder.join(DATABASE);
        // Up to here and in here no file is changed: it may be for a newer program.
        let standing = upgrade::Standing::of(&path)?;
        standing.check_schema(options.old_schema)?;
        lock.sign(folder)?;
        let Disks {
            bodies: disk,
            below,
        } = Disks::of(folder, &options)?;
        standing.check_room(folder, &*below)?;
        folder::make_private(folder, &path)?;
        let now = (options.clock)();
        let mut db = database::connect_known(&path)?;
        let upgrade::Ready {
            log,
            numbers,
            repeated,
            upgraded,
        } = upgrade::ready(&mut db, folder, &disk, &*below, &options)?;
        database::shorten_waits(&db, now)?;
        let last: i64 = db.query_row("SELECT coalesce(max(id), 0) FROM item", [], |row| {
            row.get(0)
        })?;
        let accepting = Arc::new(AtomicBool::new(true));
        let open = room::Open::default();
        open.set(queries::audit::open(&db)?);
        let ahead = journal::ahead::Ahead::default();
        let shown = ahead.shown();
        let bodies = BodyReader::new(Arc::clone(&disk));
        let epochs = database::load_epochs(&db)?;
        let cache = Arc::<cache::DirectoryCache>::default();
        let fresh = Arc::<fresh::Fresh>::default();
        let timing = start::timing(&options);
        let metrics = timing.metrics.clone();
        let writer = writer::Writer {
            timing,
            cache: Arc::clone(&cache),
            fresh: Arc::clone(&fresh),
            path: path.clone(),
            db: Some(db),
            log,
            bodies: bodies.clone(),
            epochs,
            suspect: std::collections::VecDeque::new(),
            doubtful: Vec::new(),
            accepting: Arc::clone(&accepting),
            open: open.clone(),
            ahead,
            blank: journal::redo::Redo::default(),
            young: young::Young::default(),
        };
        let writer = start::writer(&options, &path, Arc::clone(&below), writer)?;
        let inner = Inner {
            drafts: start::drafts(&options, &disk, &numbers)?,
            ids: ids::Ids::new(start::rng(options.seed), ItemId::from_i64(last)),
            room: room::Room::new([Arc::clone(&disk), below], accepting, open),
            cache,
            fresh,
            ahead: shown,
            repeated,
            metrics,
            upgraded,
            _housekeeping: start::housekeeping(&options, &path, &writer, &disk, &numbers, &bodies)?,
            _lock: lock,
            readers: start::readers(&options, &path)?,
            clock: options.clock,
            writer,
            bodies,
        };
        Ok(Self {
            inner: Arc::new(inner),
            settles: true,
        })
    }

    /// Carries out what the writer has been asked for, then stops it. Whoever asks later is told
    /// that the store is closed.
    pub fn close(&self) {
        self.inner.writer.close();
    }

    /// Stops the writer as the death of the process does: what waits is not done, and what was
    /// promised since the last commit lies in the journal only, for the next start to repeat. For
    /// tests and simulations.
    pub fn crash(&self) {
        self.inner.writer.crash();
    }

    /// Whether something is promised that no commit has yet.
    #[must_use]
    pub fn is_ahead(&self) -> bool {
        self.inner.ahead.load(Ordering::Acquire)
    }

    /// Where it counts what it waits for.
    pub fn metrics(&self) -> Metrics {
        self.inner.metrics.clone()
    }

    /// What this start has upgraded, if anything.
    #[must_use]
    pub fn upgraded(&self) -> Option<&Upgraded> {
        self.inner.upgraded.as_ref()
    }

    /// How many entries of the journal this start has repeated.
    #[must_use]
    pub fn repeated(&self) -> u64 {
        self.inner.repeated
    }
}

/// The file that makes a folder a data folder.
pub const DATABASE: &str = "postrider.db";

/// Locks that nothing can poison for good: the values behind them are always whole.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
