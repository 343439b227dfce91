//! `mail list|show`

use admin::{Answer, Request};

use super::{say_more, unexpected};
use crate::ask::ask;
use crate::cli::Global;
use crate::failure::{Failure, code};
use crate::output::Output;

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
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: usize,
    },
    /// Prints a message exactly as it is, octet by octet.
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
        } => list(global, account, after, limit, out),
        Verb::Show { account, uid } => {
            // The octets are the output: JSON could not hold them.
            ask(global, Request::MailShow { account, uid }, out)?;
            Ok(code::DONE)
        }
    }
}

fn list(
    global: &Global,
    account: String,
    after: u32,
    limit: usize,
    out: &mut Output,
) -> Result<u8, Failure> {
    let request = Request::MailList {
        account,
        after,
        limit,
    };
    let answer = ask(global, request, out)?;
    if global.json {
        out.json(&answer)?;
        return Ok(code::DONE);
    }
    let Answer::Mail(view) = answer else {
        return Err(unexpected());
    };
    if view.messages.is_empty() {
        out.line(format!("{} has no messages here", view.account))?;
        return Ok(code::DONE);
    }
    let row = |line: admin::view::MailLine| {
        vec![
            line.uid.to_string(),
            line.arrived,
            line.size.to_string(),
            line.id,
            super::trace::sender(line.from.as_deref().unwrap_or("?")).to_owned(),
        ]
    };
    let rows: Vec<_> = view.messages.into_iter().map(row).collect();
    out.table(&["UID", "ARRIVED", "OCTETS", "QUEUE ID", "FROM"], &rows)?;
    say_more(view.next, "after", out)?;
    Ok(code::DONE)
}
