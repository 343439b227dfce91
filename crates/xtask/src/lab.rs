//! `cargo xtask lab`: foreign mailers and tools under `target/lab`, never over the machine's own,
//! and the small internet of `tests/lab` that they make with Postrider.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use crate::process;
use crate::rigs::Build;

mod internet;
mod packages;
mod peers;

pub(crate) use internet::{soak, tally};
pub(crate) use peers::peer;

/// What follows `cargo xtask lab`. True when all went well; `None` for words it does not know.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<Option<bool>> {
    match arguments {
        [] | ["unpack"] => {
            // Both, also when the first is not complete.
            let tools = unpack_tools();
            let peers = peers::unpack();
            Ok(Some(tools? && peers?))
        }
        ["run", words @ ..] => internet::run(words).map(Some),
        ["soak", seconds] => Ok(Some(soak(seconds.parse()?, Build::Release)?.failed == 0)),
        ["list"] => internet::list().map(Some),
        _ => Ok(None),
    }
}

/// The tools of `bench` and of the rigs. True when everything wanted is there; says loudly what is not.
pub(crate) fn unpack_tools() -> anyhow::Result<bool> {
    let mut complete = true;
    for tool in &TOOLS {
        if tool.only_if_absent && process::on_path(tool.program) {
            println!("lab: {} is on PATH already", tool.program);
            continue;
        }
        match unpack(tool) {
            Ok(path) => println!("lab: {}", path.display()),
            Err(error) => {
                println!("LAB WITHOUT {}: {error:#}", tool.program);
                complete = false;
            }
        }
    }
    Ok(complete)
}

/// Where the lab stands.
pub(crate) fn folder() -> PathBuf {
    process::target_folder().join("lab")
}

/// A command for a program of the lab, with the libraries that came with it.
pub(crate) fn command(program: &str) -> anyhow::Result<Command> {
    let path = find(program).with_context(|| format!("no {program}; run `cargo xtask lab`"))?;
    let mut command = process::command(&path.to_string_lossy());
    command.env("LD_LIBRARY_PATH", library_path());
    Ok(command)
}

/// The program in the lab, when it is there.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let places = ["usr/sbin", "usr/bin", "usr/lib/postfix/sbin", "bin", "sbin"];
    places
        .iter()
        .map(|place| folder().join(place).join(program))
        .find(|path| path.is_file())
}

/// Every folder of the lab that holds shared libraries, as `LD_LIBRARY_PATH` wants it.
pub(crate) fn library_path() -> String {
    let lab = folder();
    let mut folders = vec![
        lab.join("usr/lib/postfix"),
        lab.join("usr/lib"),
        lab.join("lib"),
    ];
    for parent in ["usr/lib", "lib"] {
        let Ok(entries) = std::fs::read_dir(lab.join(parent)) else {
            continue;
        };
        let triplets = entries.flatten().map(|entry| entry.path());
        folders.extend(triplets.filter(|path| path.to_string_lossy().ends_with("-linux-gnu")));
    }
    let folders: Vec<_> = folders
        .iter()
        .map(|path| path.to_string_lossy().into_owned())
        .collect();
    folders.join(":")
}

struct Tool {
    program: &'static str,
    package: &'static str,
    only_if_absent: bool,
}

const TOOLS: [Tool; 5] = [
    Tool {
        program: "smtp-source",
        package: "postfix",
        only_if_absent: false,
    },
    Tool {
        program: "swaks",
        package: "swaks",
        only_if_absent: true,
    },
    // Debian 12 keeps the program in inetutils; `telnet` is an empty package that points there.
    Tool {
        program: "inetutils-telnet",
        package: "inetutils-telnet",
        only_if_absent: false,
    },
    Tool {
        program: "strace",
        package: "strace",
        only_if_absent: true,
    },
    Tool {
        program: "nc.openbsd",
        package: "netcat-openbsd",
        only_if_absent: false,
    },
];

fn unpack(tool: &Tool) -> anyhow::Result<PathBuf> {
    if let Some(path) = find(tool.program) {
        return Ok(path);
    }
    packages::unpack_with_libraries(&[tool.package], &folder())?;
    find(tool.program).with_context(|| format!("{} holds no {}", tool.package, tool.program))
}
