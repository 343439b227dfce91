//! SIGHUP: what is right is taken up, what is wrong changes nothing, connections stay.

use std::io::{BufReader, Write};
use std::net::TcpStream;

use nix::sys::signal::Signal;

use crate::server::{Server, last_line, wait_for};

#[test]
fn listeners_follow_and_sessions_stay() {
    let mut server = Server::new();
    server.start();
    let first = server.addresses().pop().unwrap();
    let mut session = BufReader::new(TcpStream::connect(&first).unwrap());
    assert!(last_line(&mut session).starts_with("220 mx.example.org "));

    server.configure("listen = [\"127.0.0.2:0\"]\nretry_first = \"5h\"\n");
    server.signal(Signal::SIGHUP);
    let moved = || server.log().contains("read anew");
    wait_for("the new address is open", moved, || server.log());
    let doubt = "`retry_first` (5h) is longer than `retry_longest` (4h)";
    assert!(server.log().contains(doubt), "{}", server.log());
    let second = server.addresses().pop().unwrap();
    assert!(second.starts_with("127.0.0.2:"), "{second}");
    let mut other = BufReader::new(TcpStream::connect(&second).unwrap());
    assert!(last_line(&mut other).starts_with("220 "));
    wait_for(
        "the old address is closed",
        || TcpStream::connect(&first).is_err(),
        || server.log(),
    );
    session.get_mut().write_all(b"NOOP\r\n").unwrap();
    assert!(last_line(&mut session).starts_with("250 "));

    server.configure("listn = []\n");
    server.signal(Signal::SIGHUP);
    let told = || server.log().contains("the old one stays");
    wait_for("the wrong file is told", told, || server.log());
    other.get_mut().write_all(b"NOOP\r\n").unwrap();
    assert!(last_line(&mut other).starts_with("250 "));
    assert_eq!(server.stop(), 0, "{}", server.log());
}
