use std::time::Duration;

use super::*;
use crate::testing::mailbox;

const AT: Timestamp = Timestamp::EPOCH;

fn exchange(command: &str, reply: &str) -> Exchange {
    Exchange {
        command: command.to_owned(),
        reply: Some(reply.parse().unwrap()),
        began: AT,
        ended: AT + Duration::from_millis(7),
    }
}

fn trail(hosts: usize) -> Trail {
    let mut trail = Trail::new("mx of far.example".to_owned(), "test".to_owned());
    for n in 0..hosts {
        let address = format!("192.0.2.{n}:25").parse().unwrap();
        trail.host(&format!("mx{n}.far.example"), address, Some(10), false);
    }
    trail
}

/// A transaction with so many recipients, every reply as long as it may be.
fn transaction(recipients: usize, pad: usize) -> Vec<Exchange> {
    let pad = "x".repeat(pad);
    let mut all = vec![exchange(
        "MAIL FROM:<ann@example.org>",
        &format!("250 sender {pad}"),
    )];
    for n in 0..recipients {
        let command = format!("RCPT TO:<r{n}@far.example>");
        all.push(exchange(&command, &format!("250 for r{n} {pad}")));
    }
    all.push(exchange("DATA", &format!("354 go on {pad}")));
    all.push(exchange("final dot", &format!("250 taken {pad}")));
    all
}

#[test]
fn each_recipient_has_what_concerns_it() {
    for pad in [0, 4000] {
        let mut trail = trail(1);
        trail.said(transaction(100, pad), 0);
        for n in [0, 42, 99] {
            let text = trail.write(&mailbox(&format!("r{n}@far.example")));
            for part in [
                "250 sender",
                "354 go on",
                "250 taken",
                &format!("250 for r{n} "),
            ] {
                assert!(text.contains(part), "{part} in {text}");
            }
            assert_eq!(text.matches("RCPT TO").count(), 1, "{text}");
            assert!(!text.contains("left_out"), "{text}");
            assert_eq!(text.contains("octets more]"), pad > 0, "{text}");
            assert!(text.len() < 6000, "{}", text.len());
        }
    }
}

/// Others read it: the names and their order stay.
#[test]
fn this_is_how_it_is_kept() {
    let mut trail = trail(1);
    let question = Question {
        name: mailtypes::dns::DnsName::from(&mailtypes::Domain::parse("far.example").unwrap()),
        kind: mailtypes::dns::Kind::Mx,
    };
    trail.asked(&question, &Err(DnsError::NoSuchName), AT, AT);
    trail.failed("no answer".to_owned());
    trail.host(
        "mx1.far.example",
        "192.0.2.1:25".parse().unwrap(),
        None,
        true,
    );
    trail.connected(AT, AT + Duration::from_millis(3));
    trail.said(transaction(2, 1), 4);
    trail.blame(&RecipientAnswer::Refused {
        stage: Stage::Rcpt,
        reply: "550 \"no\"".parse().unwrap(),
    });
    let said = |more: &str| {
        format!(
            concat!(
                r#"{{"hop":"mx of far.example","reason":"test","#,
                r#""dns":[{{"question":"MX far.example","answer":"the name does not exist (NXDOMAIN)","ms":0}}],"#,
                r#""hosts":[{{"name":"mx0.far.example","address":"192.0.2.0:25","preference":10,"#,
                r#""failed":"no answer"}},"#,
                r#"{{"name":"mx1.far.example","address":"192.0.2.1:25","kept":true,"connect_ms":3,"#,
                r#""said":[{{"to":"MAIL FROM:<ann@example.org>","reply":"250 sender x","ms":7}},"#,
                r#"{}{{"to":"DATA","reply":"354 go on x","ms":7}},"#,
                r#"{{"to":"final dot","reply":"250 taken x","ms":7}}]}}],"#,
                r#""blamed":{{"host":"mx1.far.example","ip":"192.0.2.1","command":"RCPT","#,
                r#""reply":"550 \"no\""}},"left_out":4}}"#
            ),
            more
        )
    };
    let own = r#"{"to":"RCPT TO:<r1@far.example>","reply":"250 for r1 x","ms":7},"#;
    assert_eq!(trail.write(&mailbox("r1@far.example")), said(own));
    assert_eq!(trail.write(&mailbox("other@far.example")), said(""));
    let short = Trail::new("hop".to_owned(), "test".to_owned());
    assert_eq!(
        short.write(&mailbox("r1@far.example")),
        r#"{"hop":"hop","reason":"test","hosts":[]}"#
    );
}

#[test]
fn it_has_a_limit_in_octets_and_says_what_is_missing() {
    let mut trail = trail(10);
    for _ in 0..10 {
        trail.said(transaction(1, 4000), 2);
    }
    let question = Question {
        name: mailtypes::dns::DnsName::from(&mailtypes::Domain::parse("far.example").unwrap()),
        kind: mailtypes::dns::Kind::Txt,
    };
    for _ in 0..100 {
        let answer = Answer {
            records: mailtypes::dns::Records::Txt(vec![vec![b'y'; 60_000]]),
            aliases: Vec::new(),
            ttl: Duration::ZERO,
        };
        trail.asked(&question, &Ok(answer), AT, AT);
    }
    let text = trail.write(&mailbox("other@far.example"));
    let most = TRAIL_DNS_LEN_MAX + TRAIL_SAID_LEN_MAX + 4 * 1024;
    assert!(
        text.len() <= most && text.len() > most / 2,
        "{}",
        text.len()
    );
    assert!(trail.left_out > 20 && text.contains("left_out"));
}

#[test]
fn the_blamed_host_has_a_name_or_an_address() {
    let refused = RecipientAnswer::Refused {
        stage: Stage::Rcpt,
        reply: "550 no".parse().unwrap(),
    };
    for (name, address, host) in [
        ("mx.far.example", "192.0.2.1:25", "mx.far.example"),
        ("[192.0.2.1]:26", "192.0.2.1:26", "[192.0.2.1]"),
        ("[2001:db8::1]", "[2001:db8::1]:25", "[IPv6:2001:db8::1]"),
    ] {
        let mut trail = trail(0);
        trail.host(name, address.parse().unwrap(), None, true);
        trail.blame(&refused);
        let blamed = Blamed::read(&trail.write(&mailbox("x@far.example"))).unwrap();
        assert_eq!(blamed.host, host);
    }
}

#[test]
fn a_host_that_wants_no_session_is_named_too() {
    let refusal = SessionRefusal::Refused {
        stage: Stage::Greeting,
        reply: "554 5.3.2 no mail here".parse().unwrap(),
    };
    let mut trail = trail(0);
    trail.host(
        "mx.far.example",
        "192.0.2.1:25".parse().unwrap(),
        None,
        false,
    );
    trail.blame_session(Some(&refusal));
    let blamed = Blamed::read(&trail.write(&mailbox("x@far.example"))).unwrap();
    assert_eq!(
        (blamed.host.as_str(), blamed.reply.as_str()),
        ("mx.far.example", "554 5.3.2 no mail here")
    );
    // Where nobody answered there is nobody to name.
    trail.blame_session(None);
    assert_eq!(trail.blamed, None);
}
