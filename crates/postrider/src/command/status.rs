//! `status`

use admin::{Answer, Request};

use super::unexpected;
use crate::ask::ask;
use crate::cli::Global;
use crate::failure::{Failure, code};
use crate::output::Output;

pub(crate) fn run(global: &Global, out: &mut Output) -> Result<u8, Failure> {
    let answer = ask(global, Request::Status, out)?;
    if global.json {
        out.json(&answer)?;
        return Ok(code::DONE);
    }
    let Answer::Status(status) = answer else {
        return Err(unexpected());
    };
    match status.uptime_secs {
        Some(secs) => out.line(format!("postrider {} runs since {secs} s", status.version))?,
        None => out.line("no server runs on this data")?,
    }
    out.line(format!("recipients on their way: {}", status.open))?;
    Ok(code::DONE)
}
