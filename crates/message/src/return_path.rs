//! The field that keeps the envelope sender when a message leaves the world of envelopes.

use mailtypes::ReversePath;

/// `Return-Path: <ann@example.org>`, written once, at final delivery. RFC 5321 §4.4
pub fn write(path: &ReversePath) -> String {
    format!("Return-Path: <{path}>\r\n")
}

#[cfg(test)]
mod tests {
    use mailtypes::Mailbox;

    use super::*;

    #[test]
    fn the_field_is_one_line() {
        let ann = Mailbox::parse(r#""a b"@example.org"#).unwrap();
        assert_eq!(
            write(&ReversePath::Mailbox(ann)),
            "Return-Path: <\"a b\"@example.org>\r\n"
        );
        assert_eq!(write(&ReversePath::Null), "Return-Path: <>\r\n");
    }
}
