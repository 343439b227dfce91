//! Ordinary stops while a host lets us wait.

use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::server::{Server, last_line, send_from, wait_for};

/// Takes connections and says nothing but `greeting`. Answers its port and who counts them.
fn silent_host(greeting: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::<AtomicUsize>::default();
    let counts = Arc::clone(&count);
    std::thread::spawn(move || {
        let mut taken = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.write_all(greeting.as_bytes());
            taken.push(stream);
            counts.fetch_add(1, Ordering::Relaxed);
        }
    });
    (port, count)
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the time of the machine is what counts here"
)]
fn three_restarts_harm_no_message() {
    let (port, dialed) = silent_host("");
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
    for n in 1..=3 {
        let list = || server.run("queue list").out;
        wait_for(
            "the host is tried",
            || dialed.load(Ordering::Relaxed) == n,
            list,
        );
        // Nothing is begun before there is a host.
        for words in ["queue list".to_owned(), format!("queue show {id}")] {
            let told = server.run(&words).out;
            assert!(told.contains("due since"), "{told}");
            assert!(!told.contains("in hand now"), "{told}");
        }
        let began = Instant::now();
        server.stop();
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
        server.start();
    }
    let story = server.json(&format!("trace {id}"));
    assert_eq!(story["recipients"][0]["state"], "queued");
    assert_eq!(story["recipients"][0]["attempts"], 0);
    assert_eq!(story["recipients"][0]["in_hand"], false);
    assert_eq!(story["events"].as_array().unwrap().len(), 0);
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
