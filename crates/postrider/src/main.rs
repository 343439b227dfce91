//! Postrider: a complete mail system in one binary.
//!
//! This crate is configuration, command line, signals, privileges and wiring; what the server does
//! is in the crates below.

mod ask;
mod cli;
mod command;
mod config;
mod failure;
mod logging;
mod open;
mod output;
mod parent;
mod place;
mod privileges;
mod server;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use failure::code;
use output::Output;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to stdout and is no error; broken pipes are nobody's.
            let _ = error.print();
            let asked = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            return ExitCode::from(if asked { code::DONE } else { code::USAGE });
        }
    };
    let mut out = Output::stdout();
    let result = command::run(&cli.global, cli.verb, &mut out);
    let flushed = out.flush();
    match result.and_then(|code| flushed.map(|()| code).map_err(Into::into)) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            output::note(failure.to_string());
            ExitCode::from(failure.code)
        }
    }
}
