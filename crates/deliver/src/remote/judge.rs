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
        421 if seen.kept && stage == Stage::Mail => Next::AtOnce(status),
        // RFC 5321 §4.5.3.1.10: 552 to RCPT means too many of them, like 452.
        452 | 552 if stage == Stage::Rcpt && seen.others_taken => Next::AtOnce(transient(status)),
        552 if stage == Stage::Rcpt => Next::OtherHost(transient(status)),
        500.. => Next::Never(status),
        _ => Next::OtherHost(status),
    }
}

fn lost(stage: Stage, why: &Lost, dot_sent: bool, seen: Circumstances<'_>) -> Next {
    let text = format!("{}: {why} at {}", seen.host, stage.as_str());
    // RFC 3463 §3.5: bad connection
    let status = Status::new(EnhancedCode::new(4, 4, 2), text);
    if dot_sent {
        // It may have arrived: another host at once would make a double likely.
        return Next::Later(status);
    }
    if seen.kept && stage == Stage::Mail {
        return Next::AtOnce(status);
    }
    Next::OtherHost(status)
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
pub(crate) fn session(refusal: &SessionRefusal, host: &str) -> Status {
    match refusal {
        SessionRefusal::Refused { stage, reply } => told_at(host, *stage, reply),
        SessionRefusal::Lost { stage, why } => Status::new(
            EnhancedCode::new(4, 4, 2),
            format!("{host}: {why} at {}", stage.as_str()),
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
