//! `serve`: runs the server.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use net::{Clock, handoff};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::oneshot;

use crate::config::Config;
use crate::failure::{Failure, code};
use crate::global::Global;
use crate::server::{Orders, Server, Sockets, Source, notify_ready, open_store_to_serve};
use crate::traces::Traces;
use crate::{logging, parent, place, privileges, sandbox};

/// How to serve.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// For the server itself: the parent that is root sits at standard input.
    #[arg(long, hide = true)]
    child: bool,
}

pub(crate) fn run(global: &Global, args: &Args) -> Result<u8, Failure> {
    let (path, config) = place::config(global)?;
    let traces = logging::start(config.log, config.traces_endpoint.as_ref());
    let source = Source {
        path,
        data: global.data.clone().flatten(),
    };
    if args.child {
        let child = handoff_child()?;
        let parent = std::io::stdin().as_fd().try_clone_to_owned()?;
        let sockets = Sockets::Parent(Arc::new(child));
        return serve(config, source, traces, sockets, Some(parent));
    }
    // Before the first thread starts: it changes the environment.
    let sockets = Sockets::own()?;
    if privileges::is_root() {
        let user = privileges::server_user(config.user.as_deref())?;
        if !user.uid.is_root() {
            return parent::run(&source, &config, &user, sockets);
        }
        tracing::warn!("running as root, as the configuration says; another `user` is safer");
    }
    serve(config, source, traces, sockets, None)
}

fn serve(
    config: Config,
    source: Source,
    traces: Option<Traces>,
    sockets: Sockets,
    parent: Option<OwnedFd>,
) -> Result<u8, Failure> {
    raise_file_limit();
    // Before the first thread starts: what holds for this one holds for those that it starts.
    let in_force = sandbox::enter(&config, Some(&source.path));
    in_force.tell();
    let parent_gone = parent.map(watch_parent).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let orders = Orders::listen(parent_gone)?;
        let clock = Clock::system();
        let store = open_store_to_serve(&config.data, &clock).await?;
        let server = Server::start(store, clock.clone(), config, Some(source), sockets).await?;
        let sending = traces.map(|traces| traces.send(clock));
        notify_ready();
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "ready");
        let ended = server.run(orders).await;
        if let Some(sending) = sending {
            sending.end().await;
        }
        ended?;
        Ok(code::DONE)
    })
}

/// Each connection is an open file: the soft limit of 1024 is for programs that use select(2).
pub(crate) fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

fn handoff_child() -> Result<handoff::Child, Failure> {
    let socket = std::io::stdin().as_fd().try_clone_to_owned()?;
    handoff::Child::new(socket).map_err(|_| {
        let cause = "--child is for the process that `postrider serve` starts by itself";
        Failure::new(code::USAGE, cause, "run `postrider serve`")
    })
}

/// A thread that waits for the parent's end of the socket to close.
fn watch_parent(socket: OwnedFd) -> Result<oneshot::Receiver<()>, Failure> {
    use rustix::event::{PollFd, PollFlags, poll};
    let (tell, gone) = oneshot::channel();
    std::thread::Builder::new()
        .name("parent".to_owned())
        .spawn(move || {
            // Asking for nothing still tells of a hangup.
            let mut fds = [PollFd::new(&socket, PollFlags::empty())];
            while matches!(poll(&mut fds, None), Err(rustix::io::Errno::INTR)) {}
            // Nobody listens when the server stops already.
            let _ = tell.send(());
        })?;
    Ok(gone)
}
