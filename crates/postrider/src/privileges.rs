//! Users: who we are, whom we become.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Gid, Uid, User, geteuid, getuid, setgid, setgroups, setuid};

use crate::failure::{Failure, code};

mod data_folder;

pub(crate) use data_folder::prepare_data;

/// The name of the user who runs this command: it goes into the history of what it changes.
pub(crate) fn invoking_user() -> String {
    name_of(getuid())
}

/// The name of the user whose rights we have.
pub(crate) fn acting_user() -> String {
    name_of(geteuid())
}

/// Whether we are root.
pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

fn name_of(uid: Uid) -> String {
    match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        _ => format!("uid {uid}"),
    }
}

/// As root: become the owner of the folder for good, so that no files of root appear in it.
/// Others stay who they are. Call it while the process has one thread and holds nothing.
pub(crate) fn become_owner_of(folder: &Path) -> Result<(), Failure> {
    if !is_root() {
        return Ok(());
    }
    let owner = std::fs::metadata(folder)?;
    if owner.uid() == 0 {
        return Ok(());
    }
    drop_to(Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid())).map_err(|error| {
        let cause = format!("cannot become the owner of {}: {error}", folder.display());
        Failure::new(code::OSERR, cause, "")
    })
}

/// Groups first: afterwards nobody may change them.
fn drop_to(uid: Uid, gid: Gid) -> nix::Result<()> {
    setgroups(&[])?;
    setgid(gid)?;
    setuid(uid)
}

/// The user that a server started by root becomes.
pub(crate) fn server_user(configured: Option<&str>) -> Result<User, Failure> {
    let name = configured.unwrap_or(DEFAULT_USER);
    if let Ok(Some(user)) = User::from_name(name) {
        return Ok(user);
    }
    let cause = match configured {
        Some(name) => {
            format!("the configuration says user = \"{name}\", and there is no such user")
        }
        None => format!("started by root, and there is no user `{name}` to become"),
    };
    let way_out = format!(
        "useradd --system --no-create-home --shell /usr/sbin/nologin {name}, or set `user` in the \
         configuration to a user that exists, as in user = \"nobody\""
    );
    Err(Failure::new(code::NOUSER, cause, way_out))
}

/// Whom root becomes when the configuration names nobody.
const DEFAULT_USER: &str = "postrider";
