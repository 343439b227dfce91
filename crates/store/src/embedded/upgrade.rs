//! A data folder of an older schema is brought up to date in place, with a copy of its database
//! made first.
//!
//! The order of it, and why a death at any point loses nothing:
//!
//! 1. The schema and the room on the disk are looked at. A refusal has changed no file. (One for want
//!    of room may come as late as 4, when a copy of another day is there.)
//! 2. The journal is repeated under the old schema, as the old program's own next start would have
//!    done, for its entries speak the language of that schema.
//! 3. The open segment is closed. What the new program promises goes into segments that the copy
//!    does not know, so that an old program on the copy has no foreign entry to repeat.
//! 4. The database is copied ([`backup`]). From here on the copy holds all that was ever promised:
//!    one made before the second step would lack what only the journal had.
//! 5. All steps of the migration in one transaction. Before its commit the folder is one of the old
//!    schema, with a copy that the next start recognises; after it, one of the new.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use tracing::info;

use super::{OldSchema, OpenError, Options, database, recover};
use crate::body_log::{BodyLog, Numbers};
use crate::disk::Disk;

pub(super) mod backup;
mod same;

pub use backup::BackupError;

/// What a start has upgraded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgraded {
    /// The schema that the folder had.
    pub from: u32,
    /// The schema that it has now.
    pub to: u32,
    /// The copy of the database as it was.
    pub backup: PathBuf,
}

/// A database as it is found, before anything is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    schema: u32,
    octets: u64,
}

impl Standing {
    /// Looks at a database that may not be there yet, or be of any version.
    pub(super) fn of(path: &Path) -> Result<Self, OpenError> {
        if std::fs::metadata(path).map_or(true, |file| file.len() == 0) {
            return Ok(Self {
                schema: 0,
                octets: 0,
            });
        }
        let db = database::open_untouched(path)?;
        Ok(Self {
            schema: database::schema_of(&db)?,
            octets: octets_of(&db)?,
        })
    }

    fn is_old(self) -> bool {
        self.schema != 0 && self.schema < database::schema_version()
    }

    pub(super) fn check_schema(self, old: OldSchema) -> Result<(), OpenError> {
        let (found, known) = (self.schema, database::schema_version());
        if found > known {
            return Err(OpenError::Newer { found, known });
        }
        if self.is_old() && old == OldSchema::Refuse {
            return Err(OpenError::Older { found, known });
        }
        Ok(())
    }

    /// Whether there is room for the copy and for the migration, which may write every page once
    /// more. A copy that is there already may be the one: that is seen later.
    pub(super) fn check_room(self, folder: &Path, below: &dyn Disk) -> Result<(), OpenError> {
        if !self.is_old() {
            return Ok(());
        }
        let copies = if backup::exists(folder, self.schema) {
            1
        } else {
            2
        };
        self.check_room_for(copies, below)
    }

    fn check_room_for(self, copies: u64, below: &dyn Disk) -> Result<(), OpenError> {
        let needed = self.octets.saturating_mul(copies) + MARGIN;
        let free = below.space()?.free;
        if free >= needed {
            return Ok(());
        }
        Err(OpenError::NoRoom {
            found: self.schema,
            needed,
            free,
        })
    }
}

/// What a start goes on with.
pub(super) struct Ready {
    pub(super) log: BodyLog,
    pub(super) numbers: Numbers,
    pub(super) repeated: u64,
    pub(super) upgraded: Option<Upgraded>,
}

/// Repeats what the journal promises and brings the database up to date. `below` is the disk that the
/// database lies on.
pub(super) fn ready(
    db: &mut Connection,
    folder: &Path,
    disk: &Arc<dyn Disk>,
    below: &dyn Disk,
    options: &Options,
) -> Result<Ready, OpenError> {
    backup::remove_unfinished(folder)?;
    let found = database::schema_of(db)?;
    // A first start may have broken off before there was a table.
    if found == 0 {
        if recover::has_segments(&**disk)? {
            let path = folder.join(super::DATABASE);
            return Err(OpenError::NoDatabase { path });
        }
        database::migrate(db)?;
    }
    let mut recovered = recover::recover(db, disk, options)?;
    let mut upgraded = None;
    if found != 0 && found < database::schema_version() {
        recovered.log = close_log(db, disk, &recovered.numbers, options.segment_len)?;
        upgraded = Some(upgrade(db, folder, below, found)?);
    }
    let recover::Recovered {
        log,
        numbers,
        repeated,
    } = recovered;
    Ok(Ready {
        log,
        numbers,
        repeated,
        upgraded,
    })
}

/// The log goes on in a new segment.
fn close_log(
    db: &Connection,
    disk: &Arc<dyn Disk>,
    numbers: &Numbers,
    segment_len: u64,
) -> Result<BodyLog, OpenError> {
    db.execute("UPDATE segment SET closed = 1 WHERE closed = 0", [])?;
    let (disk, numbers) = (Arc::clone(disk), numbers.clone());
    Ok(BodyLog::new(disk, numbers, None, segment_len))
}

fn upgrade(
    db: &mut Connection,
    folder: &Path,
    below: &dyn Disk,
    from: u32,
) -> Result<Upgraded, OpenError> {
    let backup = match backup::find(db, folder, from)? {
        Some(path) => {
            info!(backup = %path.display(), "an earlier start has copied the database already");
            path
        }
        None => {
            let standing = Standing {
                schema: from,
                octets: octets_of(db)?,
            };
            // There may be a copy of another day, for which the first look has let it pass.
            standing.check_room_for(2, below)?;
            backup::make(db, folder, from)?
        }
    };
    let to = database::schema_version();
    info!(
        from,
        to,
        backup = %backup.display(),
        "upgrading the data folder; the database as it was is kept in a copy"
    );
    database::migrate(db)?;
    Ok(Upgraded { from, to, backup })
}

fn octets_of(db: &Connection) -> rusqlite::Result<u64> {
    let pages: u64 = db.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    let octets: u64 = db.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    Ok(pages.saturating_mul(octets))
}

/// Octets beside the copies: new indexes, and what else a start writes.
const MARGIN: u64 = 16 * 1024 * 1024;
