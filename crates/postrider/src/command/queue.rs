//! `queue list|show|hold|release|retry|flush|remove`

use std::io::Write;

use admin::view::ItemLine;
use admin::{Answer, Order, Request, Which};

use super::{show, trace, unexpected};
use crate::ask::ask;
use crate::config::parse_duration;
use crate::failure::{Failure, code};
use crate::global::Global;
use crate::output::{self, Output, Table};

/// What to do with the queue.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Lists what is on its way, oldest first.
    List {
        #[command(flatten)]
        filter: Filter,
        /// Go on behind this one.
        #[arg(long, value_name = "ID")]
        after: Option<String>,
        /// At most so many [default: all].
        #[arg(long, value_name = "N", value_parser = super::at_least_one)]
        limit: Option<usize>,
    },
    /// Tells the story of one message.
    Show {
        /// Its queue id.
        id: String,
    },
    /// Keeps messages from being delivered.
    Hold(Selected),
    /// Lets held messages go; those that wait are tried at once.
    Release(Selected),
    /// Tries waiting messages at once.
    Retry(Selected),
    /// Tries all that waits at once, or all that waits for a domain.
    Flush(Filter),
    /// Removes messages for good. The history says who did it.
    Remove(Selected),
}

/// Some messages of the queue: those for which all that is given holds.
#[derive(Debug, clap::Args)]
pub(crate) struct Filter {
    /// Those for this domain, and of these only the recipients there.
    #[arg(long)]
    domain: Option<String>,
    /// Those of this sender; <> for reports.
    #[arg(long, value_name = "ADDRESS")]
    sender: Option<String>,
    /// Those accepted longer ago than this, as in 30m, 12h or 3d.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    older_than: Option<u64>,
}

/// Messages for an order: at least one thing has to be said of them.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Selected {
    /// The queue id of one message.
    id: Option<String>,
    /// Those for this domain, and of these only the recipients there.
    #[arg(long)]
    domain: Option<String>,
    /// Those of this sender; <> for reports.
    #[arg(long, value_name = "ADDRESS")]
    sender: Option<String>,
    /// Those accepted longer ago than this, as in 30m, 12h or 3d.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    older_than: Option<u64>,
}

impl From<Filter> for Which {
    fn from(filter: Filter) -> Self {
        Self {
            id: None,
            domain: filter.domain,
            sender: filter.sender,
            older_than: filter.older_than,
        }
    }
}

impl From<Selected> for Which {
    fn from(selected: Selected) -> Self {
        Self {
            id: selected.id,
            domain: selected.domain,
            sender: selected.sender,
            older_than: selected.older_than,
        }
    }
}

pub(crate) fn run(global: &Global, verb: Verb, out: &mut Output) -> Result<u8, Failure> {
    match verb {
        Verb::List {
            filter,
            after,
            limit,
        } => list(global, &filter.into(), after, limit, out),
        Verb::Show { id } => show(global, Request::QueueShow { id }, out, story),
        Verb::Hold(selected) => order(global, Order::Hold, &selected.into(), out),
        Verb::Release(selected) => order(global, Order::Release, &selected.into(), out),
        Verb::Retry(selected) => order(global, Order::Retry, &selected.into(), out),
        Verb::Flush(filter) => order(global, Order::Retry, &filter.into(), out),
        Verb::Remove(selected) => order(global, Order::Remove, &selected.into(), out),
    }
}

fn seconds(text: &str) -> Result<u64, String> {
    let span = parse_duration(text).ok_or("this is no time, as in 30m, 12h or 3d")?;
    Ok(span.as_secs())
}

fn story(answer: Answer, out: &mut Output) -> Result<(), Failure> {
    match answer {
        Answer::Story(story) => Ok(trace::tell(&story, out)?),
        _ => Err(unexpected()),
    }
}

/// Page by page: what is printed needs no more memory than one page.
fn list(
    global: &Global,
    which: &Which,
    mut after: Option<String>,
    limit: Option<usize>,
    out: &mut Output,
) -> Result<u8, Failure> {
    let head = [
        "QUEUE ID", "ACCEPTED", "OCTETS", "FROM", "TO", "STATE", "LAST",
    ];
    let (mut table, mut listed) = (Table::new(&head), 0);
    let mut behind = None;
    let next = loop {
        let left = limit.map_or(PAGE, |limit| limit.saturating_sub(listed));
        let request = Request::QueueList {
            which: which.clone(),
            after: after.take(),
            limit: left.min(PAGE),
        };
        let Answer::Queue(page) = ask(global, request)? else {
            return Err(unexpected());
        };
        if global.json {
            // Not before there is an answer: an error is one JSON value by itself.
            if listed == 0 {
                write!(out, r#"{{"answer":"queue","items":["#)?;
            }
            for (n, item) in page.items.iter().enumerate() {
                let comma = if listed + n == 0 { "" } else { "," };
                write!(out, "{comma}{}", to_json(item)?)?;
            }
        } else if !page.items.is_empty() {
            let rows: Vec<_> = page.items.iter().map(row).collect();
            table.rows(&rows, out)?;
        }
        listed += page.items.len();
        behind = behind.or(page.behind);
        if page.next.is_none() || limit.is_some_and(|limit| listed >= limit) {
            break page.next;
        }
        after = page.next;
    };
    match (global.json, next) {
        (true, next) => {
            write!(out, r#"],"next":{}"#, to_json(&next)?)?;
            if let Some(text) = &behind {
                write!(out, r#","behind":{}"#, to_json(text)?)?;
            }
            writeln!(out, "}}")?;
        }
        (false, Some(next)) => out.line(format!("there may be more: add --after {next}"))?,
        (false, None) if listed == 0 && behind.is_some() => {
            out.line("the last commit has nothing like that")?;
        }
        (false, None) if listed == 0 && which.is_all() => out.line("the queue is empty")?,
        (false, None) if listed == 0 => out.line("nothing like that is in the queue")?,
        (false, None) => {}
    }
    behind.into_iter().for_each(output::note);
    Ok(code::DONE)
}

fn to_json(value: &impl serde::Serialize) -> std::io::Result<String> {
    Ok(serde_json::to_string(value)?)
}

/// Gives an order page by page, and says what it came to.
fn order(global: &Global, order: Order, which: &Which, out: &mut Output) -> Result<u8, Failure> {
    let (mut items, mut recipients, mut after) = (0, 0, None);
    loop {
        let request = Request::Order {
            order,
            which: which.clone(),
            after: after.take(),
        };
        match ask(global, request)? {
            Answer::Order(page) => {
                items += page.items;
                recipients += page.recipients;
                after = page.next;
            }
            done @ Answer::Done(_) if global.json => {
                out.json(&done)?;
                return Ok(code::DONE);
            }
            Answer::Done(done) => {
                out.line(done.message)?;
                return Ok(code::DONE);
            }
            _ => return Err(unexpected()),
        }
        if after.is_none() {
            break;
        }
    }
    if global.json {
        let next = None;
        out.json(&Answer::Order(admin::view::OrderView {
            items,
            recipients,
            next,
        }))?;
    } else {
        let what = match order {
            Order::Hold => "held",
            Order::Release | Order::Retry => "due now",
            Order::Remove => "removed",
        };
        out.line(format!("{what}: messages {items}, recipients {recipients}"))?;
    }
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
        let due = recipient.due.as_deref().filter(|_| !recipient.in_hand);
        let due = due.map(|due| format!(", {} {due}", trace::waits_for(due)));
        let state = trace::stands(&recipient.state, recipient.in_hand);
        format!("{state}{}", due.unwrap_or_default())
    });
    let last = first.and_then(|recipient| recipient.status.clone());
    vec![
        item.id.clone(),
        item.accepted.clone(),
        item.size.to_string(),
        trace::sender(&item.from).to_owned(),
        to,
        state,
        last.unwrap_or_default(),
    ]
}

/// Items of one request.
const PAGE: usize = 1000;
