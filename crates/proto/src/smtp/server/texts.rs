//! Replies that the machine gives by itself, written for a person at a telnet prompt.

use crate::smtp::{Reply, Verb};

pub(super) fn greeting(hostname: &str) -> Reply {
    Reply::plain(220, format!("{hostname} ESMTP Postrider"))
}

pub(super) fn help(hostname: &str) -> Reply {
    let verbs = Verb::OFFERED.map(Verb::as_str).join(" ");
    let lines = [
        format!("Commands: {verbs}"),
        "To send a letter, type these lines, each after the answer to the one before:".to_owned(),
        "  EHLO client.example.org".to_owned(),
        "  MAIL FROM:<you@example.org>".to_owned(),
        format!("  RCPT TO:<friend@{hostname}>"),
        "  DATA".to_owned(),
        "  Subject: hello".to_owned(),
        "  (an empty line, your text, then a line with nothing but a dot)".to_owned(),
        "  QUIT".to_owned(),
    ];
    Reply::multi(214, mailtypes::EnhancedCode::parse("2.0.0"), lines)
}

pub(super) fn noop() -> Reply {
    Reply::new(250, "2.0.0", "Nothing done")
}

pub(super) fn reset() -> Reply {
    Reply::new(250, "2.0.0", "Forgotten; start again with MAIL")
}

pub(super) fn quit(hostname: &str) -> Reply {
    Reply::new(221, "2.0.0", format!("{hostname} says goodbye"))
}

pub(super) fn hello_first() -> Reply {
    Reply::new(
        503,
        "5.5.1",
        "Say who you are first, as in EHLO client.example.org",
    )
}

pub(super) fn mail_twice() -> Reply {
    Reply::new(
        503,
        "5.5.1",
        "The sender is given already; go on with RCPT, or RSET to start again",
    )
}

pub(super) fn mail_first() -> Reply {
    Reply::new(
        503,
        "5.5.1",
        "Give the sender first, as in MAIL FROM:<user@example.org>",
    )
}

pub(super) fn rcpt_first() -> Reply {
    Reply::new(
        503,
        "5.5.1",
        "Give a recipient first, as in RCPT TO:<user@example.org>",
    )
}

pub(super) fn no_valid_recipients() -> Reply {
    Reply::new(
        554,
        "5.5.1",
        "No valid recipients: all of them were refused",
    )
}

pub(super) fn too_many_recipients() -> Reply {
    Reply::new(
        452,
        "4.5.3",
        "Too many recipients; send the rest in another transaction",
    )
}

pub(super) fn line_too_long() -> Reply {
    Reply::new(500, "5.5.2", "The line is too long and was ignored")
}

pub(super) fn bare_in_command(which: &str) -> Reply {
    let text = format!(
        "Lines end in CRLF, and there is a bare {which}; in telnet type 'toggle crlf', with nc use nc -C"
    );
    Reply::new(500, "5.5.2", text)
}

pub(super) fn bare_in_body() -> Reply {
    let text = "The message has a bare CR or LF; every line must end in CRLF";
    Reply::new(550, "5.5.2", text)
}

pub(super) fn nul_in_body() -> Reply {
    Reply::new(
        550,
        "5.6.0",
        "The message has a NUL octet; encode it, for instance as base64",
    )
}

pub(super) fn overrun() -> Reply {
    Reply::new(
        421,
        "4.3.0",
        "The message is far too large; closing the connection",
    )
}

pub(super) fn too_many_errors() -> Reply {
    Reply::new(421, "4.7.0", "Too many errors; closing the connection")
}

pub(super) fn stopping(hostname: &str) -> Reply {
    Reply::new(
        421,
        "4.3.2",
        format!("{hostname} is shutting down; try again later"),
    )
}

pub(super) fn timed_out(what: &str) -> Reply {
    Reply::new(421, "4.4.2", format!("{what}; closing the connection"))
}

pub(super) fn our_fault() -> Reply {
    Reply::new(451, "4.3.0", "Something went wrong here; try again later")
}
