//! `alias add|list|remove`

use admin::view::AliasView;
use admin::{Answer, Request};

use super::{Page, list, order, show, unexpected};
use crate::failure::Failure;
use crate::global::Global;
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
        Verb::List(Page { after, limit }) => {
            show(global, Request::AliasList { after, limit }, out, aliases)
        }
    }
}

fn aliases(answer: Answer, out: &mut Output) -> Result<(), Failure> {
    let Answer::Aliases(view) = answer else {
        return Err(unexpected());
    };
    let row = |alias: AliasView| vec![alias.address, alias.targets.join(", ")];
    let rows: Vec<_> = view.aliases.into_iter().map(row).collect();
    let none = "no aliases yet; add one: postrider alias add ADDRESS TARGET";
    list(&["ADDRESS", "STANDS FOR"], &rows, view.next, none, out)
}
