//! Started by root, the server is somebody else. Without root there is nothing to give up.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::server::{Server, program, run, wait_for};

#[test]
fn the_server_gives_up_root() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let mut server = Server::new();
    std::fs::set_permissions(server.folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    server.configure("listen = [\"127.0.0.1:0\"]\nuser = \"nobody\"");
    server.start();
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let child = child_of(&server);
    let status = || std::fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
    let uid = nobody.uid;
    assert!(
        status().contains(&format!("Uid:\t{uid}\t{uid}\t{uid}\t{uid}")),
        "{}",
        status()
    );
    assert!(
        status().contains("CapEff:\t0000000000000000"),
        "{}",
        status()
    );

    server.add_account("ann@example.org");
    assert_eq!(server.stop(), 0, "{}", server.log());
    // A command of root on the files leaves nothing of root.
    server.add_account("bob@example.org");
    for entry in std::fs::read_dir(server.data()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().uid(), uid.as_raw(), "{entry:?}");
    }
    assert_eq!(
        std::fs::metadata(server.data()).unwrap().mode() & 0o777,
        0o700
    );

    // Without its parent a server ends too.
    server.start();
    server.signal(Signal::SIGKILL);
    let free = || server.run("status").out.contains("no server runs");
    wait_for("the child has ended", free, || server.log());
    // The next one may come before it has.
    server.start();
    server.signal(Signal::SIGKILL);
    std::fs::remove_file(server.folder.path().join("log")).unwrap();
    server.start();
    assert_eq!(server.stop(), 0, "{}", server.log());

    // A server that is killed says nothing: its parent does.
    server.start();
    let child = Pid::from_raw(child_of(&server).parse().unwrap());
    kill(child, Signal::SIGKILL).unwrap();
    let told = || {
        server
            .log()
            .contains("the server was ended by a signal signal=9")
    };
    wait_for("the parent tells", told, || server.log());
}

fn child_of(server: &Server) -> String {
    let children = format!("/proc/{0}/task/{0}/children", server.pid());
    let children = std::fs::read_to_string(children).unwrap();
    children
        .split_whitespace()
        .next()
        .expect("a child")
        .to_owned()
}

#[test]
fn an_unknown_user_is_told_with_the_way_out() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let server = Server::new();
    server.configure("user = \"no-such-user\"");
    let said = server.run("serve");
    assert_eq!(said.code, 67, "{said:?}");
    assert!(said.err.contains("useradd --system"), "{}", said.err);
}

#[test]
fn a_filled_folder_of_root_is_not_handed_over() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    for (file, told) in [
        ("passwd", "belongs to root and is not empty"),
        ("postrider.db", "a Postrider that ran as root"),
    ] {
        let server = Server::new();
        server.configure("listen = [\"127.0.0.1:0\"]\nuser = \"nobody\"");
        std::fs::create_dir(server.data()).unwrap();
        std::fs::write(server.data().join(file), "").unwrap();
        let said = server.run("serve");
        assert_eq!(said.code, 73, "{said:?}");
        let chown = format!("nobody: {}", server.data().display());
        for wanted in [told, "user nobody", "chown", &chown] {
            assert!(said.err.contains(wanted), "{wanted}: {}", said.err);
        }
        assert_eq!(std::fs::metadata(server.data()).unwrap().uid(), 0);
    }
}

#[test]
fn an_empty_folder_of_root_is_handed_over_but_not_through_a_link() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let mut server = Server::new();
    std::fs::set_permissions(server.folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    server.configure("listen = [\"127.0.0.1:0\"]\nuser = \"nobody\"");
    let elsewhere = server.folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, server.data()).unwrap();
    let said = server.run("serve");
    assert_eq!(said.code, 73, "{said:?}");
    assert_eq!(std::fs::metadata(&elsewhere).unwrap().uid(), 0);

    std::fs::remove_file(server.data()).unwrap();
    std::fs::create_dir(server.data()).unwrap();
    server.start();
    assert_ne!(std::fs::metadata(server.data()).unwrap().uid(), 0);
    assert_eq!(server.stop(), 0, "{}", server.log());
    // Filled now, and its own: it stays as it is.
    server.start();
    assert_eq!(server.stop(), 0, "{}", server.log());
}

#[test]
fn child_is_not_for_people() {
    let server = Server::new();
    let mut command = program(server.folder.path());
    command
        .args(["serve", "--child", "--config"])
        .arg(server.config());
    let said = run(command, "");
    assert_eq!(said.code, 64, "{said:?}");
}
