//! `account add|list|remove|passwd`

use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Read};
use std::os::fd::AsFd;

use admin::view::AccountView;
use admin::{Answer, Request, password};
use mailtypes::Secret;
use zeroize::Zeroizing;

use super::{Page, list, order, show, unexpected};
use crate::ask::ask;
use crate::failure::{Failure, code};
use crate::global::Global;
use crate::output::Output;

/// What to do with accounts.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Adds an account. Asks for its password, or reads it from standard input.
    Add {
        /// Its address.
        address: String,
        /// Make up a password and print it.
        #[arg(long)]
        generate: bool,
    },
    /// Says where the mail of an account goes, in place of what held before. Without options:
    /// into its mailbox here.
    Deliver {
        /// The address of the account.
        address: String,
        /// On to this address; may be given several times.
        #[arg(long, value_name = "ADDRESS")]
        forward: Vec<String>,
        /// Keep a copy here when it goes on.
        #[arg(long, requires = "forward")]
        keep: bool,
        /// Into this Maildir, instead of the mailbox here.
        #[arg(long, value_name = "FOLDER")]
        maildir: Option<String>,
    },
    /// Lists accounts.
    List(Page),
    /// Removes an account and all its mail.
    Remove {
        /// Its address.
        address: String,
    },
    /// Changes a password. Asks for it, or reads it from standard input.
    Passwd {
        /// The address of the account.
        address: String,
        /// Make up a password and print it.
        #[arg(long)]
        generate: bool,
    },
}

pub(crate) fn run(global: &Global, verb: Verb, out: &mut Output) -> Result<u8, Failure> {
    match verb {
        Verb::Add { address, generate } => {
            with_password(global, generate, out, |password_hash| Request::AccountAdd {
                address,
                password_hash: password_hash.into(),
            })
        }
        Verb::Passwd { address, generate } => {
            with_password(global, generate, out, |password_hash| {
                Request::AccountPasswd {
                    address,
                    password_hash: password_hash.into(),
                }
            })
        }
        Verb::Deliver {
            address,
            forward,
            keep,
            maildir,
        } => {
            let request = Request::AccountDeliver {
                address,
                maildir,
                forward,
                keep,
            };
            order(global, request, out)
        }
        Verb::Remove { address } => order(global, Request::AccountRemove { address }, out),
        Verb::List(Page { after, limit }) => {
            show(global, Request::AccountList { after, limit }, out, accounts)
        }
    }
}

fn accounts(answer: Answer, out: &mut Output) -> Result<(), Failure> {
    let Answer::Accounts(view) = answer else {
        return Err(unexpected());
    };
    let row = |account: AccountView| {
        let goes = way(&account);
        vec![account.address, account.created, goes]
    };
    let rows: Vec<_> = view.accounts.into_iter().map(row).collect();
    let none = "no accounts yet; add one: postrider account add ADDRESS";
    list(
        &["ADDRESS", "ADDED", "MAIL GOES"],
        &rows,
        view.next,
        none,
        out,
    )
}

fn way(account: &AccountView) -> String {
    let here = account.maildir.as_deref().unwrap_or("here");
    match (account.forward.join(", "), account.keep) {
        (to, _) if to.is_empty() => here.to_owned(),
        (to, true) => format!("{to}, and {here}"),
        (to, false) => to,
    }
}

/// Takes a password, gives the order with its hash, and prints the password if it was made up.
fn with_password(
    global: &Global,
    generate: bool,
    out: &mut Output,
    request: impl FnOnce(String) -> Request,
) -> Result<u8, Failure> {
    let password = if generate {
        password::generate(&mut rand::rng())
    } else {
        read_password()?
    };
    let hash = password::hash(&password, &mut rand::rng()).map_err(|why| {
        let way_out = "take another one, or let --generate make one up";
        Failure::new(code::DATAERR, why.to_string(), way_out)
    })?;
    if !(generate && global.json) {
        let done = order(global, request(hash), out)?;
        if generate {
            out.line(format!("password: {}", password.expose()))?;
        }
        return Ok(done);
    }
    let answer = ask(global, request(hash))?;
    let mut value = serde_json::to_value(answer).map_err(std::io::Error::from)?;
    value["password"] = password.expose().as_str().into();
    out.json(&value)?;
    Ok(code::DONE)
}

/// Twice from a person, once from a program.
fn read_password() -> Result<Secret<String>, Failure> {
    if !std::io::stdin().is_terminal() {
        // Not through the buffer of the standard library, which is never overwritten.
        let stdin = std::io::stdin().as_fd().try_clone_to_owned()?;
        let line = read_line(File::from(stdin))?;
        let password = Secret::new(line.trim_end_matches(['\r', '\n']).to_owned());
        if password.expose().is_empty() {
            let way_out = "pipe one line with the password, or let --generate make one up";
            return Err(Failure::new(
                code::USAGE,
                "no password on standard input",
                way_out,
            ));
        }
        return Ok(password);
    }
    let first = Secret::new(rpassword::prompt_password("Password: ")?);
    if first != Secret::new(rpassword::prompt_password("Again: ")?) {
        return Err(Failure::new(
            code::DATAERR,
            "the two passwords differ",
            "try again",
        ));
    }
    Ok(first)
}

/// One line, in a buffer that never moves: a longer one is cut, and is too long for a password. What
/// comes behind it is nobody's.
fn read_line(mut from: impl Read) -> std::io::Result<Zeroizing<String>> {
    let mut buffer = Zeroizing::new([0; LINE_LEN_MAX]);
    let mut len = 0;
    let end = loop {
        if let Some(end) = buffer[..len].iter().position(|octet| *octet == b'\n') {
            break end;
        }
        match from.read(&mut buffer[len..]) {
            Ok(0) => break len,
            Ok(more) => len += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    };
    let line = str::from_utf8(&buffer[..end]);
    let line = line.map_err(|error| std::io::Error::new(ErrorKind::InvalidData, error))?;
    Ok(Zeroizing::new(line.to_owned()))
}

/// Octets: more than a password may have.
const LINE_LEN_MAX: usize = 2 * password::PASSWORD_LEN_MAX;

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one octet at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let few = into.len().min(1);
            self.0.read(&mut into[..few])
        }
    }

    #[test]
    fn a_password_is_one_line() {
        let long = "x".repeat(LINE_LEN_MAX + 1);
        for (piped, line) in [
            ("secret\n", "secret"),
            ("secret\r\nmore\n", "secret\r"),
            ("no end", "no end"),
            ("", ""),
            ("\n", ""),
            (&long, &long[1..]),
        ] {
            assert_eq!(*read_line(piped.as_bytes()).unwrap(), line);
            assert_eq!(*read_line(Slow(piped.as_bytes())).unwrap(), line);
        }
        let bad = read_line(&b"\xff\n"[..]).unwrap_err();
        assert_eq!(bad.kind(), ErrorKind::InvalidData);
    }
}
