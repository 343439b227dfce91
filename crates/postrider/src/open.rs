//! What is wrong when a data folder does not open, and what to do about it.

use std::path::Path;

use store::OpenError;

use crate::failure::{Failure, code};
use crate::privileges::acting_user;

/// The failure of a command or server on `data`.
pub(crate) fn failure(data: &Path, error: &OpenError) -> Failure {
    let name = data.display();
    match error {
        error if error.is_full() => {
            let cause = format!("the disk of the data folder {name} is full: {error}");
            let way_out = "make room on the disk and start again; nothing was lost";
            Failure::new(code::IOERR, cause, way_out)
        }
        OpenError::NotWritable { path, error } => not_writable(data, path, error),
        OpenError::Foreign { .. } => {
            let way_out = "name another folder with `data` in the configuration or --data, \
                           one that is for Postrider alone";
            Failure::new(code::CANTCREAT, error.to_string(), way_out)
        }
        OpenError::InUse(holder) => {
            let who = holder.pid.map_or_else(
                || "another process".to_owned(),
                |pid| format!("process {pid}"),
            );
            let cause = format!("another Postrider ({who}) works on the data folder {name}");
            let way_out = format!("stop {who} first, or name another folder with --data");
            Failure::new(code::TEMPFAIL, cause, way_out)
        }
        OpenError::Newer { .. } => {
            let cause = format!("cannot open the data folder {name}: {error}");
            let way_out = "install that newer version of postrider, or a later one";
            Failure::new(code::DATAERR, cause, way_out)
        }
        OpenError::Older { .. } => {
            let cause = format!("cannot open the data folder {name}: {error}");
            let way_out = "start the server of this version (`postrider serve`): that copies the \
                           database and upgrades the folder; or use the version that wrote it";
            Failure::new(code::DATAERR, cause, way_out)
        }
        OpenError::NoRoom { needed, free, .. } => {
            let cause = format!("cannot upgrade the data folder {name}: {error}");
            let short = needed.saturating_sub(*free).div_ceil(MIB);
            let way_out = format!(
                "make room for {short} MiB more on that disk and start again, or start the \
                 version that ran last, which works on the folder as before"
            );
            Failure::new(code::IOERR, cause, way_out)
        }
        OpenError::NoBackup { .. } => {
            let cause = format!("cannot upgrade the data folder {name}: {error}");
            let way_out = "look at the disk; the version that ran last works on the folder as \
                           before, and its `postrider check --data` tells of damage";
            Failure::new(code::IOERR, cause, way_out)
        }
        OpenError::NoDatabase { .. } => {
            let cause = format!("cannot open the data folder {name}: {error}");
            let way_out = "put the database back from a copy, or move the folder `bodies` away";
            Failure::new(code::DATAERR, cause, way_out)
        }
        OpenError::Journal(_) => {
            let cause = format!("cannot open the data folder {name}: {error}");
            let way_out = "start the version of postrider that ran last, and stop it in order; \
                           nothing was changed";
            Failure::new(code::DATAERR, cause, way_out)
        }
        OpenError::Database(_) | OpenError::Log(_) => {
            let cause = format!("cannot open the data folder {name}: {error}");
            let way_out = "look at the disk and at the owner of the files in the folder";
            Failure::new(code::IOERR, cause, way_out)
        }
    }
}

fn not_writable(data: &Path, path: &Path, error: &std::io::Error) -> Failure {
    let user = acting_user();
    let cause = format!("cannot write {} as user {user}: {error}", path.display());
    let way_out = match error.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => format!(
            "sudo install -d -m 700 -o {user} {0} && sudo chown -R {user} {0}, or name another \
             folder with `data` in the configuration",
            data.display()
        ),
        _ => "name another folder with `data` in the configuration".to_owned(),
    };
    Failure::new(code::CANTCREAT, cause, way_out)
}

const MIB: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_wants_room_and_nothing_else() {
        let full = std::io::ErrorKind::StorageFull;
        for error in [
            OpenError::Log(full.into()),
            OpenError::NotWritable {
                path: "/d/bodies".into(),
                error: full.into(),
            },
        ] {
            let told = failure(Path::new("/d"), &error).to_string();
            assert!(
                told.contains("the disk of the data folder /d is full"),
                "{told}"
            );
            assert!(told.contains("make room on the disk"), "{told}");
        }
    }
    #[test]
    fn an_upgrade_without_room_says_how_much_is_needed() {
        let error = OpenError::NoRoom {
            found: 2,
            needed: 100 * MIB,
            free: 30 * MIB + 1,
        };
        let told = failure(Path::new("/d"), &error).to_string();
        for wanted in [
            "104857600 octets",
            "31457281 are free",
            "70 MiB more",
            "works on the folder as before",
        ] {
            assert!(told.contains(wanted), "{wanted}: {told}");
        }
    }
}
