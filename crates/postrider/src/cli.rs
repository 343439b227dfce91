//! The command line.

use clap::{Parser, Subcommand};

use crate::command;
use crate::failure::Failure;
use crate::global::Global;
use crate::output::Output;

/// A complete mail system in one program.
#[derive(Debug, Parser)]
#[command(name = "postrider", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Options that every command takes.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Try it out: a whole mail system on loopback, no configuration needed.
    Quickstart(command::quickstart::Args),
    /// Run the server.
    Serve(command::serve::Args),
    /// Check the configuration; with --data also read every stored body.
    Check,
    /// How the server is.
    Status,
    /// Accounts: who has a mailbox here.
    #[command(subcommand)]
    Account(command::account::Verb),
    /// Aliases: addresses that stand for others.
    #[command(subcommand)]
    Alias(command::alias::Verb),
    /// Messages in mailboxes.
    #[command(subcommand)]
    Mail(command::mail::Verb),
    /// Where is my letter? Tells the story of a queue id, or what an address sent and got.
    Trace(command::trace::Args),
    /// The queue: what is on its way.
    #[command(subcommand)]
    Queue(command::queue::Verb),
    /// Why something is as it is, without doing it.
    #[command(subcommand)]
    Explain(command::explain::Verb),
    /// Proves that every accepted recipient has exactly one end or is in the queue.
    Audit,
}

impl Verb {
    /// Does what the command line says, and gives the exit code.
    pub(crate) fn run(self, global: &Global, out: &mut Output) -> Result<u8, Failure> {
        match self {
            Verb::Quickstart(args) => command::quickstart::run(global, &args, out),
            Verb::Serve(args) => command::serve::run(global, &args),
            Verb::Check => command::check::run(global, out),
            Verb::Status => command::status::run(global, out),
            Verb::Account(verb) => command::account::run(global, verb, out),
            Verb::Alias(verb) => command::alias::run(global, verb, out),
            Verb::Mail(verb) => command::mail::run(global, verb, out),
            Verb::Trace(args) => command::trace::run(global, args, out),
            Verb::Queue(verb) => command::queue::run(global, verb, out),
            Verb::Explain(verb) => command::explain::run(global, verb, out),
            Verb::Audit => command::audit::run(global, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("postrider").chain(line.split_whitespace()))
    }

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_parses() {
        for line in [
            "quickstart",
            "quickstart --listen 127.0.0.1:3535",
            "serve --config /etc/postrider/postrider.toml",
            "check",
            "check --data",
            "check --data /var/lib/postrider",
            "status --json",
            "account add ann@example.org",
            "account add ann@example.org --generate",
            "account list --json",
            "account remove ann@example.org",
            "account passwd ann@example.org",
            "alias add sales@example.org ann@example.org bob@example.net",
            "alias list",
            "alias remove sales@example.org",
            "mail list ann@example.org --after 5 --limit 10",
            "mail show ann@example.org 1",
            "trace 01JD5M0F7QK2Z",
            "trace ann@example.org --limit 5",
            "queue list",
            "queue show 01JD5M0F7QK2Z",
            "queue hold 01JD5M0F7QK2Z",
            "queue release 01JD5M0F7QK2Z",
            "queue remove 01JD5M0F7QK2Z",
            "queue list --domain example.net --sender <> --older-than 2h --limit 5",
            "queue retry --domain example.net",
            "queue flush",
            "queue flush --domain example.net",
            "queue remove --sender a@example.net --older-than 48h",
            "queue list --older-than 1000d --limit 1",
            "account deliver ann@example.org",
            "account deliver ann@example.org --forward a@example.net --forward b@example.net --keep",
            "account deliver ann@example.org --maildir /home/ann/Maildir",
            "explain route ann@example.net",
            "audit --data ./postrider-data",
        ] {
            parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn what_is_not_a_command_is_refused() {
        for line in [
            "",
            "frobnicate",
            "queue",
            "queue remove",
            "queue retry",
            "queue list --older-than yesterday",
            "queue list --limit 0",
            "account list --limit 0",
            "mail list ann@example.org --limit 0",
            "trace ann@example.org --limit 0",
            "trace ann@example.org --limit few",
            "account deliver ann@example.org --keep",
            "explain",
            "mail show ann@example.org",
            "serve --port 25",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn data_may_stand_alone() {
        let data = |line: &str| parse(line).unwrap().global.data;
        assert_eq!(data("check"), None);
        assert_eq!(data("check --data"), Some(None));
        assert_eq!(data("check --data d"), Some(Some("d".into())));
        assert_eq!(data("--data d audit"), Some(Some("d".into())));
    }
}
