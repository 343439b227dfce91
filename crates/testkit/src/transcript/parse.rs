//! The text of a transcript as steps.

use std::time::Duration;

use super::{Line, Step};

/// Takes the text of a transcript apart.
pub fn parse(text: &str) -> Result<Vec<Line>, BadTranscript> {
    let mut lines = Vec::new();
    for (at, text) in text.lines().enumerate() {
        if text.trim().is_empty() || text.starts_with('#') {
            continue;
        }
        let number = at + 1;
        let step = step(text).map_err(|what| BadTranscript {
            number,
            what: format!("{what}: {text}"),
        })?;
        lines.push(Line { number, step });
    }
    Ok(lines)
}

/// A line that says nothing we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadTranscript {
    /// Counted from 1.
    pub number: usize,
    /// Why, and the line.
    pub what: String,
}

impl std::fmt::Display for BadTranscript {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.number, self.what)
    }
}

impl std::error::Error for BadTranscript {}

fn step(text: &str) -> Result<Step, &'static str> {
    let (mark, rest) = text.split_once(' ').unwrap_or((text, ""));
    match mark {
        "C:" => Ok(Step::Send(format!("{rest}\r\n").into_bytes())),
        "C!" => unescape(rest).map(Step::Send),
        "C*" => {
            let (times, line) = rest.split_once(' ').unwrap_or((rest, ""));
            let times = times.parse().map_err(|_| "C* wants a number")?;
            Ok(Step::Send(format!("{line}\r\n").repeat(times).into_bytes()))
        }
        "S:" => Ok(Step::Exactly(rest.to_owned())),
        "S~" => Ok(Step::Begins(rest.to_owned())),
        "S..." => Ok(Step::Reply(rest.trim().to_owned())),
        "after" => span(rest.trim()).map(Step::After),
        "world" => world(rest.trim()),
        "then" => then(rest.trim()),
        _ => Err("no step begins like this"),
    }
}

fn world(text: &str) -> Result<Step, &'static str> {
    let words: Vec<_> = text.split_whitespace().collect();
    match words[..] {
        ["mailbox", address] => Ok(Step::Mailbox(address.to_owned())),
        ["set", key, value] => Ok(Step::Set {
            key: key.to_owned(),
            value: value.to_owned(),
        }),
        _ => Err("the world has `mailbox ADDRESS` and `set KEY VALUE`"),
    }
}

fn then(text: &str) -> Result<Step, &'static str> {
    const FORM: &str = "then `mailbox A holds N messages[, last line \"…\"]` or `closed`";
    if text == "closed" {
        return Ok(Step::Closed);
    }
    let (start, last_line) = match text.split_once(", last line ") {
        Some((start, quoted)) => {
            let line = quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"'));
            (start, Some(unescape(line.ok_or(FORM)?)?))
        }
        None => (text, None),
    };
    let words: Vec<_> = start.split_whitespace().collect();
    let [
        "mailbox",
        mailbox,
        "holds",
        messages,
        "message" | "messages",
    ] = words[..]
    else {
        return Err(FORM);
    };
    Ok(Step::Holds {
        mailbox: mailbox.to_owned(),
        messages: messages.parse().map_err(|_| FORM)?,
        last_line,
    })
}

fn span(text: &str) -> Result<Duration, &'static str> {
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number = number.parse::<u64>().map_err(|_| "a time looks like 5m")?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("a time is in ms, s, m or h"),
    };
    Ok(Duration::from_millis(number.saturating_mul(millis)))
}

fn unescape(text: &str) -> Result<Vec<u8>, &'static str> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        octets.extend_from_slice(&rest.as_bytes()[..at]);
        let mut escape = rest[at + 1..].chars();
        let octet = match escape.next() {
            Some('r') => b'\r',
            Some('n') => b'\n',
            Some('t') => b'\t',
            Some('0') => 0,
            Some('\\') => b'\\',
            Some('x') => {
                let hex = escape.as_str().get(..2).ok_or("\\x wants two digits")?;
                escape = escape.as_str()[2..].chars();
                u8::from_str_radix(hex, 16).map_err(|_| "\\x wants two hex digits")?
            }
            _ => return Err("the escapes are \\r \\n \\t \\0 \\\\ \\xNN"),
        };
        octets.push(octet);
        rest = escape.as_str();
    }
    octets.extend_from_slice(rest.as_bytes());
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_has_its_form() {
        let mailbox = "ann@example.org".to_owned();
        for (text, expect) in [
            ("C: NOOP", Step::Send(b"NOOP\r\n".to_vec())),
            ("C:", Step::Send(b"\r\n".to_vec())),
            (r"C! a\n\0\x7F\\", Step::Send(b"a\n\0\x7f\\".to_vec())),
            ("C* 2 ab", Step::Send(b"ab\r\nab\r\n".to_vec())),
            ("S: 250 ok", Step::Exactly("250 ok".to_owned())),
            ("S~ 250", Step::Begins("250".to_owned())),
            ("S... 250", Step::Reply("250".to_owned())),
            ("after 5m", Step::After(Duration::from_mins(5))),
            (
                "world  mailbox ann@example.org",
                Step::Mailbox(mailbox.clone()),
            ),
            (
                "then   mailbox ann@example.org holds 1 message, last line \".\"",
                Step::Holds {
                    mailbox,
                    messages: 1,
                    last_line: Some(b".".to_vec()),
                },
            ),
            ("then closed", Step::Closed),
        ] {
            let line = Line {
                number: 2,
                step: expect,
            };
            assert_eq!(parse(&format!("# x\n{text}\n")), Ok(vec![line]), "{text}");
        }
    }

    #[test]
    fn what_is_no_step_is_told_with_its_line() {
        for text in [
            "X: a",
            "C* a b",
            r"C! \q",
            r"C! \x1",
            "after 5",
            "world x",
            "then what",
        ] {
            assert_eq!(parse(&format!("\n{text}")).unwrap_err().number, 2, "{text}");
        }
    }
}
