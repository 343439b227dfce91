//! The data folder: made when it is missing, ours, and closed to others.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::upgrade::backup;
use super::{DATABASE, OpenError};

pub(super) fn make(folder: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| OpenError::NotWritable {
            path: folder.to_owned(),
            error,
        })
}

/// A folder with other things in it and no database is somebody else's: nothing is made there, and
/// its rights stay. `data` or `--data` may name any folder, also by a slip of the hand.
pub(super) fn check_ours(folder: &Path) -> Result<(), OpenError> {
    let refused = |error| OpenError::NotWritable {
        path: folder.to_owned(),
        error,
    };
    if folder.join(DATABASE).try_exists().map_err(refused)? {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(refused)? {
        let name = entry.map_err(refused)?.file_name();
        if !OURS.iter().any(|ours| name == *ours) && !backup::is_name(&name) {
            return Err(OpenError::Foreign {
                folder: folder.to_owned(),
                found: name.to_string_lossy().into_owned(),
            });
        }
    }
    Ok(())
}

/// What is in the folder is for its owner only, also when it was there before. SQLite gives the
/// files beside the database the mode of the database.
pub(super) fn make_private(folder: &Path, database: &Path) -> Result<(), OpenError> {
    let refused = |path: &Path| {
        let path = path.to_owned();
        move |error| OpenError::NotWritable { path, error }
    };
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(database);
    file.map_err(refused(database))?;
    for (path, mode) in [(folder, 0o700), (database, 0o600)] {
        let found = std::fs::metadata(path)
            .map_err(refused(path))?
            .permissions()
            .mode();
        if found & 0o077 != 0 {
            tracing::warn!(path = %path.display(), "others could look into it; not any more");
            std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(refused(path))?;
        }
    }
    Ok(())
}

/// What a first start that broke off may have left, and what every new file system has.
const OURS: [&str; 4] = ["lock", "bodies", "control.sock", "lost+found"];
