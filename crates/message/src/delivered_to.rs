//! The field by which a mailbox recognizes a message that it has had before. It is not in any RFC
//! of the standards track; qmail began it, Postfix, Courier and others do the same (RFC 9228
//! describes it).

use mailtypes::Mailbox;

use crate::HeaderFacts;

/// `Delivered-To: ann@example.org`, written at delivery and before an alias sends a message on.
pub fn write(mailbox: &Mailbox) -> String {
    format!("Delivered-To: {mailbox}\r\n")
}

/// Whether the message says that it was delivered to `mailbox` already.
///
/// The case of the local part does not count, as it does not in our own directory. A value that
/// is no mailbox, or that did not fit into the facts, is nobody's.
pub fn is_loop(facts: &HeaderFacts, mailbox: &Mailbox) -> bool {
    let ours = mailbox.folded();
    facts
        .delivered_to
        .iter()
        .filter_map(|value| Mailbox::parse(without_brackets(value)).ok())
        .any(|seen| seen.folded() == ours)
}

fn without_brackets(value: &str) -> &str {
    value
        .strip_prefix('<')
        .and_then(|rest| rest.strip_suffix('>'))
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HeaderScan;

    fn check(header: &str, mailbox: &str, expect: bool) {
        let mut scan = HeaderScan::new();
        scan.push(header.as_bytes());
        let mailbox = Mailbox::parse(mailbox).unwrap();
        assert_eq!(is_loop(&scan.finish(), &mailbox), expect, "{header:?}");
    }

    #[test]
    fn a_mailbox_knows_its_own_mark() {
        let ann = Mailbox::parse("ann@example.org").unwrap();
        check(&write(&ann), "ann@example.org", true);
        check("Delivered-To: ANN@Example.ORG\r\n", "ann@example.org", true);
        check(
            "Delivered-To: <ann@example.org>\r\n",
            "Ann@example.org",
            true,
        );
        check(
            "delivered-to :\r\n ann@example.org\r\n",
            "ann@example.org",
            true,
        );
    }

    #[test]
    fn the_mark_of_another_is_no_loop() {
        check(
            "Delivered-To: bob@example.org\r\n",
            "ann@example.org",
            false,
        );
        check(
            "Delivered-To: ann@example.net\r\n",
            "ann@example.org",
            false,
        );
        check(
            "Delivered-To: ann+x@example.org\r\n",
            "ann@example.org",
            false,
        );
        check("Delivered-To: not an address\r\n", "ann@example.org", false);
        check(
            "\r\nDelivered-To: ann@example.org\r\n",
            "ann@example.org",
            false,
        );
    }
}
