//! The field by which each server says that a message came by. RFC 5321 §4.4
//!
//! Half of its content comes from a peer that may be hostile: nothing that a client says can end
//! the field, open a comment or look like another clause.

use std::net::IpAddr;

use mailtypes::{AddressLiteral, Domain, ItemId, Mailbox, Protocol, Timestamp};

use crate::date;

/// What one `Received:` field tells.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// What the client called itself. Any text: it is made harmless here.
    pub helo: &'a str,
    /// Where the connection came from.
    pub client: IpAddr,
    /// The verified name of that address.
    pub reverse_name: Option<&'a Domain>,
    /// Our own name.
    pub by: &'a str,
    /// How it came.
    pub protocol: Protocol,
    /// Our name for the message.
    pub id: ItemId,
    /// Whom it is for. Only when the envelope has exactly one recipient: otherwise the field would
    /// tell one recipient of the others. RFC 5321 §7.6
    pub recipient: Option<&'a Mailbox>,
    /// When.
    pub at: Timestamp,
}

impl Received<'_> {
    /// The whole field with its final CRLF, folded; lines have at most 78 octets wherever a word
    /// is not longer than that, and never more than 998. RFC 5322 §2.1.1
    pub fn write(&self) -> String {
        let mut field = Folded::new(format!("Received: from {}", harmless(self.helo)));
        let client = AddressLiteral::Ip(self.client.to_canonical());
        match self.reverse_name {
            Some(name) => {
                field.word(&format!("({name}"));
                field.word(&format!("{client})"));
            }
            None => field.word(&format!("({client})")),
        }
        field.new_line(&format!("by {}", harmless(self.by)));
        field.word("(Postrider)");
        field.word(&format!("with {}", self.protocol));
        field.word(&format!("id {}", self.id));
        if let Some(recipient) = self.recipient {
            field.new_line(&format!("for <{recipient}>"));
        }
        field.text.push(';');
        field.new_line(&date::rfc5322(self.at));
        field.text.push_str("\r\n");
        field.text
    }
}

/// A field in the making. Words are never split: each of ours is shorter than 300 octets.
struct Folded {
    text: String,
    /// Where the last line begins.
    line_start: usize,
}

impl Folded {
    const fn new(text: String) -> Self {
        Self {
            text,
            line_start: 0,
        }
    }

    /// Adds a word to this line, or to the next when this one is full. Leaves room for a `;`.
    fn word(&mut self, word: &str) {
        let line_len = self.text.len() - self.line_start;
        if line_len + " ".len() + word.len() + ";".len() > LINE_LEN_WANTED {
            self.new_line(word);
        } else {
            self.text.push(' ');
            self.text.push_str(word);
        }
    }

    fn new_line(&mut self, word: &str) {
        self.text.push_str("\r\n");
        self.line_start = self.text.len();
        self.text.push('\t');
        self.text.push_str(word);
    }
}

/// The text as it is when it is a domain or an address literal; else each character that could
/// mean something in a structured field becomes `?`. RFC 5322 §3.2.3
fn harmless(name: &str) -> String {
    if AddressLiteral::parse(name).is_ok() && name.len() <= NAME_LEN_MAX {
        return name.to_owned();
    }
    let safe = |c: char| c.is_ascii_alphanumeric() || ".-_+=/:~".contains(c);
    let text: String = name
        .trim()
        .chars()
        .take(NAME_LEN_MAX)
        .map(|c| if safe(c) { c } else { '?' })
        .collect();
    if text.is_empty() {
        "unknown".to_owned()
    } else {
        text
    }
}

/// RFC 5322 §2.1.1: the length that a line should not exceed, without CRLF.
const LINE_LEN_WANTED: usize = 78;
/// RFC 5321 §4.5.3.1.2: a longer name is cut.
const NAME_LEN_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(helo: &str) -> Received<'_> {
        Received {
            helo,
            client: "192.0.2.1".parse().unwrap(),
            reverse_name: None,
            by: "mx.example.org",
            protocol: Protocol::Esmtp,
            id: ItemId::parse("01JD5M0F7QK2Z").unwrap(),
            recipient: None,
            at: Timestamp::from_millis(1_795_468_687_000),
        }
    }

    #[test]
    fn the_field_is_folded_at_its_clauses() {
        let ann = Mailbox::parse("ann@example.org").unwrap();
        let received = Received {
            recipient: Some(&ann),
            ..plain("client.example.net")
        };
        assert_eq!(
            received.write(),
            "Received: from client.example.net ([192.0.2.1])\r\n\
             \tby mx.example.org (Postrider) with ESMTP id 01JD5M0F7QK2Z\r\n\
             \tfor <ann@example.org>;\r\n\
             \tMon, 23 Nov 2026 21:18:07 +0000\r\n"
        );
    }

    #[test]
    fn names_and_addresses_of_every_kind() {
        let name = Domain::parse("host.example.net").unwrap();
        let received = Received {
            client: "2001:db8::1".parse().unwrap(),
            reverse_name: Some(&name),
            protocol: Protocol::Esmtpsa,
            ..plain("[IPv6:2001:db8::1]")
        };
        assert_eq!(
            received.write(),
            "Received: from [IPv6:2001:db8::1] (host.example.net [IPv6:2001:db8::1])\r\n\
             \tby mx.example.org (Postrider) with ESMTPSA id 01JD5M0F7QK2Z;\r\n\
             \tMon, 23 Nov 2026 21:18:07 +0000\r\n"
        );
        let mapped = Received {
            client: "::ffff:192.0.2.1".parse().unwrap(),
            ..plain("a")
        };
        assert_eq!(mapped.write(), plain("a").write());
    }

    #[test]
    fn hostile_names_are_made_harmless() {
        for (helo, expect) in [
            ("client.example.net", "client.example.net"),
            ("Client_1.Example.NET", "Client_1.Example.NET"),
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("[192.0.2.1", "?192.0.2.1"),
            ("a b", "a?b"),
            ("a)\r\n\tby evil (", "a????by?evil??"),
            ("x\r\nBcc: ann", "x??Bcc:?ann"),
            ("a;b\\\"<c>@d,\0", "a?b???c??d??"),
            ("bücher.example", "b?cher.example"),
            ("", "unknown"),
            (" ", "unknown"),
        ] {
            assert_eq!(harmless(helo), expect, "{helo:?}");
        }
        assert_eq!(harmless(&"a".repeat(9000)).len(), NAME_LEN_MAX);
    }

    #[test]
    fn long_names_fold() {
        let long = "a".repeat(70);
        let text = plain(&long).write();
        assert!(text.starts_with(&format!(
            "Received: from {long}\r\n\t([192.0.2.1])\r\n\tby "
        )));
    }

    proptest! {
        #[test]
        fn no_name_breaks_the_field(helo in "[\\PC\r\n\0\t()\\[\\]]{0,300}", by in "\\PC{0,300}") {
            let text = Received { by: &by, ..plain(&helo) }.write();
            prop_assert!(text.is_ascii() && text.ends_with("\r\n"));
            let lines: Vec<&str> = text.trim_end_matches("\r\n").split("\r\n").collect();
            prop_assert!(lines[0].starts_with("Received: from "));
            for (n, line) in lines.iter().enumerate() {
                prop_assert!(line.len() <= 998 && (n == 0 || line.starts_with('\t')));
                prop_assert!(!line[1..].contains(|c: char| c.is_control()));
                prop_assert!(line.len() <= LINE_LEN_WANTED || !line[16.min(line.len())..].contains(' '));
            }
            prop_assert_eq!(text.matches('(').count(), 2);
            prop_assert_eq!(text.matches(')').count(), 2);
            prop_assert_eq!(text.matches(';').count(), 1);
        }
    }
}
