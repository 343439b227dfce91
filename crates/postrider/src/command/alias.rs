//! `alias add|list|remove`

use admin::{Answer, Request};

use super::{Page, order, say_more, unexpected};
use crate::ask::ask;
use crate::cli::Global;
use crate::failure::{Failure, code};
use crate::output::Output;

/// What to do with aliases.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Adds an alias, or replaces whom it stands for.
    Add {
        /// The address; `*@example.org` catches all of a domain.
        address: String,
        /// Whom it stands for; outside addresses too.
        #[arg(required = true)]
        targets: Vec<String>,
    },
    /// Lists aliases.
    List(Page),
    /// Removes an alias.
    Remove {
        /// Its address.
        address: String,
    },
}

pub(crate) fn run(global: &Global, verb: Verb, out: &mut Output) -> Result<u8, Failure> {
    match verb {
        Verb::Add { address, targets } => {
            order(global, Request::AliasSet { address, targets }, out)
        }
        Verb::Remove { address } => order(global, Request::AliasRemove { address }, out),
        Verb::List(page) => list(global, page, out),
    }
}

fn list(global: &Global, page: Page, out: &mut Output) -> Result<u8, Failure> {
    let request = Request::AliasList {
        after: page.after,
        limit: page.limit,
    };
    let answer = ask(global, request, out)?;
    if global.json {
        out.json(&answer)?;
        return Ok(code::DONE);
    }
    let Answer::Aliases(view) = answer else {
        return Err(unexpected());
    };
    if view.aliases.is_empty() {
        out.line("no aliases yet; add one: postrider alias add ADDRESS TARGET")?;
        return Ok(code::DONE);
    }
    let row = |alias: admin::view::AliasView| vec![alias.address, alias.targets.join(", ")];
    let rows: Vec<_> = view.aliases.into_iter().map(row).collect();
    out.table(&["ADDRESS", "STANDS FOR"], &rows)?;
    say_more(view.next, "after", out)?;
    Ok(code::DONE)
}
