//! What a report takes over from the header of the message it is about.

use memchr::memmem;

/// What is known of the message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Original {
    /// With its angle brackets.
    pub message_id: Option<String>,
    /// Message ids, oldest first, each with its angle brackets.
    pub references: Vec<String>,
    /// Unfolded, as it stood.
    pub subject: Option<String>,
}

/// Looks through a header section.
pub fn original(header: &[u8]) -> Original {
    let end = memmem::find(header, b"\r\n\r\n").map_or(header.len(), |at| at + 2);
    let mut found = Original::default();
    for field in fields(&header[..end]) {
        let Some(colon) = field.iter().position(|b| *b == b':') else {
            continue;
        };
        let name = field[..colon].trim_ascii();
        let value = unfolded(&field[colon + 1..]);
        if name.eq_ignore_ascii_case(b"Message-ID") && found.message_id.is_none() {
            found.message_id = ids(&value).pop();
        } else if name.eq_ignore_ascii_case(b"References") && found.references.is_empty() {
            found.references = ids(&value);
            // The first and the last ones say most. RFC 5536 §3.2.10 drops the middle too.
            while found.references.len() > REFERENCES_MAX {
                found.references.remove(1);
            }
        } else if name.eq_ignore_ascii_case(b"Subject") && found.subject.is_none() {
            let text: String = value.chars().take(SUBJECT_LEN_MAX).collect();
            found.subject = Some(text).filter(|text| !text.is_empty());
        }
    }
    found
}

/// Fields with the lines that belong to them. RFC 5322 §2.2.3
fn fields(header: &[u8]) -> Vec<&[u8]> {
    let mut starts: Vec<usize> = vec![0];
    for at in memmem::find_iter(header, b"\r\n") {
        match header.get(at + 2) {
            None => starts.push(header.len()),
            Some(b' ' | b'\t') => {}
            Some(_) => starts.push(at + 2),
        }
    }
    if starts.last() != Some(&header.len()) {
        starts.push(header.len());
    }
    starts
        .windows(2)
        .map(|pair| header[pair[0]..pair[1]].trim_ascii_end())
        .filter(|field| !field.is_empty())
        .collect()
}

/// The value in one line, where a tab, which folds like a space, is one. What is not UTF-8 has no
/// letters but those of ASCII: nobody says which the others are. RFC 5322 §2.2.3, RFC 6532 §3.2
fn unfolded(value: &[u8]) -> String {
    let text = match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value
            .iter()
            .map(|b| if b.is_ascii() { char::from(*b) } else { '?' })
            .collect(),
    };
    text.replace("\r\n", "")
        .replace('\t', " ")
        .trim()
        .to_owned()
}

/// The message ids in a value. RFC 5322 §3.6.4
fn ids(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = value;
    while let Some((_, tail)) = rest.split_once('<') {
        let Some((inner, behind)) = tail.split_once('>') else {
            break;
        };
        let fits = !inner.is_empty()
            && inner.len() <= ID_LEN_MAX
            && inner.bytes().all(|b| matches!(b, b'!'..=b'~') && b != b'<');
        if fits {
            found.push(format!("<{inner}>"));
        }
        rest = behind;
    }
    found
}

/// Message ids taken over.
const REFERENCES_MAX: usize = 20;
/// Octets of one message id.
const ID_LEN_MAX: usize = 250;
/// Characters of a subject.
const SUBJECT_LEN_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_any_case_and_folded() {
        let header = b"Received: x\r\nsubject: a\r\n b\r\nMESSAGE-ID:\r\n <1@example>\r\n\
                       References: <a@x> junk <b@x>\r\n\t<c@x>\r\n\r\nSubject: body\r\n";
        let found = original(header);
        assert_eq!(found.subject.as_deref(), Some("a b"));
        assert_eq!(found.message_id.as_deref(), Some("<1@example>"));
        assert_eq!(found.references, ["<a@x>", "<b@x>", "<c@x>"]);
    }

    #[test]
    fn a_tab_that_folds_is_a_space() {
        for (value, subject) in [
            ("hello\r\n\tworld", "hello world"),
            ("hello\tworld", "hello world"),
            (
                "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\t=?utf-8?Q?_aus_K=C3=B6ln?=",
                "=?utf-8?Q?Gr=C3=BC=C3=9Fe?= =?utf-8?Q?_aus_K=C3=B6ln?=",
            ),
        ] {
            let found = original(format!("Subject: {value}\r\n\r\n").as_bytes());
            assert_eq!(found.subject.as_deref(), Some(subject));
        }
    }

    #[test]
    fn letters_are_kept_where_it_is_known_which_they_are() {
        let found = original("Subject: Größe\r\n".as_bytes());
        assert_eq!(found.subject.as_deref(), Some("Größe"));
        let found = original(b"Subject: Gr\xf6\xdfe\r\n");
        assert_eq!(found.subject.as_deref(), Some("Gr??e"));
    }

    #[test]
    fn nonsense_is_left_out() {
        assert_eq!(original(b""), Original::default());
        assert_eq!(original(b"Message-ID: none\r\n"), Original::default());
        assert_eq!(
            original(b"Message-ID: <a b>\r\nSubject:\r\n"),
            Original::default()
        );
    }
}
