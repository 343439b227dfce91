//! Reports: whatever a message brings and servers say, a report is ASCII in lines that fit, with the
//! header fields that we write and no others.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailtypes::{Domain, EnhancedCode, Mailbox, Status, Timestamp};
use message::dsn;

fuzz_target!(|input: (u8, &str, &str, &[u8])| {
    let (flags, said, boundary, message) = input;
    let original = dsn::original(message);
    let hostname = Domain::parse("mx.example.org").expect("a domain");
    let mailbox = |text: &str| Mailbox::parse(text).expect("an address");
    let (from, to) = (
        mailbox("mailer-daemon@mx.example.org"),
        mailbox("ann@example.org"),
    );
    let address = mailbox("bob@example.net");
    let status = Status::new(EnhancedCode::new(5, 4, 7), said);
    let remote = dsn::Remote {
        host: "mx.example.net",
        ip: Some([192, 0, 2, 1].into()),
        command: "RCPT",
        reply: said,
    };
    let recipient = dsn::Recipient {
        address: &address,
        original: Some(said).filter(|_| flags & 1 > 0),
        status: &status,
        remote: Some(remote).filter(|_| flags & 2 > 0),
        last_attempt: Some(Timestamp::EPOCH),
    };
    // A boundary is made of letters and digits.
    let boundary: String = boundary
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(40)
        .collect();
    let written = dsn::write(&dsn::Report {
        kind: if flags & 4 > 0 {
            dsn::Kind::Failure
        } else {
            dsn::Kind::Delay {
                until: Timestamp::EPOCH,
            }
        },
        hostname: &hostname,
        queue_id: "0ABC",
        arrived: Timestamp::EPOCH,
        now: Timestamp::EPOCH,
        from: &from,
        to: &to,
        message_id: "1@mx.example.org",
        boundary: &format!("=_{boundary}"),
        recipients: &[recipient],
        original: &original,
        returned: match flags >> 3 & 3 {
            0 => dsn::Returned::Nothing,
            1 => dsn::Returned::Header(message),
            _ => dsn::Returned::Whole(message),
        },
    });
    check(&written);
});

fn check(written: &dsn::Written) {
    let octets = &written.octets;
    assert!(octets.iter().all(|octet| *octet < 128 && *octet != 0));
    let text = std::str::from_utf8(octets).expect("it is ASCII");
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert!(
        lines
            .iter()
            .all(|line| line.len() <= 998 && !line.contains(['\r', '\n']))
    );
    let (head, _) = text.split_once("\r\n\r\n").expect("a header section");
    assert_eq!(written.header_len, head.len() as u64 + 4);
    let names = head.split("\r\n").filter(|line| !line.starts_with(' '));
    let names: Vec<&str> = names
        .map(|line| line.split_once(':').expect("a field").0)
        .collect();
    assert!(names.len() <= 10 && names.iter().filter(|name| **name == "To").count() == 1);
}
