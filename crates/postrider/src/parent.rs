//! The parent that stays root: it opens sockets, starts the server as another user, and waits.
//!
//! It reads the configuration and nothing else: no mail, no store. Its child may ask for
//! listeners, and gets exactly those that the configuration names at that moment.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use net::handoff::{self, Parent, Request, Served};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::failure::{Failure, code};
use crate::privileges;
use crate::server::{Sockets, Source};

/// Runs the server as `user` and gives the exit code that it ends with.
pub(crate) fn run(
    source: &Source,
    config: &Config,
    user: &User,
    sockets: Sockets,
) -> Result<u8, Failure> {
    privileges::prepare_data(&config.data, user)?;
    let addresses = addresses(config);
    for difference in sockets.compare(&addresses) {
        tracing::warn!("{difference}");
    }
    let opener = Opener {
        path: source.path.clone(),
        allowed: addresses.clone(),
        ready: open_all(&sockets, &addresses)?,
        sockets,
    };
    let (parent, theirs) = handoff::pair()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let child = start(source, user, theirs)?;
        std::thread::Builder::new()
            .name("handoff".to_owned())
            .spawn(move || serve(&parent, opener))?;
        let status = wait(child).await?;
        if let Some(signal) = status.signal() {
            // It could not say so itself: killed, out of memory, or a bug.
            tracing::error!(signal, "the server was ended by a signal");
        }
        Ok(exit_code(status))
    })
}

fn start(source: &Source, user: &User, theirs: OwnedFd) -> Result<Child, Failure> {
    // The same program, even when its file has been replaced since.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("postrider")
        .args(["serve", "--child", "--config"]);
    command.arg(&source.path);
    if let Some(data) = &source.data {
        command.arg("--data").arg(data);
    }
    // `uid` also drops the supplementary groups; a group of its own keeps Ctrl-C from being told twice.
    command
        .gid(user.gid.as_raw())
        .uid(user.uid.as_raw())
        .process_group(0)
        .stdin(Stdio::from(theirs));
    command.spawn().map_err(|error| {
        let cause = format!("cannot start the server as user {}: {error}", user.name);
        Failure::new(code::OSERR, cause, "")
    })
}

/// What the child may have.
struct Opener {
    path: std::path::PathBuf,
    allowed: Vec<SocketAddr>,
    /// Opened before the child started, so that a taken port is told early.
    ready: Vec<(SocketAddr, TcpListener)>,
    sockets: Sockets,
}

impl Opener {
    fn open(&mut self, addr: SocketAddr) -> Result<Option<TcpListener>, String> {
        // The file may have changed since; a wrong one changes nothing.
        if let Ok(config) = Config::read(&self.path) {
            self.allowed = addresses(&config);
        }
        if !self.allowed.contains(&addr) {
            return Err(format!("{addr} is not in the configuration"));
        }
        if let Some(index) = self.ready.iter().position(|(ready, _)| *ready == addr) {
            return Ok(Some(self.ready.swap_remove(index).1));
        }
        self.sockets
            .open(addr, &self.allowed)
            .map_err(|failure| failure.to_string())
    }
}

fn addresses(config: &Config) -> Vec<SocketAddr> {
    config.listen.iter().map(|listen| listen.address).collect()
}

fn open_all(
    sockets: &Sockets,
    addresses: &[SocketAddr],
) -> Result<Vec<(SocketAddr, TcpListener)>, Failure> {
    let mut ready = Vec::new();
    for addr in addresses {
        if let Some(listener) = sockets.open(*addr, addresses)? {
            ready.push((*addr, listener));
        }
    }
    Ok(ready)
}

/// Answers the child until it has ended, or says something that no child of ours would.
fn serve(parent: &Parent, mut opener: Opener) {
    loop {
        let served = parent.serve_one(|request| match request {
            Request::Bind(addr) => opener.open(addr),
        });
        match served {
            Ok(Served::Answered) => {}
            Ok(Served::ChildGone) => return,
            Err(error) => {
                tracing::error!(%error, "the server asked for something odd: no more sockets");
                return;
            }
        }
    }
}

/// Passes signals on and waits for the child. One task does both: an id that was not waited for
/// cannot belong to another process yet.
async fn wait(mut child: Child) -> std::io::Result<ExitStatus> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        let pass_on = tokio::select! {
            biased;
            status = child.wait() => return status,
            _ = terminate.recv() => Signal::SIGTERM,
            _ = interrupt.recv() => Signal::SIGTERM,
            _ = hangup.recv() => Signal::SIGHUP,
        };
        if let Some(Ok(pid)) = child.id().map(i32::try_from) {
            // It may just have ended; then the next wait tells.
            let _ = kill(Pid::from_raw(pid), pass_on);
        }
    }
}

/// As a shell tells it: 128 and the signal, when one ended the child.
fn exit_code(status: ExitStatus) -> u8 {
    let signalled = || status.signal().map(|signal| signal + 128);
    status
        .code()
        .or_else(signalled)
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(code::OSERR)
}
