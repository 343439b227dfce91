//! Ordinary stops while a host lets us wait.

use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::server::{Server, last_line, send_from, wait_for};

/// Takes connections and says nothing but `greeting`.
fn silent_host(greeting: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut taken = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.write_all(greeting.as_bytes());
            taken.push(stream);
        }
    });
    port
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the time of the machine is what counts here"
)]
fn three_restarts_harm_no_message() {
    let port = silent_host("");
    let mut server = Server::new();
    server.configure(&format!(
        "listen = [\"127.0.0.1:0\"]\nrelay_networks = [\"127.0.0.1/32\"]\n\
         routes = {{ \"far.example\" = \"[127.0.0.1]:{port}\" }}"
    ));
    server.start();
    let address = server.addresses().pop().unwrap();
    let reply = send_from(
        &address,
        "bob@far.example",
        "x@far.example",
        "Subject: hi\r\n\r\nx",
    );
    let id = reply.split_whitespace().last().unwrap().to_owned();
    for _ in 0..3 {
        let list = || server.run("queue list").out;
        wait_for("it is in hand", || list().contains("in hand now"), list);
        let story = server.run(&format!("queue show {id}")).out;
        assert!(story.contains("in hand now"), "{story}");
        assert!(!story.contains("next try"), "{story}");
        let began = Instant::now();
        server.stop();
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
        let list = server.run("queue list").out;
        assert!(list.contains("4.3.2 this server was stopped"), "{list}");
        assert!(!list.contains("in hand"), "{list}");
        server.start();
    }
    let story = server.json(&format!("trace {id}"));
    assert_eq!(story["recipients"][0]["state"], "queued");
    assert!(story["recipients"][0]["in_hand"].is_boolean());
    for event in story["events"].as_array().unwrap() {
        assert_eq!(event["what"], "deferred", "{event}");
    }
    assert_eq!(server.run("audit").code, 0);
}

#[test]
fn a_start_waits_for_a_server_that_is_on_its_way_out() {
    let mut server = Server::new();
    server.add_account("ann@example.org");
    server.start();
    let address = server.addresses().pop().unwrap();
    let mut client = BufReader::new(TcpStream::connect(address).unwrap());
    let mut reply = last_line(&mut client);
    for line in [
        "HELO client.example.net",
        "MAIL FROM:<>",
        "RCPT TO:<ann@example.org>",
        "DATA",
    ] {
        assert!(reply.starts_with('2'), "{reply} before {line}");
        write!(client.get_mut(), "{line}\r\n").unwrap();
        reply = last_line(&mut client);
    }
    write!(client.get_mut(), "Subject: half\r\n").unwrap();
    server.signal(Signal::SIGTERM);
    let told = || server.log().contains("stopping: sessions may finish");
    wait_for("it stops", told, || server.log());
    let ending = std::thread::spawn(move || {
        // Longer than a server that stays would be asked.
        std::thread::sleep(Duration::from_secs(1));
        write!(client.get_mut(), "\r\nof it\r\n.\r\n").unwrap();
        last_line(&mut client)
    });
    // The next one has a log of its own.
    std::fs::remove_file(server.folder.path().join("log")).unwrap();
    server.start();
    let reply = ending.join().unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(server.stop(), 0, "{}", server.log());
}
