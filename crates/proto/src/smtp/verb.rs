//! The first word of a command.

/// A verb, known or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// HELO
    Helo,
    /// EHLO
    Ehlo,
    /// MAIL
    Mail,
    /// RCPT
    Rcpt,
    /// DATA
    Data,
    /// RSET
    Rset,
    /// NOOP
    Noop,
    /// QUIT
    Quit,
    /// VRFY
    Vrfy,
    /// EXPN
    Expn,
    /// HELP
    Help,
    /// A verb of some RFC that is not offered here.
    NotOffered(&'static str),
    /// A method of HTTP: somebody's browser was made to talk to us.
    Http(&'static str),
    /// Anything else.
    Unknown,
}

impl Verb {
    /// Takes a command line apart: verb, and what stands behind the spaces after it.
    pub fn split(line: &str) -> (Self, &str) {
        let (word, argument) = line.split_once(' ').unwrap_or((line, ""));
        (Self::from_word(word), argument.trim_start_matches(' '))
    }

    /// In upper case; `command` when unknown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Helo => "HELO",
            Self::Ehlo => "EHLO",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Rset => "RSET",
            Self::Noop => "NOOP",
            Self::Quit => "QUIT",
            Self::Vrfy => "VRFY",
            Self::Expn => "EXPN",
            Self::Help => "HELP",
            Self::NotOffered(verb) | Self::Http(verb) => verb,
            Self::Unknown => "command",
        }
    }

    /// The verbs that work here.
    pub const OFFERED: [Self; 11] = [
        Self::Ehlo,
        Self::Helo,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Rset,
        Self::Noop,
        Self::Vrfy,
        Self::Expn,
        Self::Help,
        Self::Quit,
    ];

    /// Case does not matter. RFC 5321 §2.4
    fn from_word(word: &str) -> Self {
        let same = |verb: &&str| verb.eq_ignore_ascii_case(word);
        let offered = Self::OFFERED
            .into_iter()
            .find(|verb| verb.as_str().eq_ignore_ascii_case(word));
        offered
            .or_else(|| {
                NOT_OFFERED
                    .iter()
                    .find(|v| same(v))
                    .map(|v| Self::NotOffered(v))
            })
            .or_else(|| HTTP.iter().find(|v| same(v)).map(|v| Self::Http(v)))
            .unwrap_or(Self::Unknown)
    }
}

const NOT_OFFERED: [&str; 12] = [
    "STARTTLS", "AUTH", "BDAT", "ETRN", "ATRN", "TURN", "SEND", "SOML", "SAML", "XCLIENT",
    "XFORWARD", "LHLO",
];
const HTTP: [&str; 6] = ["GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_split_off_in_any_case() {
        for (line, expect) in [
            ("EHLO a", (Verb::Ehlo, "a")),
            ("mail FROM:<>", (Verb::Mail, "FROM:<>")),
            ("Noop   x y", (Verb::Noop, "x y")),
            ("starttls", (Verb::NotOffered("STARTTLS"), "")),
            ("GET / HTTP/1.1", (Verb::Http("GET"), "/ HTTP/1.1")),
            ("EHLOa", (Verb::Unknown, "")),
            ("", (Verb::Unknown, "")),
            (" QUIT", (Verb::Unknown, "QUIT")),
        ] {
            assert_eq!(Verb::split(line), expect, "{line}");
        }
    }
}
