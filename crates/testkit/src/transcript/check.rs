//! What both runs of a transcript have in common: its settings and how it compares.

use proto::smtp::{LineEnds, Settings};

/// The listener of every transcript, before `world set`.
pub(super) fn settings() -> Settings {
    Settings {
        hostname: "mx.example.org".to_owned(),
        ..Settings::default()
    }
}

/// `world set KEY VALUE`.
pub(super) fn set(settings: &mut Settings, key: &str, value: &str) -> Result<(), String> {
    let number = || value.parse::<u32>().map_err(|e| e.to_string());
    match (key, value) {
        ("line_ends", "refuse") => settings.line_ends = LineEnds::Refuse,
        ("line_ends", "repair") => settings.line_ends = LineEnds::Repair,
        ("size_max", _) => settings.size_max = number()?.into(),
        ("recipients_max", _) => {
            settings.recipients_max = value.parse().map_err(|_| "no number")?;
        }
        ("errors_max", _) => settings.errors_max = number()?,
        _ => return Err(format!("no such setting: {key} {value}")),
    }
    Ok(())
}

/// Compares what a mailbox got with what `then mailbox` says. `last` is what the client sent as
/// its latest message there.
pub(super) fn holds(
    count: usize,
    expect_count: usize,
    last: &[u8],
    line: Option<&[u8]>,
) -> Result<(), String> {
    if count != expect_count {
        return Err(format!("expected {expect_count} messages, got {count}"));
    }
    let Some(expect) = line else {
        return Ok(());
    };
    let got = last_line(last);
    expect_that(
        got == expect,
        &String::from_utf8_lossy(expect),
        &String::from_utf8_lossy(got),
    )
}

/// An error that shows both, unless it `holds`.
pub(super) fn expect_that(holds: bool, expect: &str, got: &str) -> Result<(), String> {
    if holds {
        return Ok(());
    }
    Err(format!("expected {expect:?}, got {got:?}"))
}

/// Whether this is not the last line of its reply. RFC 5321 §4.2.1
pub(super) fn goes_on(line: &str, code: &str) -> bool {
    line.as_bytes().get(code.len()) == Some(&b'-')
}

fn last_line(message: &[u8]) -> &[u8] {
    let text = message.strip_suffix(b"\r\n").unwrap_or(message);
    let start = text
        .windows(2)
        .rposition(|two| two == b"\r\n")
        .map_or(0, |at| at + 2);
    &text[start..]
}
