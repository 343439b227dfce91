//! `cargo xtask lab`: foreign mailers and tools under `target/lab`, never over the machine's own.
//!
//! Takes Debian packages apart with `apt-get download` and `dpkg -x`; nothing is installed and no
//! script of a package runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::process;

/// True when everything wanted is there. Says loudly what is not.
pub(crate) fn run() -> anyhow::Result<bool> {
    let mut complete = true;
    for peer in &PEERS {
        if peer.only_if_absent && process::on_path(peer.program) {
            println!("lab: {} is on PATH already", peer.program);
            continue;
        }
        match unpack(peer) {
            Ok(path) => println!("lab: {}", path.display()),
            Err(error) => {
                println!("LAB WITHOUT {}: {error:#}", peer.program);
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

struct Peer {
    program: &'static str,
    package: &'static str,
    only_if_absent: bool,
}

const PEERS: [Peer; 5] = [
    Peer {
        program: "smtp-source",
        package: "postfix",
        only_if_absent: false,
    },
    Peer {
        program: "swaks",
        package: "swaks",
        only_if_absent: true,
    },
    // Debian 12 keeps the program in inetutils; `telnet` is an empty package that points there.
    Peer {
        program: "inetutils-telnet",
        package: "inetutils-telnet",
        only_if_absent: false,
    },
    Peer {
        program: "strace",
        package: "strace",
        only_if_absent: true,
    },
    Peer {
        program: "nc.openbsd",
        package: "netcat-openbsd",
        only_if_absent: false,
    },
];

fn unpack(peer: &Peer) -> anyhow::Result<PathBuf> {
    if let Some(path) = find(peer.program) {
        return Ok(path);
    }
    anyhow::ensure!(process::on_path("apt-get"), "no apt-get on this machine");
    let downloads = folder().join("packages");
    std::fs::create_dir_all(&downloads).context("creating target/lab")?;
    fetch(peer.package, &downloads)?;
    for library in missing_libraries(peer.package)? {
        // A library that is in the wrong version or gone shows when the program starts.
        if let Err(error) = fetch(&library, &downloads) {
            println!("lab: {library}: {error:#}");
        }
    }
    find(peer.program).with_context(|| format!("{} holds no {}", peer.package, peer.program))
}

/// Downloads one package and takes it apart into the lab.
fn fetch(package: &str, downloads: &Path) -> anyhow::Result<()> {
    let mut apt = process::command("apt-get");
    apt.current_dir(downloads).args(["-q", "download", package]);
    if process::output_of(&mut apt).is_err() {
        // The list of packages may never have been fetched; that needs root.
        process::output_of(process::command("apt-get").args(["-q", "update"]))?;
        process::output_of(&mut apt)?;
    }
    for entry in std::fs::read_dir(downloads)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with(&format!("{package}_")) {
            process::output_of(process::command("dpkg").arg("-x").arg(&path).arg(folder()))?;
        }
    }
    Ok(())
}

/// The libraries a package wants that this machine does not have.
fn missing_libraries(package: &str) -> anyhow::Result<Vec<String>> {
    let mut apt = process::command("apt-cache");
    apt.args([
        "depends",
        "--recurse",
        "--no-recommends",
        "--no-suggests",
        "--no-conflicts",
    ]);
    apt.args(["--no-breaks", "--no-replaces", "--no-enhances", package]);
    let listing = process::output_of(&mut apt)?;
    let mut libraries: Vec<String> = listing
        .lines()
        .filter(|line| line.starts_with("lib"))
        .map(|line| line.trim().to_owned())
        .filter(|name| !name.contains(':') && !is_installed(name))
        .collect();
    libraries.sort();
    libraries.dedup();
    Ok(libraries)
}

fn is_installed(package: &str) -> bool {
    let mut query = process::command("dpkg-query");
    query.args(["-W", "-f", "${Status}", package]);
    process::output_of(&mut query).is_ok_and(|status| status.ends_with(" installed"))
}
