//! The data folder that root makes ready for the user of the server.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, fchown};
use std::path::Path;

use nix::unistd::User;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, open, statat};
use store::DATABASE;

use crate::failure::{Failure, code};

/// Makes the data folder for the user, closed to others. An empty one of root becomes the user's;
/// a filled one of root is refused, for `data` may name any folder, /etc too. One that belongs to
/// somebody else stays as it is.
pub(crate) fn prepare_data(data: &Path, user: &User) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        let cause = format!("cannot prepare the data folder {}: {error}", data.display());
        let way_out = "make the folder above it, or name another with `data` in the configuration";
        Failure::new(code::CANTCREAT, cause, way_out)
    };
    match DirBuilder::new().mode(0o700).create(data) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let Some(folder) = open_folder(data).map_err(failed)? else {
        return Ok(());
    };
    let owner = folder.metadata().map_err(failed)?.uid();
    if owner != 0 || user.uid.is_root() {
        return Ok(());
    }
    match content(&folder).map_err(failed)? {
        Content::Nothing => {
            let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
            fchown(&folder, Some(uid), Some(gid)).map_err(failed)
        }
        Content::Mail => Err(mail_of_root(data, user)),
        Content::Other => Err(filled(data, user)),
    }
}

/// The folder itself: what is found and done from here on is about this one, whatever becomes of
/// its name. `None` for a symbolic link: where that leads, nothing is handed over.
fn open_folder(data: &Path) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match open(data, flags, Mode::empty()) {
        Ok(folder) => Ok(Some(File::from(folder))),
        Err(_) if data.is_symlink() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What lies in a folder.
enum Content {
    Nothing,
    /// The database of a server.
    Mail,
    Other,
}

fn content(folder: &File) -> io::Result<Content> {
    if statat(folder, DATABASE, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        return Ok(Content::Mail);
    }
    for entry in Dir::read_from(folder)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(Content::Other);
        }
    }
    Ok(Content::Nothing)
}

fn mail_of_root(data: &Path, user: &User) -> Failure {
    let (data, user) = (data.display(), &user.name);
    let cause = format!(
        "the data folder {data} holds the mail of a Postrider that ran as root: user {user} \
         cannot write it"
    );
    let way_out = format!(
        "chown -R {user}: {data}, or let the server stay root with user = \"root\" in the \
         configuration"
    );
    Failure::new(code::CANTCREAT, cause, way_out)
}

fn filled(data: &Path, user: &User) -> Failure {
    let (data, user) = (data.display(), &user.name);
    let cause = format!(
        "the folder {data} belongs to root and is not empty: it is not handed to user {user}"
    );
    let way_out = format!(
        "name another folder with `data` in the configuration, or, if it is for Postrider alone, \
         chown {user}: {data}"
    );
    Failure::new(code::CANTCREAT, cause, way_out)
}
