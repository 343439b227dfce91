//! On a thread of its own: what it takes from itself, the other tests keep.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use nix::errno::Errno;

use super::{Files, calls, files};

fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::spawn(work).join().unwrap()
}

/// Whether this kernel has no Landlock; whatever else keeps it away is a failure.
fn is_absent(state: &Files) -> bool {
    match state {
        Files::Confined | Files::Partly => false,
        Files::Open(why) if why == files::NO_LANDLOCK => {
            eprintln!("skipped: sandbox.landlock: {why}");
            true
        }
        Files::Open(why) => panic!("{why}"),
    }
}

#[test]
fn nothing_outside_is_read() {
    let data = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "x").unwrap();
    std::fs::create_dir(outside.path().join("etc")).unwrap();
    std::fs::write(outside.path().join("etc/postrider.toml"), "x").unwrap();
    let (inside, place) = (data.path().to_owned(), outside.path().to_owned());
    on_a_thread(move || {
        let config = place.join("etc/postrider.toml");
        let state = files::confine(&inside, Some(&config));
        if is_absent(&state) {
            return;
        }
        let opened = |path: &Path| File::open(path).map(drop).map_err(|error| error.kind());
        let made = |path: &Path| File::create(path).map(drop).map_err(|error| error.kind());
        for path in [Path::new("/etc/shadow"), &place.join("secret")] {
            assert_eq!(opened(path), Err(ErrorKind::PermissionDenied), "{path:?}");
        }
        let link = std::os::unix::fs::symlink("/etc/shadow", place.join("link"));
        assert_eq!(link.unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert_eq!(opened(&config), Ok(()));
        assert_eq!(opened(Path::new("/etc/passwd")), Ok(()));
        assert_eq!(made(&inside.join("new")), Ok(()));
        // As a delivery does: a new Maildir, and from one folder of it to another.
        let maildir = place.join("Maildir");
        for folder in [&maildir, &maildir.join("tmp"), &maildir.join("new")] {
            std::fs::create_dir(folder).unwrap();
        }
        assert_eq!(made(&maildir.join("tmp/1")), Ok(()));
        std::fs::rename(maildir.join("tmp/1"), maildir.join("new/1")).unwrap();
        let denied = Err(ErrorKind::PermissionDenied);
        assert_eq!(opened(&maildir.join("new/1")), denied);
    });
}

/// Whoever adds a user makes a new `/etc/passwd`; only a rule for the folder holds for that one. But
/// from root it would be a rule for `/etc/shadow` too.
#[test]
fn etc_is_read_as_a_folder_by_all_but_root() {
    let data = tempfile::tempdir().unwrap();
    let files = ["/etc/fstab", "/etc/hostname", "/etc/profile"].map(Path::new);
    let other = files.into_iter().find(|path| path.exists()).unwrap();
    for is_root in [false, true] {
        let inside = data.path().to_owned();
        on_a_thread(move || {
            let state = files::confine_with(&inside, None, files::names_in_etc(is_root));
            if is_absent(&state) {
                return;
            }
            assert!(File::open("/etc/passwd").is_ok());
            assert_eq!(File::open(other).is_err(), is_root, "{other:?}");
        });
    }
}

#[test]
fn what_a_server_never_does_is_not_permitted() {
    on_a_thread(|| {
        let before = std::process::Command::new("/bin/true").status().unwrap();
        assert!(before.success());
        calls::deny().unwrap();
        let after = std::process::Command::new("/bin/true").status();
        assert_eq!(after.unwrap_err().raw_os_error(), Some(libc::EPERM));
        assert_eq!(nix::sys::ptrace::traceme(), Err(Errno::EPERM));
        assert_eq!(nix::unistd::chroot("/"), Err(Errno::EPERM));
        let nothing = nix::sched::CloneFlags::empty();
        assert_eq!(nix::sched::unshare(nothing), Err(Errno::EPERM));
        // Threads are clones, and go on.
        assert_eq!(std::thread::spawn(|| 1).join().unwrap(), 1);
    });
}

/// Every thread that a confined one starts is confined.
#[test]
fn threads_inherit_it() {
    on_a_thread(|| {
        calls::deny().unwrap();
        let denied = std::thread::spawn(nix::sys::ptrace::traceme)
            .join()
            .unwrap();
        assert_eq!(denied, Err(Errno::EPERM));
    });
}
