//! The parts of a store are started: with threads of their own, or without.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use mailtypes::Timestamp;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rusqlite::Connection;

use super::handle::WriterHandle;
use super::turns::Turns;
use super::{OpenError, Options, Work, checkpoint, database, housekeeping, keeper, writer};
use crate::body_log::{BodyReader, Numbers};
use crate::disk::Disk;
use crate::draft::Drafts;
use crate::limits::{COMPACT_AFTER, READERS};
use crate::metrics::{Metrics, Timing};
use crate::pool::Pool;

pub(super) fn rng(seed: Option<u64>) -> SmallRng {
    seed.map_or_else(rand::make_rng, SmallRng::seed_from_u64)
}

pub(super) fn timing(options: &Options) -> Timing {
    let stopwatch = options.stopwatch.clone().unwrap_or_else(|| {
        let clock = Arc::clone(&options.clock);
        Arc::new(move || clock().since(Timestamp::EPOCH))
    });
    Timing {
        metrics: Metrics::default(),
        stopwatch,
    }
}

pub(super) fn writer(
    options: &Options,
    path: &Path,
    disk: Arc<dyn Disk>,
    writer: writer::Writer,
) -> Result<WriterHandle, OpenError> {
    let mut turns = Turns {
        writer,
        clock: Arc::clone(&options.clock),
        after: Box::new(|| false),
    };
    if options.work == Work::Callers {
        return Ok(WriterHandle::by_callers(turns));
    }
    let db = database::open_again(path)?;
    let mut checkpoints = checkpoint::Checkpoints::start(path, db, disk)?;
    turns.after = Box::new(move || checkpoints.after_turn());
    Ok(WriterHandle::with_thread(turns)?)
}

pub(super) fn readers(options: &Options, path: &Path) -> Result<Pool<Connection>, OpenError> {
    if options.work == Work::Callers {
        return Ok(Pool::without_threads(database::open_reader(path)?));
    }
    let readers = (0..READERS).map(|_| database::open_reader(path));
    Ok(Pool::start(
        "store-reader",
        readers.collect::<Result<_, _>>()?,
    )?)
}

pub(super) fn drafts(
    options: &Options,
    disk: &Arc<dyn Disk>,
    numbers: &Numbers,
) -> Result<Drafts, OpenError> {
    let pool = if options.work == Work::Callers {
        Pool::without_threads(())
    } else {
        Pool::start("store-draft", vec![(); DRAFT_THREADS])?
    };
    Ok(Drafts::new(Arc::clone(disk), numbers.clone(), pool))
}

pub(super) fn housekeeping(
    options: &Options,
    path: &Path,
    writer: &WriterHandle,
    disk: &Arc<dyn Disk>,
    numbers: &Numbers,
    bodies: &BodyReader,
) -> Result<Option<housekeeping::Housekeeping>, OpenError> {
    if options.work != Work::Threads {
        return Ok(None);
    }
    let keeper = keeper::Housekeeper {
        db: database::open_reader(path)?,
        writer: writer.clone(),
        disk: Arc::clone(disk),
        numbers: numbers.clone(),
        bodies: bodies.clone(),
        clock: Arc::clone(&options.clock),
        given_up: RefCell::default(),
        mostly_dead: RefCell::default(),
        compact_after: COMPACT_AFTER,
    };
    Ok(Some(housekeeping::Housekeeping::start(keeper)?))
}

/// Threads that write large drafts.
const DRAFT_THREADS: usize = 2;
