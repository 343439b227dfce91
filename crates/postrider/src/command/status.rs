//! `status`

use admin::{Answer, Request};

use super::{show, unexpected};
use crate::failure::Failure;
use crate::global::Global;
use crate::output::Output;

pub(crate) fn run(global: &Global, out: &mut Output) -> Result<u8, Failure> {
    show(global, Request::Status, out, status)
}

fn status(answer: Answer, out: &mut Output) -> Result<(), Failure> {
    let Answer::Status(status) = answer else {
        return Err(unexpected());
    };
    match status.uptime_secs {
        Some(secs) => out.line(format!(
            "postrider {} has been running for {secs} s",
            status.version
        ))?,
        None => out.line("no server runs on this data")?,
    }
    Ok(out.line(format!("recipients on their way: {}", status.open))?)
}
