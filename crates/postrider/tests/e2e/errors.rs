//! What goes wrong is said with its cause and its way out.

use std::net::TcpListener;

use crate::server::{Server, program, run};

#[test]
fn a_wrong_configuration_stops_the_start() {
    let server = Server::new();
    server.configure("lisen = [\"127.0.0.1:0\"]");
    let said = server.run("serve");
    assert_eq!(said.code, 78);
    for wanted in [
        "unknown key `lisen`",
        "did you mean `listen`?",
        "^^^^^",
        "what to do:",
    ] {
        assert!(said.err.contains(wanted), "{}", said.err);
    }
}

#[test]
fn a_port_in_use_is_named() {
    let server = Server::new();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    server.configure(&format!("listen = [\"{address}\"]"));
    let said = server.run("serve");
    assert_eq!(said.code, 69, "{said:?}");
    assert!(said.err.contains(&address.to_string()), "{}", said.err);
    assert!(said.err.contains("what to do: stop it"), "{}", said.err);
}

#[test]
fn a_second_server_names_the_first() {
    let mut first = Server::new();
    first.start();
    let second = Server::new();
    let config = std::fs::read_to_string(second.config()).unwrap();
    let config = config.replace("\"data\"", &format!("{:?}", first.data()));
    std::fs::write(second.config(), config).unwrap();
    let said = second.run("serve");
    assert_eq!(said.code, 75, "{said:?}");
    assert!(
        said.err.contains(&format!("process {}", first.pid())),
        "{}",
        said.err
    );
    assert_eq!(first.stop(), 0, "{}", first.log());
}

#[test]
fn without_any_folder_it_says_where_it_looked() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(folder.path());
    command.args(["queue", "list"]);
    let said = run(command, "");
    // A machine with a Postrider of its own answers for that one.
    if !std::path::Path::new("/etc/postrider/postrider.toml").exists() {
        assert_eq!(said.code, 69, "{said:?}");
        assert!(
            said.err.contains("./postrider.toml, ./postrider-data"),
            "{}",
            said.err
        );
    }
}

#[test]
fn a_lock_file_that_is_removed_lets_nobody_in() {
    let mut first = Server::new();
    first.start();
    std::fs::remove_file(first.data().join("lock")).unwrap();
    let second = Server::new();
    let config = std::fs::read_to_string(second.config()).unwrap();
    let config = config.replace("\"data\"", &format!("{:?}", first.data()));
    std::fs::write(second.config(), config).unwrap();
    let said = second.run("serve");
    assert_eq!(said.code, 75, "{said:?}");
    assert_eq!(first.stop(), 0, "{}", first.log());
}

#[test]
fn a_command_does_not_keep_a_server_from_starting() {
    let mut server = Server::new();
    server.add_account("ann@example.org");
    let held = std::fs::File::open(server.data()).unwrap();
    held.lock().unwrap();
    let release = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(500));
        drop(held);
    });
    server.start();
    release.join().unwrap();
    assert_eq!(server.stop(), 0, "{}", server.log());
}

/// A question, or a start, about a folder of something else changes nothing there.
#[test]
fn a_folder_of_something_else_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::new();
    std::fs::create_dir(server.data()).unwrap();
    std::fs::write(server.data().join("passwd"), "root").unwrap();
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(server.data(), mode).unwrap();
    for (line, code) in [
        ("queue list", 69),
        ("audit", 69),
        ("check --data data", 69),
        ("account add ann@example.org", 73),
        ("serve", 73),
    ] {
        let said = server.run_with(line, "correct horse\n");
        assert_eq!(said.code, code, "{line}: {said:?}");
        assert!(
            said.err.contains("holds no data of Postrider"),
            "{line}: {}",
            said.err
        );
        let left: Vec<_> = std::fs::read_dir(server.data()).unwrap().collect();
        assert_eq!(left.len(), 1, "{line}: {left:?}");
        let mode = std::fs::metadata(server.data()).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o755, "{line}");
    }
}

#[test]
fn a_file_in_place_of_the_folder_is_told() {
    let server = Server::new();
    std::fs::write(server.data(), "").unwrap();
    let said = server.run("serve");
    assert_eq!(said.code, 73, "{said:?}");
    assert!(said.err.contains("data"), "{}", said.err);
}

#[test]
fn programs_get_refusals_as_json() {
    let server = Server::new();
    server.add_account("ann@example.org");
    for (line, code, cause, what_to_do) in [
        (
            "trace no@example.org --json",
            1,
            "no message from or to",
            "",
        ),
        ("queue hold nonsense --json", 65, "is no queue id", ""),
        ("account remove no@example.org --json", 67, "no account", ""),
        ("mail show ann@example.org 7 --json", 1, "no message 7", ""),
        ("queue --json", 64, "subcommand", "Usage:"),
        (
            "queue list --after nonsense --json",
            65,
            "is no queue id",
            "",
        ),
        (
            "queue list --limit many --json",
            64,
            "invalid value",
            "--help",
        ),
    ] {
        let said = server.run(line);
        assert_eq!(said.code, code, "{line}: {said:?}");
        assert_eq!(said.err, "", "{line}");
        let value: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let error = &value["error"];
        assert_eq!(error["exit_code"], code, "{line}");
        let text = |key: &str| error[key].as_str().unwrap().to_owned();
        assert!(text("cause").contains(cause), "{line}: {error}");
        assert!(text("what_to_do").contains(what_to_do), "{line}: {error}");
    }
}

#[test]
fn a_file_in_another_encoding_is_told_with_the_line() {
    let server = Server::new();
    std::fs::write(server.config(), b"log = \"text\"\n# J\xe4ger\n").unwrap();
    let said = server.run("check");
    assert_eq!(said.code, 78, "{said:?}");
    assert!(said.err.contains("line 2 is not UTF-8"), "{}", said.err);
    assert!(said.err.contains("save the file as UTF-8"), "{}", said.err);
}

#[test]
fn check_tells_of_a_user_that_is_not_there_yet() {
    let server = Server::new();
    server.configure("user = \"no-such-user\"");
    let said = server.run("check");
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("there is no such user"), "{}", said.out);
    assert!(said.out.contains("useradd"), "{}", said.out);
    let notes = &server.json("check")["notes"];
    assert_eq!(notes.as_array().unwrap().len(), 1, "{notes}");
}
