//! Ordinary stops while a host lets us wait.

use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::server::{Server, send_from, wait_for};

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
