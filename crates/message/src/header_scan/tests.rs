use proptest::prelude::*;

use super::*;

fn facts(message: &[u8]) -> HeaderFacts {
    let mut scan = HeaderScan::new();
    scan.push(message);
    scan.finish()
}

fn check_len(message: &str, header_len: usize) {
    let expect = u64::try_from(header_len).unwrap();
    assert_eq!(facts(message.as_bytes()).header_len, expect, "{message:?}");
}

#[test]
fn an_empty_line_ends_the_header() {
    check_len("Subject: x\r\n\r\nbody\r\n", 14);
    check_len("\r\nbody\r\n", 2);
    check_len("Subject: x\r\n", 12); // no empty line: all of it
    check_len("Subject: x", 10);
    check_len("Subject: x\r\n folded\r\n \r\n\r\nbody", 26); // spaces alone are a fold
    check_len("", 0);
}

#[test]
fn a_line_that_is_no_field_ends_the_header_too() {
    check_len("Subject: x\r\nbody\r\nFrom: a\r\n\r\n", 12);
    check_len("Subject: x\r\nbody", 12);
    check_len("two words: x\r\n", 0);
    check_len(": x\r\n", 0);
    check_len(" x\r\nSubject: x\r\n", 0); // nothing there to continue
    check_len("S\u{e4}: x\r\n", 0);
    check_len("Subject: x\r\n\rbody", 12);
    check_len("Subject: x\r\n\r", 12);
}

#[test]
fn only_crlf_ends_a_line() {
    // RFC 5321 §2.3.8
    check_len("Subject: x\n\nReceived: y\r\n\r\nbody", 27);
    assert_eq!(facts(b"A: x\nReceived: y\rReceived: z\r\n").received, 0);
    assert_eq!(facts(b"A: x\r\r\nReceived: y\r\n").received, 1);
}

#[test]
fn spaces_before_the_colon_and_any_case() {
    // RFC 5322 §4.5.8
    let facts = facts(b"RECEIVED: a\r\nreceived : b\r\nReceived \t:c\r\nReceived-SPF: d\r\n");
    assert_eq!(facts.received, 3);
}

#[test]
fn an_mbox_line_is_passed_over() {
    for first in [
        "From ann@example.org Mon Nov 23 21:18:07 2026",
        ">From ann",
        "From ",
    ] {
        let found = facts(format!("{first}\r\nDate: x\r\n\r\n").as_bytes());
        assert!(found.has_date && !found.has_from, "{first}");
    }
    assert!(facts(b"From : ann@example.org\r\n").has_from);
    check_len("from ann\r\n", 0);
    check_len("A: b\r\nFrom ann\r\n", 6); // only in the first line
}

#[test]
fn return_paths_are_found_with_all_their_lines() {
    let message = b"Return-Path: <a@b>\r\nA: x\r\nreturn-path:\r\n\t<>\r\n\r\nReturn-Path: z\r\n";
    let found = facts(message);
    assert_eq!(found.return_path, [0..20, 26..45]);
    assert_eq!(found.return_path_total, 2);
    assert_eq!(
        facts(b"Return-Path: <>").return_path,
        std::slice::from_ref(&(0..15))
    );
}

#[test]
fn values_are_unfolded_trimmed_and_bounded() {
    let found = facts(b"Delivered-To:\r\n\t ann@example.org \r\nMessage-ID: <a\r\n\tb\x01>\r\n");
    assert_eq!(found.delivered_to, ["ann@example.org"]);
    assert_eq!(found.message_id.as_deref(), Some("<a b\u{fffd}>"));

    let long = "x".repeat(KEPT_VALUE_LEN_MAX);
    let message =
        format!("Delivered-To: {long}\r\n \r\nDelivered-To: {long}y\r\nMessage-Id: {long}y");
    let found = facts(message.as_bytes());
    assert_eq!(found.delivered_to, [long.as_str()]);
    assert_eq!(found.delivered_to_total, 2);
    assert_eq!(found.message_id.as_deref(), Some(long.as_str()));
}

#[test]
fn lists_are_bounded_and_say_so() {
    let found = facts(
        "Delivered-To: a\r\nReturn-Path: <>\r\n"
            .repeat(1000)
            .as_bytes(),
    );
    assert_eq!(
        (found.delivered_to.len(), found.delivered_to_total),
        (DELIVERED_TO_MAX, 1000)
    );
    assert_eq!(
        (found.return_path.len(), found.return_path_total),
        (RETURN_PATH_MAX, 1000)
    );
}

#[test]
fn a_huge_header_keeps_memory_small() {
    let mut scan = HeaderScan::new();
    scan.push(b"Message-ID: ");
    for _ in 0..10_000 {
        scan.push(&[b'x'; 1000]);
    }
    let kept = scan.field.as_ref().map(|field| field.value.capacity());
    assert!(kept.is_some_and(|octets| octets <= 2 * KEPT_VALUE_LEN_MAX));
    assert_eq!(scan.finish().header_len, 10_000_012);
}

/// Text in which everything that matters is frequent.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"Return-Path: <>\r\n".to_vec()),
        Just(b"Delivered-To: a@b\r\n".to_vec()),
        Just(b"Received".to_vec()),
        Just(b"From ".to_vec()),
        Just(b"Message-ID:".to_vec()),
        Just(b":".to_vec()),
        Just(b" ".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..3),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn splitting_changes_nothing(message in message(), sizes in prop::collection::vec(1usize..9, 1..40)) {
        let mut scan = HeaderScan::new();
        let mut rest = message.as_slice();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, later) = rest.split_at(rest.len().min(*size));
            scan.push(piece);
            rest = later;
        }
        prop_assert_eq!(scan.finish(), facts(&message));
    }

    #[test]
    fn ranges_are_ordered_and_inside(message in message()) {
        let found = facts(&message);
        let len = u64::try_from(message.len()).unwrap();
        prop_assert!(found.header_len <= len);
        let mut end = 0;
        for range in &found.return_path {
            prop_assert!(end <= range.start && range.start < range.end);
            end = range.end;
        }
        prop_assert!(end <= found.header_len);
    }

    #[test]
    fn the_body_changes_nothing(message in message(), body in prop::collection::vec(any::<u8>(), 0..20)) {
        let header = [b"A: b\r\n", message.as_slice(), b"\r\n\r\n"].concat();
        let longer = [header.as_slice(), &body].concat();
        prop_assert_eq!(facts(&longer), facts(&header));
    }
}
