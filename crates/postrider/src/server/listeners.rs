//! The listeners that are open, and how they follow the configuration.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use arc_swap::ArcSwap;
use net::{Clock, Gate};
use receive::{Phase, Receiver};
use store::Embedded;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinHandle};

use super::{Sockets, settings};
use crate::config::{Config, Listen};
use crate::failure::Failure;

/// What every listener is made with.
pub(super) struct Parts {
    pub(super) store: Embedded,
    pub(super) clock: Clock,
    pub(super) gate: Gate,
    pub(super) wake: Arc<Notify>,
    pub(super) metrics: receive::Metrics,
}

/// All open listeners by their address.
pub(super) struct Listeners {
    sockets: Sockets,
    parts: Parts,
    open: BTreeMap<SocketAddr, Open>,
    /// Listeners that were closed, while their sessions go on.
    closed: Vec<Accepting>,
}

struct Open {
    settings: Arc<ArcSwap<receive::Settings>>,
    /// `None` for an address that the dual-stack socket of another one serves.
    accepting: Option<Accepting>,
}

struct Accepting {
    /// Where connections come in: not what was configured when that has port 0.
    local: SocketAddr,
    phase: watch::Sender<Phase>,
    task: JoinHandle<()>,
    /// Is done when the port is free again; the sessions may still go on then.
    closed: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Listeners {
    pub(super) fn new(sockets: Sockets, parts: Parts) -> Self {
        Self {
            sockets,
            parts,
            open: BTreeMap::new(),
            closed: Vec::new(),
        }
    }

    /// Follows the configuration: new addresses are opened, old ones closed, and the settings of
    /// those that stay replaced. Sessions go on, whatever becomes of their listener.
    pub(super) async fn set(&mut self, config: &Config) -> Result<(), Vec<Failure>> {
        let wanted: Vec<SocketAddr> = config.listen.iter().map(|listen| listen.address).collect();
        for difference in self.sockets.compare(&wanted) {
            tracing::warn!("{difference}");
        }
        self.close_others(&wanted).await;
        // What a dual-stack socket served too may have to stand alone now.
        self.open.retain(|_, open| open.accepting.is_some());
        let mut failures = Vec::new();
        for listen in &config.listen {
            let settings = settings::receive(config, listen);
            if let Some(open) = self.open.get(&listen.address) {
                open.settings.store(Arc::new(settings));
            } else if let Err(failure) = self.open_one(listen, settings, &wanted) {
                failures.push(failure);
            }
        }
        if failures.is_empty() {
            Ok(())
        } else {
            Err(failures)
        }
    }

    /// Tells all sessions to end.
    pub(super) fn stop(&mut self) {
        let open = std::mem::take(&mut self.open).into_values();
        self.closed.extend(open.filter_map(|open| open.accepting));
        for accepting in &self.closed {
            accepting.phase.send_replace(Phase::Stop);
        }
    }

    /// Waits until the sessions of all closed listeners have ended.
    pub(super) async fn ended(&mut self) {
        for accepting in std::mem::take(&mut self.closed) {
            // One that has ended may not be asked again; a panic was told where it happened.
            if !accepting.task.is_finished() {
                let _ = accepting.task.await;
            }
        }
    }

    /// Waits for an open listener to end, which none does by itself.
    pub(super) async fn ended_alone(&mut self) -> (SocketAddr, Result<(), JoinError>) {
        poll_fn(|context| {
            let accepting = self
                .open
                .values_mut()
                .filter_map(|open| open.accepting.as_mut());
            for accepting in accepting {
                if let Poll::Ready(ended) = Pin::new(&mut accepting.task).poll(context) {
                    return Poll::Ready((accepting.local, ended));
                }
            }
            Poll::Pending
        })
        .await
    }

    #[cfg(test)]
    pub(super) fn abort(&self) {
        let accepting = self
            .open
            .values()
            .filter_map(|open| open.accepting.as_ref());
        accepting.for_each(|accepting| accepting.task.abort());
    }

    /// Closes first, and waits for it: a new address may be another form of an old one.
    async fn close_others(&mut self, wanted: &[SocketAddr]) {
        self.closed
            .retain(|accepting| !accepting.task.is_finished());
        let gone = self
            .open
            .extract_if(.., |address, _| !wanted.contains(address));
        for (address, open) in gone {
            if let Some(mut accepting) = open.accepting {
                accepting.phase.send_replace(Phase::Drain);
                accepting.closed.as_mut().await;
                self.closed.push(accepting);
            }
            tracing::info!(%address, "no longer listening");
        }
    }

    fn open_one(
        &mut self,
        listen: &Listen,
        settings: receive::Settings,
        wanted: &[SocketAddr],
    ) -> Result<(), Failure> {
        let socket = self.sockets.open(listen.address, wanted)?;
        let settings = Arc::new(ArcSwap::from_pointee(settings));
        let accepting = match socket {
            Some(socket) => Some(self.accept(socket, &settings)?),
            None => None,
        };
        let local = accepting
            .as_ref()
            .map_or(listen.address, |accepting| accepting.local);
        tracing::info!(address = %local, "listening");
        let open = Open {
            settings,
            accepting,
        };
        self.open.insert(listen.address, open);
        Ok(())
    }

    fn accept(
        &self,
        socket: std::net::TcpListener,
        settings: &Arc<ArcSwap<receive::Settings>>,
    ) -> Result<Accepting, Failure> {
        let parts = &self.parts;
        let receiver = Receiver::new(
            parts.store.clone(),
            parts.clock.clone(),
            Arc::clone(settings),
            parts.gate.clone(),
            Arc::clone(&parts.wake),
            parts.metrics.clone(),
        );
        let local = socket.local_addr()?;
        let acceptor = net::Acceptor::new(socket)?;
        let closed = Box::pin(acceptor.closed());
        let (phase, phases) = watch::channel(Phase::Serve);
        let task = tokio::spawn(async move { receiver.serve(acceptor, phases).await });
        Ok(Accepting {
            local,
            phase,
            task,
            closed,
        })
    }
}
