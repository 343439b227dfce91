//! Command lines: what a client may say.

use std::fmt;

use mailtypes::{ForwardPath, ReversePath};

use super::{
    BadClientName, BadParameters, BadPath, ClientName, Parameters, Reply, Verb, forward_path,
    reverse_path,
};

/// A command that is well-formed. Whether it comes at the right time is the machine's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// RFC 5321 §4.1.1.1
    Helo(ClientName),
    /// RFC 5321 §4.1.1.1
    Ehlo(ClientName),
    /// RFC 5321 §4.1.1.2
    Mail(ReversePath, Parameters),
    /// RFC 5321 §4.1.1.3
    Rcpt(ForwardPath, Parameters),
    /// RFC 5321 §4.1.1.4
    Data,
    /// RFC 5321 §4.1.1.5
    Rset,
    /// RFC 5321 §4.1.1.6
    Vrfy(String),
    /// RFC 5321 §4.1.1.7
    Expn(String),
    /// RFC 5321 §4.1.1.8
    Help,
    /// RFC 5321 §4.1.1.9
    Noop,
    /// RFC 5321 §4.1.1.10
    Quit,
}

impl Command {
    /// Takes a line without its CRLF.
    pub fn parse(line: &[u8]) -> Result<Self, SyntaxError> {
        // RFC 5321 §4.1.1: white space before the CRLF is put up with.
        let len = line
            .iter()
            .rposition(|byte| !matches!(byte, b' ' | b'\t'))
            .map_or(0, |at| at + 1);
        let line = &line[..len];
        let (verb, argument) = match str::from_utf8(line) {
            Ok(line) => Verb::split(line),
            Err(e) => Verb::split(str::from_utf8(&line[..e.valid_up_to()]).unwrap_or_default()),
        };
        let bad = |problem| SyntaxError { verb, problem };
        if line.iter().any(u8::is_ascii_control) {
            return Err(bad(Problem::Control));
        }
        if !line.is_ascii() {
            return Err(bad(Problem::NotAscii));
        }
        if line.is_empty() {
            return Err(bad(Problem::Empty));
        }
        Self::parse_argument(verb, argument).map_err(bad)
    }

    /// Its first word.
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Helo(_) => Verb::Helo,
            Self::Ehlo(_) => Verb::Ehlo,
            Self::Mail(..) => Verb::Mail,
            Self::Rcpt(..) => Verb::Rcpt,
            Self::Data => Verb::Data,
            Self::Rset => Verb::Rset,
            Self::Vrfy(_) => Verb::Vrfy,
            Self::Expn(_) => Verb::Expn,
            Self::Help => Verb::Help,
            Self::Noop => Verb::Noop,
            Self::Quit => Verb::Quit,
        }
    }

    fn parse_argument(verb: Verb, argument: &str) -> Result<Self, Problem> {
        match verb {
            Verb::Helo => Ok(Self::Helo(ClientName::parse(argument)?)),
            Verb::Ehlo => Ok(Self::Ehlo(ClientName::parse(argument)?)),
            Verb::Mail => {
                let (path, rest) = reverse_path(behind(argument, "FROM:")?)?;
                Ok(Self::Mail(path, Parameters::parse(rest)?))
            }
            Verb::Rcpt => {
                let (path, rest) = forward_path(behind(argument, "TO:")?)?;
                Ok(Self::Rcpt(path, Parameters::parse(rest)?))
            }
            Verb::Vrfy => some(argument).map(Self::Vrfy),
            Verb::Expn => some(argument).map(Self::Expn),
            Verb::Data => none(argument).map(|()| Self::Data),
            Verb::Rset => none(argument).map(|()| Self::Rset),
            Verb::Quit => none(argument).map(|()| Self::Quit),
            Verb::Help => Ok(Self::Help),
            Verb::Noop => Ok(Self::Noop),
            Verb::NotOffered(_) => Err(Problem::NotOffered),
            Verb::Http(_) => Err(Problem::Http),
            Verb::Unknown => Err(Problem::Unknown),
        }
    }
}

impl fmt::Display for Command {
    /// The line without its CRLF.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Helo(client) => write!(f, "HELO {client}"),
            Self::Ehlo(client) => write!(f, "EHLO {client}"),
            Self::Mail(path, parameters) => write!(f, "MAIL FROM:<{path}>{parameters}"),
            Self::Rcpt(path, parameters) => write!(f, "RCPT TO:<{path}>{parameters}"),
            Self::Vrfy(text) => write!(f, "VRFY {text}"),
            Self::Expn(text) => write!(f, "EXPN {text}"),
            Self::Data => f.write_str("DATA"),
            Self::Rset => f.write_str("RSET"),
            Self::Help => f.write_str("HELP"),
            Self::Noop => f.write_str("NOOP"),
            Self::Quit => f.write_str("QUIT"),
        }
    }
}

/// A line that is no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", verb.as_str())]
pub struct SyntaxError {
    /// As far as it could be told.
    pub verb: Verb,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing in it.
    #[error("empty line")]
    Empty,
    /// NUL, escape, backspace…
    #[error("control character")]
    Control,
    /// An octet above 127.
    #[error("not ASCII")]
    NotAscii,
    /// No such verb.
    #[error("unknown command")]
    Unknown,
    /// A verb that this server does without.
    #[error("not offered")]
    NotOffered,
    /// A web browser.
    #[error("HTTP on a mail port")]
    Http,
    /// Nothing behind the verb.
    #[error("argument missing")]
    NoArgument,
    /// Something behind the verb.
    #[error("argument where none belongs")]
    Argument,
    /// `FROM:` or `TO:` missing.
    #[error("{0} missing")]
    Word(&'static str),
    /// Behind HELO or EHLO.
    #[error(transparent)]
    Client(#[from] BadClientName),
    /// Behind MAIL or RCPT.
    #[error(transparent)]
    Path(#[from] BadPath),
    /// Behind the path.
    #[error(transparent)]
    Parameters(#[from] BadParameters),
}

impl SyntaxError {
    /// The one place where this becomes wire text: what is wrong, and what to type instead.
    // RFC 5321 §4.2.2, §4.3.2, RFC 3463 §3.6
    pub fn reply(&self) -> Reply {
        let name = self.verb.as_str();
        let example = match self.verb {
            Verb::Mail => "MAIL FROM:<user@example.org>",
            Verb::Rcpt => "RCPT TO:<user@example.org>",
            Verb::Helo => "HELO client.example.org",
            Verb::Ehlo => "EHLO client.example.org",
            Verb::Vrfy => "VRFY user@example.org",
            Verb::Expn => "EXPN list",
            _ => name,
        };
        let bad_path = if self.verb == Verb::Mail {
            "5.1.7"
        } else {
            "5.1.3"
        };
        match &self.problem {
            Problem::Empty => Reply::new(500, "5.5.2", "The line is empty; type HELP for help"),
            Problem::Control => Reply::new(
                500,
                "5.5.2",
                "The line has a control character (backspace or an arrow key?); type it anew",
            ),
            // RFC 6531 §3.5: the code for an address is its own.
            Problem::NotAscii if matches!(self.verb, Verb::Mail | Verb::Rcpt) => Reply::new(
                553,
                "5.6.7",
                "Only ASCII addresses are possible here (SMTPUTF8 is not offered)",
            ),
            Problem::NotAscii => Reply::new(500, "5.5.2", "A command has only ASCII characters"),
            Problem::Unknown => Reply::new(500, "5.5.1", "No such command; type HELP for help"),
            Problem::NotOffered => Reply::new(
                502,
                "5.5.1",
                format!("{name} is not offered here; type HELP for help"),
            ),
            Problem::Http => Reply::new(500, "5.5.1", "This is a mail server, not a web server"),
            Problem::NoArgument | Problem::Word(_) => {
                Reply::new(501, "5.5.4", format!("Type it like this: {example}"))
            }
            Problem::Argument => Reply::new(
                501,
                "5.5.4",
                format!("{name} stands alone; type just {name}"),
            ),
            Problem::Client(e) => {
                Reply::new(501, "5.5.4", format!("{}, as in {example}", capital(e)))
            }
            Problem::Path(e) => {
                Reply::new(501, bad_path, format!("{}, as in {example}", capital(e)))
            }
            Problem::Parameters(e) => Reply::new(501, "5.5.4", capital(e)),
        }
    }
}

/// Errors begin in lower case, replies do not.
fn capital(error: &impl fmt::Display) -> String {
    let mut text = error.to_string();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// What stands behind `FROM:` or `TO:`. A space after the colon is wrong and common.
// RFC 5321 §3.3
fn behind<'a>(argument: &'a str, word: &'static str) -> Result<&'a str, Problem> {
    match argument.split_at_checked(word.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(word) => Ok(rest.trim_start_matches(' ')),
        _ => Err(Problem::Word(word)),
    }
}

fn some(argument: &str) -> Result<String, Problem> {
    if argument.is_empty() {
        return Err(Problem::NoArgument);
    }
    Ok(argument.to_owned())
}

fn none(argument: &str) -> Result<(), Problem> {
    if argument.is_empty() {
        return Ok(());
    }
    Err(Problem::Argument)
}

#[cfg(test)]
mod tests;
