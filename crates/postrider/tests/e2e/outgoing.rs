//! Mail goes on to another server, and failures come home: two servers side by side.

use std::path::Path;

use crate::server::{Server, send_from, wait_for};

/// A server for far.example with the account bob, and one for example.org with the account ann that
/// relays for this machine and knows the way there.
fn pair() -> (Server, Server) {
    let mut far = Server::new();
    let text = "hostname = \"mx.far.example\"\ndomains = [\"far.example\"]\ndata = \"data\"\n\
                user = \"root\"\nlisten = [\"127.0.0.1:0\"]\n";
    std::fs::write(far.config(), text).unwrap();
    far.start();
    far.add_account("bob@far.example");
    let there = far.addresses().pop().unwrap();
    let port = there.rsplit(':').next().unwrap();
    let mut near = Server::new();
    near.configure(&format!(
        "listen = [\"127.0.0.1:0\"]\nrelay_networks = [\"127.0.0.1/32\"]\n\
         routes = {{ \"far.example\" = \"[127.0.0.1]:{port}\", \"dead.example\" = \"[127.0.0.1]:9\" }}"
    ));
    near.start();
    near.add_account("ann@example.org");
    (near, far)
}

fn send(server: &Server, to: &str) -> String {
    let address = server.addresses().pop().unwrap();
    let reply = send_from(&address, "ann@example.org", to, "Subject: hi\r\n\r\nx");
    assert!(reply.starts_with("250 "), "{reply}");
    reply.split_whitespace().last().unwrap().to_owned()
}

fn wait_for_message(server: &Server, account: &str) -> String {
    let shown = || server.run(&format!("mail show {account} 1"));
    wait_for(
        "it has arrived",
        || shown().code == 0,
        || format!("{}\n{}", server.log(), server.run("queue list").out),
    );
    shown().out
}

#[test]
fn a_message_goes_on_and_the_trail_is_told() {
    let (near, far) = pair();
    let id = send(&near, "bob@far.example");
    let shown = wait_for_message(&far, "bob@far.example");
    assert!(shown.contains("by mx.example.org"), "{shown}");
    let story = || near.run(&format!("trace {id}")).out;
    wait_for(
        "the outcome is known",
        || story().contains("delivered"),
        story,
    );
    let told = story();
    for wanted in [
        "next hop [127.0.0.1]:",
        "route of far.example",
        "connected in",
        "RCPT TO:<bob@far.example>: 250",
        " ms",
    ] {
        assert!(told.contains(wanted), "no {wanted} in {told}");
    }
    let events = &near.json(&format!("trace {id}"))["events"];
    let trail = events
        .as_array()
        .unwrap()
        .iter()
        .find(|e| e["trail"].is_object());
    assert!(trail.is_some(), "{events}");
    assert_eq!(near.run("audit").code, 0);
}

#[test]
fn an_unknown_user_comes_home_as_a_report() {
    let (near, far) = pair();
    let id = send(&near, "nobody@far.example");
    let report = wait_for_message(&near, "ann@example.org");
    for wanted in [
        "Return-Path: <>\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "Content-Type: multipart/report; report-type=delivery-status",
        "Final-Recipient: rfc822; nobody@far.example\r\n",
        "Action: failed\r\n",
        "Status: 5.1.1\r\n",
        "Subject: hi\r\n",
    ] {
        assert!(report.contains(wanted), "no {wanted:?} in {report}");
    }
    let story = near.run(&format!("trace {id}")).out;
    assert!(story.contains("bounced"), "{story}");
    assert_eq!(far.json("audit")["accepted"], 0);
    assert_eq!(near.run("audit").code, 0);
}

#[test]
fn an_operator_acts_on_what_is_selected() {
    let (near, _far) = pair();
    let ids = [send(&near, "a@dead.example"), send(&near, "b@dead.example")];
    let deferred = || near.json("queue list --domain dead.example");
    let tried = |list: &serde_json::Value| {
        let items = list["items"].as_array().unwrap();
        items
            .iter()
            .all(|item| item["recipients"][0]["status"].is_string())
    };
    wait_for("both were tried", || tried(&deferred()), || near.log());
    let list = near
        .run("queue list --domain dead.example --sender ann@example.org")
        .out;
    assert!(ids.iter().all(|id| list.contains(id.as_str())), "{list}");
    assert_eq!(list.matches("QUEUE ID").count(), 1);
    for (line, said) in [
        (
            "queue list --domain far.example",
            "nothing like that is in the queue\n",
        ),
        (
            "queue list --older-than 1h",
            "nothing like that is in the queue\n",
        ),
        (
            "queue hold --domain dead.example",
            "held: messages 2, recipients 2\n",
        ),
        (
            "queue retry --domain dead.example",
            "due now: messages 0, recipients 0\n",
        ),
        (
            "queue release --sender ann@example.org",
            "due now: messages 2, recipients 2\n",
        ),
        ("queue flush", "due now: messages 2, recipients 2\n"),
        (
            "queue remove --sender <>",
            "removed: messages 0, recipients 0\n",
        ),
        (
            "queue remove --domain dead.example",
            "removed: messages 2, recipients 2\n",
        ),
        ("queue list", "the queue is empty\n"),
    ] {
        let answer = near.run(line);
        assert_eq!(
            (answer.code, answer.out.as_str()),
            (0, said),
            "{line}: {answer:?}"
        );
    }
    assert_eq!(near.run("audit").code, 0);
}

#[test]
fn an_account_sends_its_mail_on_and_keeps_a_copy() {
    let (near, far) = pair();
    let said = near.run("account deliver ann@example.org --forward bob@far.example --keep");
    assert_eq!(said.code, 0, "{said:?}");
    let list = near.run("account list").out;
    assert!(list.contains("bob@far.example, and here"), "{list}");
    send(&near, "ann@example.org");
    let there = wait_for_message(&far, "bob@far.example");
    assert!(
        there.contains("Delivered-To: ann@example.org\r\n"),
        "{there}"
    );
    wait_for_message(&near, "ann@example.org");
    let circle = near.run("account deliver ann@example.org --forward ann@example.org");
    assert_eq!(circle.code, 65, "{circle:?}");
}

#[test]
fn a_maildir_takes_the_mail_of_an_account() {
    let (near, _far) = pair();
    let maildir = near.folder.path().join("ann");
    let order = format!(
        "account deliver ann@example.org --maildir {}",
        maildir.display()
    );
    assert_eq!(near.run(&order).code, 0);
    send(&near, "ann@example.org");
    let files = |name: &str| names(&maildir.join(name));
    wait_for("it lies in new", || files("new").len() == 1, || near.log());
    assert_eq!(files("tmp"), [""; 0]);
    let file = maildir.join("new").join(&files("new")[0]);
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.starts_with("Return-Path: <ann@example.org>"), "{text}");
    assert_eq!(near.run("audit").code, 0);
    let said = near.run("account deliver ann@example.org --maildir /no/such/ann");
    assert!(
        said.err.contains("the folder /no/such, in which"),
        "{said:?}"
    );
    let data = near.data().join("new").display().to_string();
    for wrong in ["Maildir", "/dev/null/x", &data] {
        let said = near.run(&format!(
            "account deliver ann@example.org --maildir {wrong}"
        ));
        assert_eq!(said.code, 65, "{said:?}");
    }
}

#[test]
fn a_route_is_explained_without_a_server() {
    let server = Server::new();
    server.configure("dns_servers = [\"127.0.0.1:9\"]\nroutes = { \"*\" = \"[192.0.2.1]:2525\" }");
    let told = server.run("explain route a@example.net").out;
    assert!(
        told.contains("default route") && told.contains("192.0.2.1:2525"),
        "{told}"
    );
    let ours = server.json("explain route ann@example.org");
    assert_eq!(ours["reason"], "example.org is a domain of ours");
    server.configure("dns_servers = [\"127.0.0.1:9\"]");
    let dead = server.json("explain route a@example.net");
    assert!(dead["status"].as_str().unwrap().starts_with("4."), "{dead}");
    assert_eq!(server.run("explain route nonsense").code, 65);
}

#[test]
fn an_address_of_ours_is_explained_to_its_ends() {
    let mut server = Server::new();
    server.configure(
        "listen = [\"127.0.0.1:0\"]\ndns_servers = [\"127.0.0.1:9\"]\n\
         routes = { \"*\" = \"[192.0.2.1]:2525\" }",
    );
    for account in ["ann", "bob", "carol"] {
        server.add_account(&format!("{account}@example.org"));
    }
    let maildir = server.folder.path().join("carol");
    for line in [
        "account deliver bob@example.org --forward x@far.example".to_owned(),
        format!(
            "account deliver carol@example.org --maildir {}",
            maildir.display()
        ),
        "alias add all@example.org ann@example.org bob@example.org carol@example.org".to_owned(),
    ] {
        assert_eq!(server.run(&line).code, 0, "{line}");
    }
    // On the files, and by the socket.
    for running in [false, true] {
        if running {
            server.start();
        }
        let said = |address: &str| server.run(&format!("explain route {address}"));
        let nobody = said("nobody@example.org").out;
        assert!(nobody.contains("550 5.1.1 no such mailbox"), "{nobody}");
        let all = said("all@example.org").out;
        for wanted in [
            "all@example.org goes to this server",
            "mailbox       ann@example.org: alias all@example.org → ann@example.org",
            "forward of bob@example.org → x@far.example",
            "tried first   [192.0.2.1]:2525",
            &format!("Maildir       {} of carol@example.org", maildir.display()),
        ] {
            assert!(all.contains(wanted), "no {wanted} in {all}");
        }
        let role = said("mailer-daemon@mx.example.org").out;
        assert!(role.contains("oldest account"), "{role}");
        let json = server.json("explain route bob@example.org");
        assert_eq!(json["to"][0]["route"]["reason"], "default route", "{json}");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}
