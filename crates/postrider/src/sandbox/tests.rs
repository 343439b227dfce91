//! On a thread of its own: what it takes from itself, the other tests keep.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use nix::errno::Errno;
#[cfg(target_arch = "x86_64")]
use seccompiler::BpfProgram;

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

/// Calls as the kernel would have the filters judge them, those among them that nobody can make without
/// a kernel that has them.
#[cfg(target_arch = "x86_64")]
#[test]
fn calls_under_other_numbers_are_not_permitted() {
    const X32: i64 = 0x4000_0000;
    let errno = |errno: i32| libc::SECCOMP_RET_ERRNO | errno.unsigned_abs();
    for (call, argument, answer) in [
        (libc::SYS_read, 0, libc::SECCOMP_RET_ALLOW),
        (libc::SYS_clone, libc::CLONE_VM, libc::SECCOMP_RET_ALLOW),
        (libc::SYS_clone, libc::CLONE_NEWUSER, errno(libc::EPERM)),
        (libc::SYS_clone3, 0, errno(libc::ENOSYS)),
        (libc::SYS_execve, 0, errno(libc::EPERM)),
        (libc::SYS_execve | X32, 0, errno(libc::EPERM)),
        // execve, ptrace and execveat, which have numbers of their own there.
        (520 | X32, 0, errno(libc::EPERM)),
        (521 | X32, 0, errno(libc::EPERM)),
        (545 | X32, 0, errno(libc::EPERM)),
        (
            libc::SYS_clone | X32,
            libc::CLONE_NEWUSER,
            errno(libc::EPERM),
        ),
    ] {
        let judge = |program: &BpfProgram| judged(program, call, argument);
        let answers: Vec<u32> = calls::programs().unwrap().iter().map(judge).collect();
        let denied = answers.iter().find(|it| **it != libc::SECCOMP_RET_ALLOW);
        let found = denied.copied().unwrap_or(libc::SECCOMP_RET_ALLOW);
        assert_eq!(found, answer, "{call:#x} {argument:#x}");
    }
}

/// What a filter answers to a call with its first argument.
#[cfg(target_arch = "x86_64")]
fn judged(program: &BpfProgram, call: i64, argument: i32) -> u32 {
    const X86_64: u32 = 0xC000_003E;
    let mut data = [0; 64];
    data[..4].copy_from_slice(&call.to_le_bytes()[..4]);
    data[4..8].copy_from_slice(&X86_64.to_le_bytes());
    data[16..20].copy_from_slice(&argument.to_le_bytes());
    let (mut at, mut loaded) = (0, 0);
    loop {
        let it = &program[at];
        at += 1;
        let (k, place) = (it.k, it.k as usize);
        let jump = |is_so: bool| usize::from(if is_so { it.jt } else { it.jf });
        match it.code {
            0x20 => loaded = u32::from_le_bytes(data[place..place + 4].try_into().unwrap()),
            0x54 => loaded &= k,
            0x05 => at += place,
            0x15 => at += jump(loaded == k),
            0x25 => at += jump(loaded > k),
            0x35 => at += jump(loaded >= k),
            0x45 => at += jump(loaded & k != 0),
            0x06 => return k,
            other => panic!("no instruction that is known here: {other:#x}"),
        }
    }
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
