//! What a running server has taken from itself.

use std::fs::DirEntry;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::server::{Server, wait_for};

/// The process that serves: the child when root has started it for somebody else.
fn serving(server: &Server) -> u32 {
    let children = format!("/proc/{0}/task/{0}/children", server.pid());
    let children = std::fs::read_to_string(children).unwrap();
    let child = children.split_whitespace().next();
    child.map_or(server.pid(), |pid| pid.parse().unwrap())
}

/// An older kernel knows a part of it, or has no Landlock at all; everything else is in force.
fn check_told(server: &Server) {
    let log = server.log();
    if log.contains("the kernel has no Landlock") {
        eprintln!("skipped: sandbox.landlock: this kernel has none that serves us");
    } else {
        assert!(log.contains("files=\"confined"), "{log}");
    }
    assert!(log.contains("calls=\"denied\""), "{log}");
}

#[test]
fn a_server_is_confined_and_its_memory_its_own() {
    let root = nix::unistd::geteuid().is_root();
    let users: &[&str] = if root { &["root", "nobody"] } else { &["root"] };
    for user in users {
        let mut server = Server::new();
        let traversable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(server.folder.path(), traversable).unwrap();
        server.configure(&format!("listen = [\"127.0.0.1:0\"]\nuser = \"{user}\""));
        server.start();
        let process = format!("/proc/{}", serving(&server));
        let threads = std::fs::read_dir(format!("{process}/task")).unwrap();
        // One may just have ended.
        let read = |thread: std::io::Result<DirEntry>| {
            std::fs::read_to_string(thread.unwrap().path().join("status")).ok()
        };
        let threads: Vec<String> = threads.filter_map(read).collect();
        assert!(threads.len() > 2, "{threads:?}");
        for status in threads {
            for wanted in ["NoNewPrivs:\t1", "Seccomp:\t2"] {
                let thread = status.lines().next();
                assert!(status.contains(wanted), "{user}: {wanted}: {thread:?}");
            }
        }
        check_told(&server);
        if root {
            let limits = std::fs::read_to_string(format!("{process}/limits")).unwrap();
            let core = limits
                .lines()
                .find(|line| line.starts_with("Max core file size"));
            let zeros = core.unwrap().split_whitespace().filter(|word| *word == "0");
            assert_eq!(zeros.count(), 2, "{core:?}");
        }
        // Whose memory may not be looked at, whoever runs it: root's.
        let owner = std::fs::metadata(format!("{process}/environ"))
            .unwrap()
            .uid();
        assert_eq!(owner, 0);
        assert_eq!(server.stop(), 0, "{}", server.log());
    }
}

#[test]
fn a_configuration_under_a_new_file_is_taken_up() {
    let mut server = Server::new();
    server.start();
    let aside = server.folder.path().join("new.toml");
    server.configure("listen = [\"127.0.0.2:0\"]");
    std::fs::copy(server.config(), &aside).unwrap();
    std::fs::rename(&aside, server.config()).unwrap();
    server.signal(nix::sys::signal::Signal::SIGHUP);
    let moved = || server.log().contains("read anew");
    wait_for("the new file is read", moved, || server.log());
    assert_eq!(server.stop(), 0, "{}", server.log());
}
