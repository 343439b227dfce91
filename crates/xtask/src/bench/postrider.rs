//! Postrider under load: as installed, with its default durability.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context;

use super::form::Form;
use super::peer::{self, Peer};
use crate::{process, rigs};

/// A running one, and what its command line needs.
pub(super) struct Postrider {
    pub(super) peer: Peer,
    /// Where its log lies; it says each fate.
    pub(super) log: PathBuf,
    binary: PathBuf,
    config: PathBuf,
}

impl Postrider {
    /// Starts one in a folder of its own below `folder`; `settings` are lines for its configuration.
    ///
    /// It may have so many files open.
    pub(super) fn start(
        folder: &Path,
        form: Form,
        settings: &str,
        files_max: usize,
    ) -> anyhow::Result<Self> {
        let binary = rigs::binary(form.build)?;
        let port = peer::free_port()?;
        let (config, log) = (folder.join("postrider.toml"), folder.join("postrider.log"));
        let user = if peer::is_root()? {
            "user = \"root\"\n"
        } else {
            ""
        };
        let text = format!(
            "hostname = \"mx.example.test\"\ndata = \"{}\"\ndomains = [\"example.test\"]\n\
             listen = [\"127.0.0.1:{port}\"]\n{user}{settings}",
            folder.join("postrider").display()
        );
        std::fs::write(&config, text).context("writing the config")?;
        let output = std::fs::File::create(&log).context("creating the log")?;
        let mut serve = peer::with_files(files_max, &binary);
        serve.args(["serve", "--config"]).arg(&config);
        serve.stdout(output.try_clone()?).stderr(output);
        let peer = Peer::start("Postrider", port, &mut serve)?;
        Ok(Self {
            peer,
            log,
            binary,
            config,
        })
    }

    pub(super) fn add_account(&self, address: &str) -> anyhow::Result<()> {
        let mut add = process::command(&self.binary.to_string_lossy());
        add.args(["account", "add", address, "--config"])
            .arg(&self.config);
        let mut add = add
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("account add")?;
        add.stdin
            .take()
            .context("no stdin")?
            .write_all(b"correct horse battery\n")?;
        anyhow::ensure!(add.wait()?.success(), "account add {address} failed");
        Ok(())
    }
}

/// With an account, alice. Mail for sink.test it passes on to the port `next`.
pub(super) fn relaying(folder: &Path, form: Form, next: u16) -> anyhow::Result<Postrider> {
    let mut settings = LOOPBACK.to_owned();
    let _ = writeln!(
        settings,
        "routes = {{ \"sink.test\" = \"[127.0.0.1]:{next}\" }}"
    );
    let postrider = Postrider::start(folder, form, &settings, FILES_MAX)?;
    postrider.add_account("alice@example.test")?;
    Ok(postrider)
}

/// All of a load comes from one address, which may send to everybody.
pub(super) const LOOPBACK: &str =
    "connections_per_address_max = 1000\nrelay_networks = [\"127.0.0.1/32\"]\n";
/// More than any load but the idle one needs.
pub(super) const FILES_MAX: usize = 8192;
