//! systemd opens the socket and hands it over.

use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Stdio;

use crate::server::{Server, last_line, program, wait_for};

#[test]
fn a_socket_from_systemd_is_served() {
    let server = Server::new();
    // It stays open here: an own bind of the server would meet a taken port.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    server.configure(&format!("listen = [\"{address}\"]"));
    let mut process = program(server.folder.path())
        .args(["serve", "--config"])
        .arg(server.config())
        .env("LISTEN_FDS", "1")
        .env("LISTEN_FDS_FIRST_FD", "0")
        .env_remove("LISTEN_PID")
        .stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap())))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ready = || server.run("status").out.contains("has been running for");
    wait_for("the server is ready", ready, String::new);
    let mut session = BufReader::new(TcpStream::connect(address).unwrap());
    let greeting = last_line(&mut session);
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(greeting.starts_with("220 mx.example.org "), "{greeting}");
}
