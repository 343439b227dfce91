//! `queue list|show|hold|release|remove`

use admin::view::ItemLine;
use admin::{Answer, Request};

use super::{Page, order, say_more, trace, unexpected};
use crate::ask::ask;
use crate::cli::Global;
use crate::failure::{Failure, code};
use crate::output::Output;

/// What to do with the queue.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Lists what is on its way, oldest first.
    List(Page),
    /// Tells the story of one message.
    Show {
        /// Its queue id.
        id: String,
    },
    /// Keeps a message from being delivered.
    Hold {
        /// Its queue id.
        id: String,
    },
    /// Lets a held message go; one that waits is tried at once.
    Release {
        /// Its queue id.
        id: String,
    },
    /// Removes a message for good. The history says who did it.
    Remove {
        /// Its queue id.
        id: String,
    },
}

pub(crate) fn run(global: &Global, verb: Verb, out: &mut Output) -> Result<u8, Failure> {
    match verb {
        Verb::List(page) => list(global, page, out),
        Verb::Show { id } => show(global, id, out),
        Verb::Hold { id } => order(global, Request::Hold { id }, out),
        Verb::Release { id } => order(global, Request::Release { id }, out),
        Verb::Remove { id } => order(global, Request::Remove { id }, out),
    }
}

fn show(global: &Global, id: String, out: &mut Output) -> Result<u8, Failure> {
    let answer = ask(global, Request::QueueShow { id }, out)?;
    if global.json {
        out.json(&answer)?;
        return Ok(code::DONE);
    }
    let Answer::Story(story) = answer else {
        return Err(unexpected());
    };
    trace::tell(&story, out)?;
    Ok(code::DONE)
}

fn list(global: &Global, page: Page, out: &mut Output) -> Result<u8, Failure> {
    let request = Request::QueueList {
        after: page.after,
        limit: page.limit,
    };
    let answer = ask(global, request, out)?;
    if global.json {
        out.json(&answer)?;
        return Ok(code::DONE);
    }
    let Answer::Queue(queue) = answer else {
        return Err(unexpected());
    };
    if queue.items.is_empty() {
        out.line("the queue is empty")?;
        return Ok(code::DONE);
    }
    let rows: Vec<_> = queue.items.iter().map(row).collect();
    let head = ["QUEUE ID", "ACCEPTED", "OCTETS", "FROM", "TO", "STATE"];
    out.table(&head, &rows)?;
    say_more(queue.next, "after", out)?;
    Ok(code::DONE)
}

/// The first open recipient stands for the others.
fn row(item: &ItemLine) -> Vec<String> {
    let first = item.recipients.first();
    let others = item.open.saturating_sub(1);
    let to = first.map_or("-", |recipient| recipient.address.as_str());
    let to = match others {
        0 => to.to_owned(),
        others => format!("{to} +{others}"),
    };
    let state = first.map_or_else(String::new, |recipient| {
        let due = recipient
            .due
            .as_deref()
            .map(|due| format!(", next try {due}"));
        format!("{}{}", recipient.state, due.unwrap_or_default())
    });
    vec![
        item.id.clone(),
        item.accepted.clone(),
        item.size.to_string(),
        trace::sender(&item.from).to_owned(),
        to,
        state,
    ]
}
