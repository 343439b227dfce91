//! Text in other letters than ASCII, for a header field. RFC 2047

/// A text as encoded-words, each of a size that fits, none ending within a character. Whoever
/// decodes them joins them, so a space at a cut is inside of one.
// RFC 2047 §2, §4.2, §5
pub(super) fn encoded_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        let c = encoded(c);
        if START.len() + word.len() + c.len() + END.len() > WORD_LEN_MAX {
            words.push(format!("{START}{word}{END}"));
            word.clear();
        }
        word.push_str(&c);
    }
    if !word.is_empty() {
        words.push(format!("{START}{word}{END}"));
    }
    words
}

/// RFC 2047 §4.2; what stands for itself is what may do so in every place (§5).
fn encoded(c: char) -> String {
    match c {
        ' ' => "_".to_owned(),
        'a'..='z' | 'A'..='Z' | '0'..='9' | '!' | '*' | '+' | '-' | '/' => c.to_string(),
        c if c.is_control() => encoded('?'),
        c => {
            let octets = c.encode_utf8(&mut [0; 4]).as_bytes().to_vec();
            octets.iter().map(|b| format!("={b:02X}")).collect()
        }
    }
}

const START: &str = "=?utf-8?Q?";
const END: &str = "?=";
/// Octets of an encoded-word. RFC 2047 §2
const WORD_LEN_MAX: usize = 75;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_short_and_end_between_characters() {
        assert_eq!(
            encoded_words("Grüße_?"),
            ["=?utf-8?Q?Gr=C3=BC=C3=9Fe=5F=3F?="]
        );
        assert_eq!(encoded_words("ä\r\nb"), ["=?utf-8?Q?=C3=A4=3F=3Fb?="]);
        assert_eq!(encoded_words(""), [""; 0]);
        for text in [
            "ä".repeat(99),
            "😀 ".repeat(40),
            "a€".repeat(60),
            "x".repeat(63),
        ] {
            let words = encoded_words(&text);
            for word in &words {
                assert!(word.len() <= WORD_LEN_MAX, "{word}");
            }
            let whole: Vec<String> = words.iter().map(|word| decoded(word)).collect();
            assert_eq!(whole.concat(), text);
        }
        assert_eq!(encoded_words(&"x".repeat(63)).len(), 1);
        assert_eq!(encoded_words(&"x".repeat(64)).len(), 2);
    }

    /// Panics when a character is not whole.
    fn decoded(word: &str) -> String {
        let inner = word.strip_prefix(START).unwrap().strip_suffix(END).unwrap();
        let mut octets = Vec::new();
        let mut rest = inner.as_bytes();
        while let Some((first, tail)) = rest.split_first() {
            rest = tail;
            match first {
                b'_' => octets.push(b' '),
                b'=' => {
                    let hex = std::str::from_utf8(&tail[..2]).unwrap();
                    octets.push(u8::from_str_radix(hex, 16).unwrap());
                    rest = &tail[2..];
                }
                b => octets.push(*b),
            }
        }
        String::from_utf8(octets).unwrap()
    }
}
