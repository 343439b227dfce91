//! A message comes in, lands in a mailbox, and its story can be asked for.

use crate::server::{Server, wait_for};

#[test]
fn a_message_lands_and_is_traced() {
    let mut server = Server::new();
    server.start();
    server.add_account("ann@example.org");
    assert_eq!(
        server
            .run("alias add sales@example.org ann@example.org")
            .code,
        0
    );
    let body = "Subject: hi\r\n\r\n..one dot\r\nlast";
    let reply = server.send("sales@example.org", body);
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let id = reply.split_whitespace().last().unwrap().to_owned();
    let delivered = || server.run(&format!("trace {id}")).out.contains("delivered");
    wait_for("it is delivered", delivered, || server.log());

    for running in [true, false] {
        if !running {
            assert_eq!(server.stop(), 0, "{}", server.log());
        }
        let shown = server.run("mail show ann@example.org 1").out;
        let added = [
            "Return-Path: <ann@client.example.net>\r\n",
            "Delivered-To: ann@example.org",
        ];
        assert!(added.iter().all(|field| shown.contains(field)), "{shown}");
        assert!(
            shown.ends_with("Subject: hi\r\n\r\n.one dot\r\nlast\r\n"),
            "{shown}"
        );
        let story = server.run(&format!("trace {id}")).out;
        for wanted in [
            "sales@example.org",
            "ann@example.org",
            "127.0.0.1",
            "client.example.net",
        ] {
            assert!(story.contains(wanted), "no {wanted} in {story}");
        }
        let list = server.json("mail list ann@example.org");
        assert_eq!(list["messages"][0]["id"], id.as_str());
        assert_eq!(list["messages"][0]["from"], "ann@client.example.net");
        let whole = server.json("mail show ann@example.org 1");
        let octets = whole["base64"].as_str().unwrap();
        let octets = data_encoding::BASE64.decode(octets.as_bytes()).unwrap();
        assert_eq!(octets, shown.as_bytes());
        assert_eq!(whole["size"], octets.len());
        let found = server.json("trace ann@example.org");
        assert_eq!(found["items"][0]["recipients"][0]["state"], "delivered");
        let audit = server.json("audit");
        assert_eq!(
            (&audit["balanced"], &audit["delivered"]),
            (&true.into(), &1.into())
        );
    }
}

#[test]
fn strangers_are_not_relayed_for() {
    let mut server = Server::new();
    server.start();
    let address = server.addresses().pop().unwrap();
    let refused = std::panic::catch_unwind(|| crate::server::send(&address, "x@example.net", ""));
    assert!(refused.is_err());
    assert!(server.log().contains("refused"), "{}", server.log());
}

/// The log has one line for each fate; what an operator does is one too.
#[test]
fn what_an_operator_does_is_in_the_log() {
    let mut server = Server::new();
    // Nobody answers there: the message has to wait.
    server.configure("dns_servers = [\"127.0.0.1:9\"]");
    server.run("alias add out@example.org x@example.net");
    server.start();
    let reply = server.send("out@example.org", "Subject: hi\r\n\r\nx");
    let id = reply.rsplit(' ').next().unwrap().trim();
    for (verb, word) in [
        ("hold", "held"),
        ("release", "released"),
        ("remove", "removed"),
    ] {
        let said = server.run(&format!("queue {verb} {id}"));
        assert_eq!(said.code, 0, "{said:?}");
        let log = server.log();
        let line = log.lines().find(|line| line.contains(&format!(" {word} ")));
        let line = line.unwrap_or_else(|| panic!("no {word} in {log}"));
        assert!(line.contains(id) && line.contains("recipients=1"), "{line}");
    }
    assert_eq!(server.stop(), 0, "{}", server.log());
}
