//! One file per verb. Each gives its exit code.

pub(crate) mod account;
pub(crate) mod alias;
pub(crate) mod audit;
pub(crate) mod check;
pub(crate) mod explain;
pub(crate) mod mail;
pub(crate) mod queue;
pub(crate) mod quickstart;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod trace;

use admin::{Answer, Request};

use crate::ask::ask;
use crate::failure::{Failure, code};
use crate::global::Global;
use crate::output::{self, Output};

/// Options of every list.
#[derive(Debug, clap::Args)]
pub(crate) struct Page {
    /// Go on behind this one (the last list ended with it).
    #[arg(long, value_name = "LAST")]
    after: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = at_least_one)]
    limit: usize,
}

/// How much a list may have: one that may have nothing is a mistake.
fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("a list has at least 1".to_owned()),
        Ok(limit) => Ok(limit),
        Err(_) => Err("this is no number".to_owned()),
    }
}

/// Gives an order and says what came of it.
fn order(global: &Global, request: Request, out: &mut Output) -> Result<u8, Failure> {
    show(global, request, out, |answer, out| match answer {
        Answer::Done(done) => Ok(out.line(done.message)?),
        _ => Err(unexpected()),
    })
}

/// Asks; a program gets the answer as it is, a person what `tell` makes of it.
fn show(
    global: &Global,
    request: Request,
    out: &mut Output,
    tell: impl FnOnce(Answer, &mut Output) -> Result<(), Failure>,
) -> Result<u8, Failure> {
    let answer = ask(global, request)?;
    let behind = answer.behind().map(ToOwned::to_owned);
    if global.json {
        out.json(&answer)?;
    } else {
        tell(answer, out)?;
    }
    behind.into_iter().for_each(output::note);
    Ok(code::DONE)
}

/// One page of a list for people: the rows and where it goes on, or one line that there are none.
fn list(
    head: &[&str],
    rows: &[Vec<String>],
    next: Option<impl std::fmt::Display>,
    none: &str,
    out: &mut Output,
) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(out.line(none)?);
    }
    out.table(head, rows)?;
    Ok(say_more(next, "after", out)?)
}

/// An answer of a kind that belongs to another question.
fn unexpected() -> Failure {
    let cause = "the server answered something else: program and server differ in version";
    Failure::new(
        code::UNAVAILABLE,
        cause,
        "restart the server with this program",
    )
}

/// Says that a list has more rows.
fn say_more(
    next: Option<impl std::fmt::Display>,
    option: &str,
    out: &mut Output,
) -> std::io::Result<()> {
    match next {
        Some(next) => out.line(format!("there may be more: add --{option} {next}")),
        None => Ok(()),
    }
}
