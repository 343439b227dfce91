//! Postrider: a complete mail system in one binary.
//!
//! This crate is configuration, command line, signals, privileges and wiring; what the server does
//! is in the crates below.

mod ask;
mod cli;
mod command;
mod config;
mod failure;
mod global;
mod logging;
mod open;
mod output;
mod parent;
mod place;
mod privileges;
mod sandbox;
mod server;
mod traces;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use failure::{Failure, code};
use output::Output;

/// Messages are made by one thread and let go by another, thousands a second.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misunderstood(&error),
    };
    // Some have a password in hand.
    sandbox::keep_private();
    let mut out = Output::stdout();
    let result = cli.verb.run(&cli.global, &mut out);
    let flushed = out.flush();
    match result.and_then(|code| flushed.map(|()| code).map_err(Into::into)) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => tell(&failure, cli.global.json),
    }
}

/// A command line that is none, or that asks for help.
fn misunderstood(error: &clap::Error) -> ExitCode {
    let asked = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if !asked && std::env::args_os().any(|argument| argument == "--json") {
        let text = error.to_string();
        let (cause, way_out) = text.split_once("\n\n").unwrap_or((&text, ""));
        return tell(&Failure::new(code::USAGE, cause, way_out.trim_end()), true);
    }
    // Help goes to stdout and is no error; broken pipes are nobody's.
    let _ = error.print();
    ExitCode::from(if asked { code::DONE } else { code::USAGE })
}

/// Ends with a failure: for people a note beside the output, for programs one JSON value in it.
fn tell(failure: &Failure, json: bool) -> ExitCode {
    if json {
        let mut out = Output::stdout();
        let value = serde_json::json!({ "error": failure });
        // Nobody is left to tell when stdout is gone.
        let _ = out.json(&value).and_then(|()| out.flush());
    } else {
        output::note(failure.to_string());
    }
    ExitCode::from(failure.code)
}
