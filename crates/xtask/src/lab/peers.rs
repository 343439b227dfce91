//! The mailers and the name server of the small internet, each in a folder of its own: as packages
//! they exclude one another.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::packages;

/// True when all are there. Says loudly which is not.
pub(super) fn unpack() -> anyhow::Result<bool> {
    let mut complete = true;
    for peer in &PEERS {
        match unpack_one(peer) {
            Ok(path) => println!("lab: {}", path.display()),
            Err(error) => {
                println!("LAB WITHOUT {}: {error:#}", peer.name);
                complete = false;
            }
        }
    }
    Ok(complete)
}

/// The folder of one of them, unpacked when it is not there.
pub(crate) fn peer(name: &str) -> anyhow::Result<PathBuf> {
    let peer = PEERS.iter().find(|peer| peer.name == name);
    unpack_one(peer.with_context(|| format!("the lab knows no {name}"))?)
}

/// Where they lie.
pub(super) fn folder() -> PathBuf {
    super::folder().join("peers")
}

struct Peer {
    name: &'static str,
    packages: &'static [&'static str],
    program: &'static str,
}

const PEERS: [Peer; 5] = [
    Peer {
        name: "nsd",
        packages: &["nsd"],
        program: "usr/sbin/nsd",
    },
    Peer {
        name: "postfix",
        packages: &["postfix"],
        program: "usr/sbin/postfix",
    },
    Peer {
        name: "exim",
        packages: &["exim4-daemon-heavy"],
        program: "usr/sbin/exim4",
    },
    Peer {
        name: "opensmtpd",
        packages: &["opensmtpd"],
        program: "usr/sbin/smtpd",
    },
    // Its configuration is made by m4 from files of their own.
    Peer {
        name: "sendmail",
        packages: &["sendmail-cf", "sendmail-base", "m4", "sendmail-bin"],
        program: "usr/libexec/sendmail/sendmail",
    },
];

/// A folder that was not finished is not there: it is made beside, and moved.
fn unpack_one(peer: &Peer) -> anyhow::Result<PathBuf> {
    let place = folder().join(peer.name);
    if place.join(peer.program).exists() {
        return Ok(place);
    }
    let unfinished = folder().join(format!("{}.unfinished", peer.name));
    for old in [&place, &unfinished] {
        remove(old)?;
    }
    std::fs::create_dir_all(unfinished.join("usr/lib")).context("creating target/lab/peers")?;
    // A library that Debian still packs under /lib has to come to light under /usr/lib, where the
    // lab lays the folder over the machine's.
    std::os::unix::fs::symlink("usr/lib", unfinished.join("lib")).context("linking lib")?;
    packages::unpack_with_libraries(peer.packages, &unfinished)?;
    anyhow::ensure!(
        unfinished.join(peer.program).exists(),
        "the packages hold no {}",
        peer.program
    );
    std::fs::rename(&unfinished, &place).context("putting it in place")?;
    Ok(place)
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))
        }
        _ => Ok(()),
    }
}
