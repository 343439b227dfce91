//! What follows from what a server answered about a recipient. RFC 5321 §4.2.1, RFC 3463

use mailtypes::{EnhancedCode, Status};
use proto::smtp::client::{Impossible, Lost, RecipientAnswer, ServerReply, SessionRefusal, Stage};

/// What follows for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The server has taken the message over.
    Delivered(Status),
    /// Another host of the same next hop may take it; without one it is tried again later.
    OtherHost(Status),
    /// Again at once: the reason has nothing to do with this recipient.
    AtOnce(Status),
    /// Again by the schedule.
    Later(Status),
    /// Again when we are back.
    Stopped(Status),
    /// Never.
    Never(Status),
}

/// What one transaction was like, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances<'a> {
    /// The host, with its address, for people.
    pub(crate) host: &'a str,
    /// Others have gone through on the same connection before.
    pub(crate) kept: bool,
    /// Other recipients of the same transaction were taken.
    pub(crate) others_taken: bool,
}

/// Decides what follows from an answer.
pub(crate) fn judge(answer: &RecipientAnswer, seen: Circumstances<'_>) -> Next {
    match answer {
        RecipientAnswer::Accepted(reply) => Next::Delivered(told(seen.host, reply, code(reply))),
        RecipientAnswer::Refused { stage, reply } => refused(*stage, reply, seen),
        RecipientAnswer::Lost {
            stage,
            why,
            dot_sent,
        } => lost(*stage, why, *dot_sent, seen),
        RecipientAnswer::Impossible(why) => impossible(why, seen.host),
    }
}

fn refused(stage: Stage, reply: &ServerReply, seen: Circumstances<'_>) -> Next {
    let status = told_at(seen.host, stage, reply);
    match reply.code() {
        // A server that closes a connection which it has served says nothing about this message.
        421 if seen.kept && is_first(stage) => Next::AtOnce(status),
        // RFC 5321 §4.5.3.1.10: 552 to RCPT means too many of them, like 452.
        452 | 552 if stage == Stage::Rcpt && seen.others_taken => Next::AtOnce(transient(status)),
        552 if stage == Stage::Rcpt => Next::OtherHost(transient(status)),
        500.. => Next::Never(status),
        _ => Next::OtherHost(status),
    }
}

fn lost(stage: Stage, why: &Lost, dot_sent: bool, seen: Circumstances<'_>) -> Next {
    let mut text = format!("{}: {}", seen.host, why.at(stage));
    if *why == Lost::Stopped {
        return Next::Stopped(stopped(Some(stage), dot_sent));
    }
    if dot_sent {
        text.push_str(TWICE);
    }
    // RFC 3463 §3.5: bad connection
    let status = Status::new(EnhancedCode::new(4, 4, 2), text);
    if dot_sent {
        // Another host at once would make a double likely.
        return Next::Later(status);
    }
    if seen.kept && is_first(stage) {
        return Next::AtOnce(status);
    }
    Next::OtherHost(status)
}

/// RFC 3463 §3.4: system not accepting messages
pub(crate) fn stopped(stage: Option<Stage>, dot_sent: bool) -> Status {
    let mut text = "this server was stopped".to_owned();
    if let Some(stage) = stage {
        text.push_str(" at ");
        text.push_str(stage.as_str());
    }
    if dot_sent {
        text.push_str(TWICE);
    }
    Status::new(EnhancedCode::new(4, 3, 2), text)
}

/// Whether a transaction has not really begun: RSET clears away the one before.
fn is_first(stage: Stage) -> bool {
    matches!(stage, Stage::Mail | Stage::Reset)
}

fn impossible(why: &Impossible, host: &str) -> Next {
    let (code, text) = match why {
        // RFC 1870 §6.1
        Impossible::TooLarge { limit } => (
            EnhancedCode::new(5, 3, 4),
            format!("{host} takes messages of at most {limit} octets"),
        ),
        // RFC 6152 §3, RFC 3463 §3.7: conversion required but not supported
        Impossible::EightBit => (
            EnhancedCode::new(5, 6, 3),
            format!("{host} takes no 8-bit text, and the message has some"),
        ),
        // RFC 3030 §3
        Impossible::BinaryMime => (
            EnhancedCode::new(5, 6, 3),
            format!("{host} takes no binary content"),
        ),
        Impossible::BareLineEnd => (
            EnhancedCode::new(5, 6, 0),
            "the message has a bare CR or LF, which no server may be sent".to_owned(),
        ),
    };
    Next::Never(Status::new(code, text))
}

/// The status of a session that did not come about: whether another host should be tried is for
/// the caller, who knows of them.
///
/// A host that would not talk to us has not heard of any message: its no is for now, whatever the
/// code, unless it says that it takes no mail at all.
pub(crate) fn session(refusal: &SessionRefusal, host: &str) -> Status {
    match refusal {
        SessionRefusal::Refused { stage, reply } => {
            let status = told_at(host, *stage, reply);
            match reply.code() {
                TAKES_NO_MAIL | DOMAIN_TAKES_NO_MAIL => status,
                _ => transient(status),
            }
        }
        SessionRefusal::Lost { stage, why } => Status::new(
            EnhancedCode::new(4, 4, 2),
            format!("{host}: {}", why.at(*stage)),
        ),
    }
}

fn told_at(host: &str, stage: Stage, reply: &ServerReply) -> Status {
    let code = code(reply);
    Status::new(code, format!("{host} said to {}: {reply}", stage.as_str()))
}

fn told(host: &str, reply: &ServerReply, code: EnhancedCode) -> Status {
    Status::new(code, format!("{host} said: {reply}"))
}

/// RFC 3463 §3.1: x.0.0 when the server has no better one.
fn code(reply: &ServerReply) -> EnhancedCode {
    let class = match reply.code() {
        200..400 => 2,
        400..500 => 4,
        _ => 5,
    };
    reply.enhanced().unwrap_or(EnhancedCode::new(class, 0, 0))
}

fn transient(mut status: Status) -> Status {
    status.code.class = 4;
    status
}

/// Behind what became of an attempt when the host has the whole message, and nobody knows what it made of it.
const TWICE: &str = ": the message may arrive twice";
/// RFC 7504 §3
const TAKES_NO_MAIL: u16 = 521;
/// RFC 7504 §4
const DOMAIN_TAKES_NO_MAIL: u16 = 556;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn reply(text: &str) -> ServerReply {
        text.parse().unwrap()
    }

    /// One word for what follows, and the status code.
    fn verdict(answer: &RecipientAnswer, kept: bool, others_taken: bool) -> String {
        let seen = Circumstances {
            host: "mx.example.net",
            kept,
            others_taken,
        };
        let (word, status) = match judge(answer, seen) {
            Next::Delivered(status) => ("delivered", status),
            Next::OtherHost(status) => ("other host", status),
            Next::AtOnce(status) => ("at once", status),
            Next::Later(status) => ("later", status),
            Next::Stopped(status) => ("when back", status),
            Next::Never(status) => ("never", status),
        };
        assert!(status.text.contains("mx.example.net"), "{status}");
        let twice = if status.text.contains("may arrive twice") {
            ", perhaps twice"
        } else {
            ""
        };
        format!("{word} {}{twice}", status.code)
    }

    #[test]
    fn what_follows_from_a_refusal() {
        use Stage::{Body, Data, FinalDot, Mail, Rcpt, Reset};
        for (stage, text, kept, others_taken, wanted) in [
            (Rcpt, "550 5.1.1 nobody", false, false, "never 5.1.1"),
            (Rcpt, "550 nobody", false, false, "never 5.0.0"),
            (Rcpt, "450 4.2.1 later", false, false, "other host 4.2.1"),
            (Rcpt, "451 later", false, true, "other host 4.0.0"),
            // Too many recipients for one transaction. RFC 5321 §4.5.3.1.10
            (Rcpt, "452 4.5.3 too many", false, true, "at once 4.5.3"),
            (Rcpt, "552 5.5.3 too many", false, true, "at once 4.5.3"),
            (Rcpt, "452 4.5.3 too many", false, false, "other host 4.5.3"),
            (
                Rcpt,
                "552 5.2.2 mailbox full",
                false,
                false,
                "other host 4.2.2",
            ),
            (Mail, "550 5.7.1 not you", false, false, "never 5.7.1"),
            (Mail, "452 4.3.1 no room", false, false, "other host 4.3.1"),
            // The end of a connection that has served others.
            (Mail, "421 4.3.2 closing", true, false, "at once 4.3.2"),
            (Mail, "421 4.3.2 closing", false, false, "other host 4.3.2"),
            // RSET says that of the transaction before.
            (Reset, "421 4.3.2 closing", true, false, "at once 4.3.2"),
            (Reset, "421 4.3.2 closing", false, false, "other host 4.3.2"),
            (Data, "421 4.3.2 closing", true, false, "other host 4.3.2"),
            (Data, "554 5.5.1 no recipients", false, false, "never 5.5.1"),
            // Said within the body by a host that went.
            (Body, "552 5.3.4 too large", false, false, "never 5.3.4"),
            (Body, "451 no room", false, false, "other host 4.0.0"),
            (Body, "421 closing", true, false, "other host 4.0.0"),
            (FinalDot, "554 5.6.0 spam", false, true, "never 5.6.0"),
            (FinalDot, "552 5.3.4 too large", false, false, "never 5.3.4"),
            (
                FinalDot,
                "451 4.7.1 greylisted",
                false,
                false,
                "other host 4.7.1",
            ),
        ] {
            let answer = RecipientAnswer::Refused {
                stage,
                reply: reply(text),
            };
            assert_eq!(
                verdict(&answer, kept, others_taken),
                wanted,
                "{stage:?} {text}"
            );
        }
    }

    #[test]
    fn what_follows_from_a_lost_connection() {
        for (stage, dot_sent, kept, wanted) in [
            // It may have arrived: nobody else gets it at once.
            (Stage::FinalDot, true, false, "later 4.4.2, perhaps twice"),
            (Stage::FinalDot, true, true, "later 4.4.2, perhaps twice"),
            (Stage::Body, false, false, "other host 4.4.2"),
            (Stage::Mail, false, true, "at once 4.4.2"),
            (Stage::Mail, false, false, "other host 4.4.2"),
            (Stage::Reset, false, true, "at once 4.4.2"),
            (Stage::Reset, false, false, "other host 4.4.2"),
            (Stage::Rcpt, false, true, "other host 4.4.2"),
        ] {
            for why in [Lost::Closed, Lost::Timeout(Duration::from_mins(5))] {
                let answer = RecipientAnswer::Lost {
                    stage,
                    why,
                    dot_sent,
                };
                assert_eq!(
                    verdict(&answer, kept, false),
                    wanted,
                    "{stage:?} {dot_sent}"
                );
            }
        }
    }

    #[test]
    fn a_stop_of_ours_is_nobodys_fault() {
        for (dot_sent, wanted) in [
            (false, "4.3.2 this server was stopped at MAIL"),
            (
                true,
                "4.3.2 this server was stopped at MAIL: the message may arrive twice",
            ),
        ] {
            let status = stopped(Some(Stage::Mail), dot_sent);
            assert_eq!(status.to_string(), wanted);
        }
    }

    #[test]
    fn what_a_host_cannot_take_is_never_sent() {
        let too_large = Impossible::TooLarge { limit: 1000 };
        for (why, wanted) in [
            (too_large, "never 5.3.4"),
            (Impossible::EightBit, "never 5.6.3"),
            (Impossible::BinaryMime, "never 5.6.3"),
        ] {
            assert_eq!(
                verdict(&RecipientAnswer::Impossible(why), true, true),
                wanted
            );
        }
        let bare = RecipientAnswer::Impossible(Impossible::BareLineEnd);
        let seen = Circumstances {
            host: "mx.example.net",
            kept: false,
            others_taken: false,
        };
        let Next::Never(status) = judge(&bare, seen) else {
            panic!("no host may be sent that");
        };
        assert_eq!(status.code, EnhancedCode::new(5, 6, 0));
        let taken = RecipientAnswer::Accepted(reply("250 2.0.0 queued as 7"));
        assert_eq!(verdict(&taken, false, false), "delivered 2.0.0");
    }

    #[test]
    fn why_there_is_no_session() {
        let refused = |stage, text| SessionRefusal::Refused {
            stage,
            reply: reply(text),
        };
        let lost = |stage, why| SessionRefusal::Lost { stage, why };
        for (refusal, wanted) in [
            (
                refused(Stage::Greeting, "554 5.3.2 no mail here"),
                "4.3.2 mx said to the connection: 554 5.3.2 no mail here",
            ),
            (
                refused(Stage::Greeting, "521 no mail here"),
                "5.0.0 mx said to the connection: 521 no mail here",
            ),
            (
                refused(Stage::Hello, "556 5.1.10 no mail here"),
                "5.1.10 mx said to EHLO: 556 5.1.10 no mail here",
            ),
            (
                refused(Stage::Greeting, "421 busy"),
                "4.0.0 mx said to the connection: 421 busy",
            ),
            (
                refused(Stage::Hello, "550 who?"),
                "4.0.0 mx said to EHLO: 550 who?",
            ),
            (
                lost(Stage::Greeting, Lost::Closed),
                "4.4.2 mx: the server closed the connection before its greeting",
            ),
        ] {
            assert_eq!(session(&refusal, "mx").to_string(), wanted);
        }
    }
}
