//! `queue list|show|hold|release|remove`

use admin::view::ItemLine;
use admin::{Answer, Request};

use super::{Page, list, order, show, trace, unexpected};
use crate::failure::Failure;
use crate::global::Global;
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
        Verb::List(Page { after, limit }) => {
            show(global, Request::QueueList { after, limit }, out, items)
        }
        Verb::Show { id } => show(global, Request::QueueShow { id }, out, story),
        Verb::Hold { id } => order(global, Request::Hold { id }, out),
        Verb::Release { id } => order(global, Request::Release { id }, out),
        Verb::Remove { id } => order(global, Request::Remove { id }, out),
    }
}

fn story(answer: Answer, out: &mut Output) -> Result<(), Failure> {
    match answer {
        Answer::Story(story) => Ok(trace::tell(&story, out)?),
        _ => Err(unexpected()),
    }
}

fn items(answer: Answer, out: &mut Output) -> Result<(), Failure> {
    let Answer::Queue(queue) = answer else {
        return Err(unexpected());
    };
    let rows: Vec<_> = queue.items.iter().map(row).collect();
    let head = ["QUEUE ID", "ACCEPTED", "OCTETS", "FROM", "TO", "STATE"];
    list(&head, &rows, queue.next, "the queue is empty", out)
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
