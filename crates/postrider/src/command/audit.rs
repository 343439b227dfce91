//! `audit`

use admin::{Answer, Request};

use super::unexpected;
use crate::ask::ask;
use crate::failure::{Failure, code};
use crate::global::Global;
use crate::output::Output;

pub(crate) fn run(global: &Global, out: &mut Output) -> Result<u8, Failure> {
    let answer = ask(global, Request::Audit)?;
    if global.json {
        out.json(&answer)?;
    }
    let Answer::Audit(audit) = answer else {
        return Err(unexpected());
    };
    let exit = if audit.balanced { code::DONE } else { code::NO };
    if global.json {
        return Ok(exit);
    }
    for (what, count) in [
        ("accepted", audit.accepted),
        ("delivered", audit.delivered),
        ("bounced", audit.bounced),
        ("suppressed", audit.suppressed),
        ("removed", audit.removed),
        ("open", audit.open),
    ] {
        out.line(format!("{what:<10} {count:>12} recipients"))?;
    }
    for problem in &audit.problems {
        let id = problem.id.as_deref().unwrap_or("-");
        out.line(format!("problem: {id}: {}", problem.text))?;
    }
    out.line(if audit.balanced {
        "nothing is missing: accepted = delivered + bounced + suppressed + removed + open"
    } else {
        "the books do not balance"
    })?;
    Ok(exit)
}
