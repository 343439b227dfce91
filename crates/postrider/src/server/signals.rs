//! Orders from outside: signals, and the end of the parent. systemd is told how we are.

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// What the server is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Read the configuration anew.
    Reload,
    /// Stop gracefully.
    Stop,
}

/// Where orders come from.
#[derive(Debug)]
pub(crate) struct Orders {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    parent_gone: Option<oneshot::Receiver<()>>,
}

impl Orders {
    /// SIGTERM and SIGINT stop, SIGHUP reloads; so does not the end of a parent: that stops.
    pub(crate) fn listen(parent_gone: Option<oneshot::Receiver<()>>) -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            parent_gone,
        })
    }

    /// Waits for the next order.
    pub(crate) async fn next(&mut self) -> Order {
        let gone = async {
            match self.parent_gone.as_mut() {
                // An error means that the watching thread has ended, and so has the parent.
                Some(gone) => drop(gone.await),
                None => std::future::pending().await,
            }
        };
        let order = tokio::select! {
            biased;
            _ = self.terminate.recv() => Order::Stop,
            _ = self.interrupt.recv() => Order::Stop,
            _ = self.hangup.recv() => Order::Reload,
            () = gone => {
                tracing::warn!("the parent process has ended");
                Order::Stop
            }
        };
        if order == Order::Stop {
            self.parent_gone = None;
        }
        order
    }
}

/// Tells systemd that clients are answered.
pub(crate) fn notify_ready() {
    notify(&[NotifyState::Ready]);
}

/// Tells systemd that the configuration is being read anew.
pub(crate) fn notify_reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "no monotonic time"),
    }
}

/// Tells systemd that we stop.
pub(crate) fn notify_stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd does not hear us");
    }
}
