//! Text that fits.

/// Printable ASCII, at most `max` of it; what is something else becomes `?`.
pub(super) fn ascii(text: &str, max: usize) -> String {
    text.chars()
        .take(max)
        .map(|c| if matches!(c, ' '..='~') { c } else { '?' })
        .collect()
}

/// The same, cut between words where there are some: an encoded-word is whole or not there.
// RFC 2047 §2
pub(super) fn cut_between_words(text: &str, max: usize) -> String {
    let text = ascii(text, usize::MAX);
    if text.len() <= max {
        return text;
    }
    let end = text[..=max].rfind(' ').unwrap_or(0);
    let end = if end == 0 && !text.starts_with("=?") {
        max
    } else {
        end
    };
    text[..end].to_owned()
}

/// Breaks a text at spaces into lines of at most `width`, where a word allows it.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        for (n, piece) in pieces(word, width).enumerate() {
            let line = lines.last_mut().expect("there is one from the start");
            if n == 0 && line.is_empty() {
                line.push_str(piece);
            } else if n == 0 && line.len() + 1 + piece.len() <= width {
                line.push(' ');
                line.push_str(piece);
            } else {
                lines.push(piece.to_owned());
            }
        }
    }
    lines
}

/// A word that is longer than a line is cut.
fn pieces(word: &str, width: usize) -> impl Iterator<Item = &str> {
    let mut rest = Some(word);
    std::iter::from_fn(move || {
        let text = rest?;
        if text.len() <= width {
            rest = None;
            return Some(text);
        }
        let (piece, tail) = text.split_at(width);
        rest = Some(tail);
        Some(piece)
    })
}

/// A header field folded in front of spaces, and nowhere else: whoever unfolds it gets the value as
/// it was. RFC 5322 §2.2.3
pub(super) fn field(name: &str, value: &str) -> String {
    let value = format!(" {}", ascii(value, VALUE_LEN_MAX).trim());
    let mut out = format!("{name}:");
    let mut column = out.len();
    for word in words(&value) {
        let fits = column + word.len() <= WIDTH;
        if !fits && column > name.len() + 1 {
            out.push_str("\r\n");
            column = 0;
        }
        out.push_str(word);
        column += word.len();
    }
    out.push_str("\r\n");
    out
}

/// Words with the spaces in front of them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let spaces = rest.len() - rest.trim_start_matches(' ').len();
        let end = rest[spaces..]
            .find(' ')
            .map_or(rest.len(), |at| spaces + at);
        let (word, tail) = rest.split_at(end);
        rest = tail;
        (!word.is_empty()).then_some(word)
    })
}

/// Characters in a line, where words allow it. RFC 5322 §2.1.1
pub(super) const WIDTH: usize = 76;
/// Characters of one value: less than a line may have, so that a word without any space fits too.
/// RFC 5322 §2.1.1
const VALUE_LEN_MAX: usize = 900;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrapped("a bb ccc", 4), ["a bb", "ccc"]);
        assert_eq!(wrapped("", 4), [""]);
        assert_eq!(wrapped("abcdefgh i", 3), ["abc", "def", "gh", "i"]);
    }

    #[test]
    fn a_word_is_never_cut_and_unfolding_gives_the_value_back() {
        let long = format!("rfc822; {}@example.org", "bounces+".repeat(12));
        for value in [
            "rfc822; ann@example.org",
            &long,
            "rfc822; \"a  very   wide    local     part\"@example.org with some more behind it  x",
            &"y".repeat(2000),
            &"a ".repeat(400),
        ] {
            let text = field("Final-Recipient", value);
            let lines: Vec<&str> = text.trim_end().split("\r\n").collect();
            let value = ascii(value, VALUE_LEN_MAX);
            assert_eq!(lines.concat(), format!("Final-Recipient: {}", value.trim()));
            for line in lines {
                assert!(line.len() <= 998 && !line.trim().is_empty(), "{line:?}");
            }
        }
        let lines = field("Final-Recipient", &long);
        assert_eq!(lines.split("\r\n").next(), Some("Final-Recipient: rfc822;"));
    }

    #[test]
    fn a_value_cannot_become_a_field() {
        let text = field("X", "a\r\nBcc: eve@example.org");
        assert_eq!(text, "X: a??Bcc: eve@example.org\r\n");
    }

    #[test]
    fn a_subject_is_cut_between_words() {
        for (text, max, cut) in [
            ("short", 10, "short"),
            ("one two three", 9, "one two"),
            ("one two three", 7, "one two"),
            ("unbroken", 4, "unbr"),
            ("=?utf-8?B?w6Q=?= =?utf-8?B?w7Y=?=", 20, "=?utf-8?B?w6Q=?="),
            ("=?utf-8?B?w6TDtsO8?=", 10, ""),
        ] {
            assert_eq!(cut_between_words(text, max), cut, "{text:?} {max}");
        }
    }
}
