//! The paths of MAIL and RCPT, as they stand in a command.

use mailtypes::{BadDomain, BadMailbox, Domain, ForwardPath, Mailbox, ReversePath};

use super::limits::PATH_LEN_MAX;

/// Takes a reverse-path from the front of `text`; also gives what stands behind it.
// RFC 5321 §4.1.2
pub fn reverse_path(text: &str) -> Result<(ReversePath, &str), BadPath> {
    let (inside, rest) = brackets(text)?;
    if inside.is_empty() {
        return Ok((ReversePath::Null, rest));
    }
    Ok((ReversePath::Mailbox(mailbox(inside)?), rest))
}

/// Takes a forward-path from the front of `text`; also gives what stands behind it.
// RFC 5321 §4.1.1.3: <Postmaster> needs no domain, in any case
pub fn forward_path(text: &str) -> Result<(ForwardPath, &str), BadPath> {
    let (inside, rest) = brackets(text)?;
    if inside.is_empty() {
        return Err(BadPath::Empty);
    }
    if inside.eq_ignore_ascii_case("postmaster") {
        return Ok((ForwardPath::Postmaster, rest));
    }
    Ok((ForwardPath::Mailbox(mailbox(inside)?), rest))
}

/// Why there is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// It does not begin with `<`.
    #[error("put the address in angle brackets")]
    NoBrackets,
    /// `<` and no `>` that closes it.
    #[error("the angle bracket is not closed")]
    Open,
    /// `<>` where somebody must be named.
    #[error("the address is empty")]
    Empty,
    /// Something else than a space behind `>`.
    #[error("a space must stand behind the closing angle bracket")]
    NoSpace,
    /// More than 256 octets.
    #[error("the path is longer than 256 octets")]
    TooLong,
    /// `<@a,@b:user@example.org>` whose first part is no list of hosts.
    #[error("the source route is not valid")]
    Route,
    /// A host of the source route.
    #[error("the source route is not valid: {0}")]
    RouteDomain(#[source] BadDomain),
    /// The address itself.
    #[error(transparent)]
    Mailbox(#[from] BadMailbox),
}

/// Splits `<inside> rest`. A `>` in a quoted local part closes nothing.
fn brackets(text: &str) -> Result<(&str, &str), BadPath> {
    let inside = text.strip_prefix('<').ok_or(BadPath::NoBrackets)?;
    let mut quoted = false;
    let mut escaped = false;
    let close = inside.bytes().position(|byte| {
        if escaped {
            escaped = false;
            return false;
        }
        match byte {
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' => return !quoted,
            _ => {}
        }
        false
    });
    let (inside, rest) = close.map_or(Err(BadPath::Open), |at| {
        Ok((&inside[..at], &inside[at + 1..]))
    })?;
    if inside.len() + 2 > PATH_LEN_MAX {
        return Err(BadPath::TooLong);
    }
    if !rest.is_empty() && !rest.starts_with(' ') {
        return Err(BadPath::NoSpace);
    }
    Ok((inside, rest))
}

/// The mailbox behind a source route, which is checked and then ignored.
// RFC 5321 §4.1.2, §C: A-d-l
fn mailbox(inside: &str) -> Result<Mailbox, BadPath> {
    let mailbox = Mailbox::parse(behind_route(inside)?)?;
    // A name in Unicode is longer as we shall write it: RFC 5890 §2.3.2.1
    if mailbox.to_string().len() + 2 > PATH_LEN_MAX {
        return Err(BadPath::TooLong);
    }
    Ok(mailbox)
}

fn behind_route(inside: &str) -> Result<&str, BadPath> {
    if !inside.starts_with('@') {
        return Ok(inside);
    }
    let (route, mailbox) = inside.split_once(':').ok_or(BadPath::Route)?;
    for hop in route.split(',') {
        let host = hop.strip_prefix('@').ok_or(BadPath::Route)?;
        Domain::parse(host).map_err(BadPath::RouteDomain)?;
    }
    Ok(mailbox)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reverse(text: &str) -> Result<(String, &str), BadPath> {
        reverse_path(text).map(|(path, rest)| (path.to_string(), rest))
    }

    fn forward(text: &str) -> Result<(String, &str), BadPath> {
        forward_path(text).map(|(path, rest)| (path.to_string(), rest))
    }

    #[test]
    fn paths_are_taken_from_the_front() {
        for (text, path, rest) in [
            ("<ann@example.org>", "ann@example.org", ""),
            ("<ann@example.org> SIZE=1", "ann@example.org", " SIZE=1"),
            (r#"<"a>b"@example.org> X"#, r#""a>b"@example.org"#, " X"),
            (r#"<"a\">b"@example.org>"#, r#""a\">b"@example.org"#, ""),
            (r#"<"a @b"@example.org>"#, r#""a @b"@example.org"#, ""),
            ("<ann@[192.0.2.1]>", "ann@[192.0.2.1]", ""),
            (
                "<@a.example,@b.example:ann@example.org>",
                "ann@example.org",
                "",
            ),
        ] {
            assert_eq!(reverse(text), Ok((path.to_owned(), rest)), "{text}");
            assert_eq!(forward(text), Ok((path.to_owned(), rest)), "{text}");
        }
        assert_eq!(reverse("<>"), Ok((String::new(), "")));
        assert_eq!(forward("<>"), Err(BadPath::Empty));
        assert_eq!(forward("<postMASTER>"), Ok(("Postmaster".to_owned(), "")));
        assert_eq!(
            reverse("<postmaster>"),
            Err(BadPath::Mailbox(BadMailbox::NoAt))
        );
    }

    #[test]
    fn what_is_no_path_says_why() {
        for (text, why) in [
            ("", BadPath::NoBrackets),
            ("ann@example.org", BadPath::NoBrackets),
            ("<ann@example.org", BadPath::Open),
            (r#"<"ann@example.org>"#, BadPath::Open),
            ("<ann@example.org>SIZE=1", BadPath::NoSpace),
            ("<ann@example.org>>", BadPath::NoSpace),
            ("<@a.example>", BadPath::Route),
            ("<@a.example,b.example:ann@example.org>", BadPath::Route),
            (
                "<@a..b:ann@example.org>",
                BadPath::RouteDomain(BadDomain::EmptyLabel),
            ),
            ("<a b@example.org>", BadPath::Mailbox(BadMailbox::Character)),
        ] {
            assert_eq!(forward(text), Err(why), "{text}");
        }
        let host = ["a".repeat(63), "b".repeat(63), "c".repeat(61)].join(".");
        let (longest, longer) = (
            format!("<{:0>64}@{host}>", 1),
            format!("<{:0>64}@{host}y>", 1),
        );
        assert_eq!(longest.len(), PATH_LEN_MAX);
        assert!(forward(&longest).is_ok());
        assert_eq!(forward(&longer), Err(BadPath::TooLong));
        // 254 octets as they came, and 260 as we should write them.
        let label = "eorgorgrel·";
        let unicode = ["a".repeat(63), "b".repeat(63), "c".repeat(60)].join(".");
        let unicode = format!("<{:0>50}@{unicode}.{label}>", 1);
        assert!(unicode.len() <= PATH_LEN_MAX, "{}", unicode.len());
        assert_eq!(forward(&unicode), Err(BadPath::TooLong));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[<>@\",:\\\\ a.\\[\\]é]{0,40}") {
            let _ = (reverse_path(&text), forward_path(&text));
        }
    }
}
