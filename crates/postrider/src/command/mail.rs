//! `mail list|show`

mod base64;

use admin::view::MailLine;
use admin::{Answer, Request};

use super::{list, show, unexpected};
use crate::ask::ask_for_body;
use crate::failure::{Failure, code};
use crate::global::Global;
use crate::output::Output;
use base64::Base64;

/// What to do with messages.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Lists the messages of an account, oldest first.
    List {
        /// The address of the account.
        account: String,
        /// Only those behind this UID.
        #[arg(long, default_value_t = 0, value_name = "UID")]
        after: u32,
        /// At most so many.
        #[arg(long, default_value_t = 100, value_name = "N", value_parser = super::at_least_one)]
        limit: usize,
    },
    /// Prints a message exactly as it is, octet by octet; with --json in base64.
    Show {
        /// The address of the account.
        account: String,
        /// Its UID, the first column of `mail list`.
        uid: u32,
    },
}

pub(crate) fn run(global: &Global, verb: Verb, out: &mut Output) -> Result<u8, Failure> {
    match verb {
        Verb::List {
            account,
            after,
            limit,
        } => {
            let request = Request::MailList {
                account,
                after,
                limit,
            };
            show(global, request, out, messages)
        }
        Verb::Show { account, uid } => {
            let request = Request::MailShow { account, uid };
            if global.json {
                show_json(global, request, out)?;
            } else {
                ask_for_body(global, request, out)?;
            }
            Ok(code::DONE)
        }
    }
}

/// One value that holds the octets in base64, written as they come: a message may be long.
fn show_json(global: &Global, request: Request, out: &mut Output) -> Result<(), Failure> {
    let mut octets = Base64::new(r#"{"base64":""#, out);
    let answer = ask_for_body(global, request, &mut octets)?;
    octets.finish()?;
    let rest = serde_json::to_string(&answer).map_err(std::io::Error::from)?;
    Ok(out.line(format!("\",{}", rest.trim_start_matches('{')))?)
}

fn messages(answer: Answer, out: &mut Output) -> Result<(), Failure> {
    let Answer::Mail(view) = answer else {
        return Err(unexpected());
    };
    let row = |line: MailLine| {
        vec![
            line.uid.to_string(),
            line.arrived,
            line.size.to_string(),
            line.id,
            super::trace::sender(line.from.as_deref().unwrap_or("?")).to_owned(),
        ]
    };
    let rows: Vec<_> = view.messages.into_iter().map(row).collect();
    let head = ["UID", "ARRIVED", "OCTETS", "QUEUE ID", "FROM"];
    let none = format!("{} has no messages here", view.account);
    list(&head, &rows, view.next, &none, out)
}
