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
fn a_file_in_place_of_the_folder_is_told() {
    let server = Server::new();
    std::fs::write(server.data(), "").unwrap();
    let said = server.run("serve");
    assert_eq!(said.code, 73, "{said:?}");
    assert!(said.err.contains("data"), "{}", said.err);
}
