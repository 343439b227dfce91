//! Text that fits.

/// Printable ASCII, at most `max` of it; what is something else becomes `?`.
pub(super) fn ascii(text: &str, max: usize) -> String {
    text.chars()
        .take(max)
        .map(|c| if matches!(c, ' '..='~') { c } else { '?' })
        .collect()
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

/// A header field folded at spaces. RFC 5322 §2.2.3
pub(super) fn field(name: &str, value: &str) -> String {
    let value = ascii(value, VALUE_LEN_MAX);
    let lines = wrapped(value.trim(), WIDTH - name.len() - 2);
    format!("{name}: {}\r\n", lines.join("\r\n "))
}

/// Characters in a line, where words allow it. RFC 5322 §2.1.1
pub(super) const WIDTH: usize = 76;
/// Characters of one value.
const VALUE_LEN_MAX: usize = 2000;

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
    fn a_value_cannot_become_a_field() {
        let text = field("X", "a\r\nBcc: eve@example.org");
        assert_eq!(text, "X: a??Bcc: eve@example.org\r\n");
    }
}
