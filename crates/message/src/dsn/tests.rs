use mailtypes::EnhancedCode;
use proptest::prelude::*;

use super::*;

fn status(code: (u8, u16, u16), text: &str) -> Status {
    Status::new(EnhancedCode::new(code.0, code.1, code.2), text)
}

struct Case {
    hostname: Domain,
    from: Mailbox,
    to: Mailbox,
    address: Mailbox,
    status: Status,
    original: Original,
}

impl Case {
    fn new(status: Status, header: &str) -> Self {
        let mailbox = |text: &str| Mailbox::parse(text).unwrap();
        Self {
            hostname: Domain::parse("mx.example.org").unwrap(),
            from: mailbox("mailer-daemon@mx.example.org"),
            to: mailbox("ann@example.org"),
            address: mailbox("bob@example.net"),
            status,
            original: original(header.as_bytes()),
        }
    }

    fn write(&self, kind: Kind, reply: &str, returned: Returned<'_>) -> String {
        let remote = Remote {
            host: "mx.example.net",
            ip: Some([192, 0, 2, 1].into()),
            command: "RCPT",
            reply,
        };
        let remote = Some(remote).filter(|remote| !remote.reply.is_empty());
        self.write_of(kind, remote, returned)
    }

    fn write_of(&self, kind: Kind, remote: Option<Remote<'_>>, returned: Returned<'_>) -> String {
        let recipient = Recipient {
            address: &self.address,
            original: Some("all@example.org"),
            status: &self.status,
            remote,
            last_attempt: Some(Timestamp::from_millis(1_800_000_060_000)),
        };
        let report = Report {
            kind,
            hostname: &self.hostname,
            queue_id: "0ABC",
            arrived: Timestamp::from_millis(1_800_000_000_000),
            now: Timestamp::from_millis(1_800_000_060_000),
            from: &self.from,
            to: &self.to,
            message_id: "1@mx.example.org",
            boundary: "=_report",
            recipients: &[recipient],
            original: &self.original,
            returned,
        };
        let written = write(&report);
        let octets = written.octets;
        assert_travels(&octets);
        let text = String::from_utf8(octets).unwrap();
        let header_len = text.find("\r\n\r\n").unwrap() + 4;
        assert_eq!(written.header_len, header_len as u64);
        let longest = text.split("\r\n").map(str::len).max().unwrap();
        assert_eq!(written.longest_line, longest as u64);
        text
    }
}

/// ASCII in lines that fit, ended by CRLF.
fn assert_travels(octets: &[u8]) {
    assert!(octets.iter().all(|b| *b < 128 && *b != 0));
    let text = std::str::from_utf8(octets).unwrap();
    assert!(text.ends_with("\r\n"));
    for line in text.split("\r\n") {
        assert!(
            line.len() <= 998 && !line.contains(['\r', '\n']),
            "{line:?}"
        );
    }
}

/// Compares with a golden file, whose lines end in LF.
fn assert_golden(golden: &str, text: &str) {
    let text = text.replace("\r\n", "\n");
    assert!(text == golden, "it is now:\n{text}");
}

const HEADER: &str =
    "Subject: hello\r\nMessage-ID: <7@example.org>\r\nReferences: <5@example.org>\r\n\r\n";

#[test]
fn a_failure_says_all_there_is() {
    let case = Case::new(status((5, 1, 1), "gone"), HEADER);
    let text = case.write(
        Kind::Failure,
        "550 5.1.1 No such user",
        Returned::Header(HEADER.as_bytes()),
    );
    assert_golden(include_str!("../../tests/dsn/failure.eml"), &text);
}

#[test]
fn a_delay_says_until_when() {
    let case = Case::new(
        status((4, 4, 1), "mx.example.net: connection refused"),
        HEADER,
    );
    let until = Timestamp::from_millis(1_800_432_000_000);
    let text = case.write(
        Kind::Delay { until },
        "",
        Returned::Header(HEADER.as_bytes()),
    );
    assert_golden(include_str!("../../tests/dsn/delay.eml"), &text);
}

/// The value of a field of the part for programs, unfolded.
fn value<'a>(text: &'a str, name: &str) -> Option<String> {
    let unfolded: &'a str = text.split("Content-Type: message/delivery-status").nth(1)?;
    let unfolded = unfolded.replace("\r\n ", " ");
    let start = format!("{name}: ");
    let line = unfolded
        .split("\r\n")
        .find_map(|line| line.strip_prefix(&start));
    line.map(str::to_owned)
}

#[test]
fn names_longer_than_a_line_stay_whole() {
    let mut case = Case::new(status((5, 1, 1), "gone"), HEADER);
    let local = "verp-".repeat(12);
    let long = format!("{local}@{}.example.net", "x".repeat(60));
    case.address = Mailbox::parse(&long).unwrap();
    let host = format!("{0}.{0}.example.net", "y".repeat(60));
    let remote = Remote {
        host: &host,
        ip: Some([192, 0, 2, 1].into()),
        command: "RCPT",
        reply: "550 no",
    };
    let text = case.write_of(Kind::Failure, Some(remote), Returned::Nothing);
    let told = |name| value(&text, name).unwrap();
    assert_eq!(told("Final-Recipient"), format!("rfc822; {long}"));
    assert_eq!(told("Remote-MTA"), format!("dns; {host} (192.0.2.1)"));
    // RFC 3464 §2.3.1: only when the envelope had it.
    assert_eq!(value(&text, "Original-Recipient"), None);
    assert!(text.contains("(you wrote to all@example.org)"));
}

#[test]
fn a_server_without_a_name_or_without_a_word() {
    let case = Case::new(status((4, 4, 2), "[192.0.2.1]: closed at RCPT"), HEADER);
    let remote = Remote {
        host: "[192.0.2.1]",
        ip: Some([192, 0, 2, 1].into()),
        command: "RCPT",
        reply: "",
    };
    let text = case.write_of(Kind::Failure, Some(remote), Returned::Nothing);
    let told = |name| value(&text, name).unwrap();
    assert_eq!(told("Remote-MTA"), "dns; [192.0.2.1]");
    let diagnostic = "x-postrider; [192.0.2.1]: closed at RCPT";
    assert_eq!(told("Diagnostic-Code"), diagnostic);
    assert!(!text.contains("rfc822-headers"), "nothing comes along");
}

#[test]
fn who_reads_it_learns_that_it_was_given_up() {
    let text = "given up after 5 days; the last try: 4.2.1 mx said to RCPT: 450 4.2.1 later";
    let case = Case::new(status((5, 4, 7), text), HEADER);
    let text = case.write(Kind::Failure, "450 4.2.1 later", Returned::Nothing);
    assert!(
        text.contains("What happened: given up after 5 days"),
        "{text}"
    );
    assert!(text.contains("The server mx.example.net [192.0.2.1] answered, to RCPT:"));
    assert_eq!(
        value(&text, "Diagnostic-Code").unwrap(),
        "smtp; 450 4.2.1 later"
    );
}

/// The lines of the subject of a report on a message with this one.
fn subject_lines(subject: &str) -> Vec<String> {
    let header = format!("Subject: {subject}\r\n\r\n");
    let case = Case::new(status((5, 1, 1), "gone"), &header);
    let text = case.write(Kind::Failure, "550 no", Returned::Nothing);
    let field = text.split("Subject: ").nth(1).unwrap();
    let field = field.split("\r\nMessage-ID").next().unwrap();
    field.split("\r\n").map(str::to_owned).collect()
}

#[test]
fn a_subject_in_other_letters_is_as_it_was() {
    // RFC 2047 §6.2: white space between encoded-words is none.
    assert_eq!(
        subject_lines("=?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\t=?utf-8?Q?_aus_K=C3=B6ln?="),
        [
            "Not delivered: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=",
            " =?utf-8?Q?_aus_K=C3=B6ln?="
        ]
    );
    // RFC 6532 §3.2
    assert_eq!(
        subject_lines("Größe"),
        ["Not delivered: =?utf-8?Q?Gr=C3=B6=C3=9Fe?="]
    );
    let long = subject_lines(&"ж".repeat(500));
    assert_eq!(long.len(), 1 + 10);
    for line in &long[1..] {
        assert!(line.len() <= 76 && line.starts_with(" =?") && line.ends_with("?="));
    }
}

#[test]
fn a_subject_that_would_be_a_riddle_is_not_in_the_text() {
    for (subject, shown) in [
        ("Hi there", true),
        ("Größe", false),
        ("=?utf-8?Q?=C3=B6?=", false),
    ] {
        let header = format!("Subject: {subject}\r\n\r\n");
        let case = Case::new(status((5, 1, 1), "gone"), &header);
        let text = case.write(Kind::Failure, "550 no", Returned::Nothing);
        assert_eq!(text.contains("    Subject: "), shown, "{subject}");
    }
}

#[test]
fn small_messages_come_back_whole_when_they_can_travel() {
    let case = Case::new(status((5, 0, 0), "no"), HEADER);
    let whole = format!("{HEADER}text\r\n");
    let text = case.write(Kind::Failure, "550 no", Returned::Whole(whole.as_bytes()));
    assert!(text.contains("Content-Type: message/rfc822\r\n\r\nSubject: hello\r\n"));
    assert!(text.contains("\r\ntext\r\n"));
    let eight = format!("{HEADER}t\u{e9}xt\r\n");
    let text = case.write(Kind::Failure, "550 no", Returned::Whole(eight.as_bytes()));
    assert!(text.contains("Content-Type: text/rfc822-headers\r\n\r\nSubject: hello\r\n"));
    let eight = "Subject: h\u{e9}llo\r\n\r\n";
    let text = case.write(Kind::Failure, "550 no", Returned::Header(eight.as_bytes()));
    assert!(text.contains("quoted-printable\r\n\r\nSubject: h=C3=A9llo\r\n"));
}

#[test]
fn a_boundary_that_is_taken_is_changed() {
    let case = Case::new(status((5, 0, 0), "no"), HEADER);
    let whole = format!("{HEADER}--=_report\r\n");
    let text = case.write(Kind::Failure, "550 no", Returned::Whole(whole.as_bytes()));
    assert!(text.contains("boundary=\"=_report=x\""));
    assert!(text.ends_with("\r\n--=_report=x--\r\n"));
}

proptest! {
    #[test]
    fn nothing_that_was_said_does_harm(reply in ".{0,600}", subject in ".{0,600}", body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let header = format!("Subject: {subject}\r\nMessage-ID: <{reply}>\r\n\r\n");
        let case = Case::new(status((5, 7, 1), &reply), &header);
        let text = case.write(Kind::Failure, &reply, Returned::Whole(&body));
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        let names: Vec<&str> = head
            .split("\r\n")
            .filter(|line| !line.starts_with(' '))
            .map(|line| line.split_once(':').unwrap().0)
            .collect();
        prop_assert_eq!(names.iter().filter(|name| **name == "To").count(), 1);
        prop_assert!(names.len() <= 10);
    }
}
