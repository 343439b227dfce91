//! The servers under load, each on a port of its own, ended when dropped.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context;

use super::usage::{self, Usage};
use crate::{lab, process};

/// How long a server may take until it greets.
const GREETING_MAX: Duration = Duration::from_secs(20);
/// Between two looks at a server that should become quiet.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// A running server.
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) port: u16,
    child: Child,
}

impl Peer {
    /// Starts it and waits for its greeting.
    pub(super) fn start(
        name: &'static str,
        port: u16,
        command: &mut Command,
    ) -> anyhow::Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let mut peer = Self { name, port, child };
        let start = process::now();
        while start.elapsed() < GREETING_MAX {
            if let Some(status) = peer.child.try_wait()? {
                anyhow::bail!("{name} ended at once: {status}");
            }
            if greets(port) {
                return Ok(peer);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        anyhow::bail!("{name} does not greet on port {port}")
    }

    pub(super) fn usage(&self) -> Usage {
        usage::of_tree(self.child.id())
    }

    /// What it has used when its deliveries are over: when two looks see the same CPU time.
    pub(super) fn settled_usage(&self, within: Duration) -> Usage {
        let start = process::now();
        let mut last = self.usage();
        loop {
            std::thread::sleep(LOOK_EVERY);
            let now = self.usage();
            if now.cpu_seconds - last.cpu_seconds < 0.02 || start.elapsed() > within {
                return now;
            }
            last = now;
        }
    }
}

impl Drop for Peer {
    /// A polite signal first: Postfix's master takes its children along.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        let pid = self.child.id().to_string();
        let _ = process::succeeds(process::command("kill").args(["-TERM", &pid]));
        let start = process::now();
        while start.elapsed() < Duration::from_secs(10) {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The ceiling: takes everything, keeps nothing.
pub(super) fn sink() -> anyhow::Result<Peer> {
    let port = free_port()?;
    Peer::start("smtp-sink", port, &mut sink_command(port, &[])?)
}

/// The command of the ceiling, with options of `smtp-sink`.
pub(super) fn sink_command(port: u16, options: &[&str]) -> anyhow::Result<Command> {
    let mut command = lab::command("smtp-sink")?;
    if is_root()? {
        command.args(["-u", "nobody"]);
    }
    command.args(options);
    command.arg(format!("127.0.0.1:{port}")).arg("1000");
    Ok(command)
}

/// A command that may have so many files open, as far as the machine lets it.
pub(super) fn with_files(files_max: usize, program: &Path) -> Command {
    if !process::on_path("prlimit") {
        return process::command(&program.to_string_lossy());
    }
    let mut command = process::command("prlimit");
    command
        .arg(format!("--nofile={files_max}:{files_max}"))
        .arg(program);
    command
}

/// A port that was free a moment ago.
pub(super) fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("looking for a free port")?;
    Ok(listener.local_addr()?.port())
}

pub(super) fn is_root() -> anyhow::Result<bool> {
    Ok(process::output_of(process::command("id").arg("-u"))?.trim() == "0")
}

pub(super) fn greets(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else {
        return false;
    };
    let mut code = [0; 3];
    let _ = stream.set_read_timeout(Some(GREETING_MAX));
    stream.read_exact(&mut code).is_ok() && code == *b"220"
}
