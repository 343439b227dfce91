//! Takes connections and makes each a session of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use mailtypes::{IpText, Timestamp};
use net::{Accept, Clock, Full, Gate, Pass};
use proto::smtp::Reply;
use store::Store;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinSet};
use tracing::Instrument;

use crate::deadline::within;
use crate::limits::{LINGER, STOP_GRACE};
use crate::metrics::CONNECT;
use crate::session::Session;
use crate::shared::{Phase, Shared, current};
use crate::{Metrics, Settings, traces};

/// Receives mail over SMTP into a store.
pub struct Receiver<S> {
    shared: Arc<Shared<S>>,
    /// The number of the next session, for the log.
    sessions: AtomicU64,
    gate: Gate,
}

impl<S: Store> Receiver<S> {
    /// A receiver for one kind of listener. `gate` may be shared with others; `wake` is notified
    /// after each accepted message, and `metrics` counts.
    pub fn new(
        store: S,
        clock: Clock,
        settings: Arc<ArcSwap<Settings>>,
        gate: Gate,
        wake: Arc<Notify>,
        metrics: Metrics,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                store,
                clock,
                settings,
                wake,
                metrics,
            }),
            sessions: AtomicU64::new(1),
            gate,
        }
    }

    /// Serves until `phase` says otherwise; returns when the last session is over. A dropped
    /// sender means [`Phase::Stop`].
    ///
    /// A panic within a session ends that session and nothing else.
    pub async fn serve(&self, mut acceptor: impl Accept, mut phase: watch::Receiver<Phase>) {
        let mut sessions = JoinSet::new();
        while current(&phase) == Phase::Serve {
            tokio::select! {
                biased;
                _ = phase.changed() => {}
                Some(ended) = sessions.join_next() => report(ended),
                (stream, peer) = acceptor.accept() => {
                    self.admit(&mut sessions, stream, peer, &phase);
                }
            }
        }
        drop(acceptor);
        self.drain(sessions, phase).await;
    }

    fn admit(
        &self,
        sessions: &mut JoinSet<()>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: SocketAddr,
        phase: &watch::Receiver<Phase>,
    ) {
        let pass = match self.gate.enter(peer.ip()) {
            Ok(pass) => pass,
            Err(full) => return self.turn_away(sessions, stream, peer, full),
        };
        self.shared.metrics.sessions.inc();
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        let span = tracing::info_span!("smtp", session = number, peer = %IpText(peer.ip()));
        let session = Session::new(Arc::clone(&self.shared), stream, peer.ip(), phase.clone());
        let traced = traces::session(number, peer);
        sessions.spawn(keep(pass, session).instrument(span).instrument(traced));
    }

    /// Over the limit: 421 at once, and no session. RFC 5321 §3.8
    fn turn_away(
        &self,
        sessions: &mut JoinSet<()>,
        mut stream: impl AsyncWrite + Unpin + Send + 'static,
        peer: SocketAddr,
        full: Full,
    ) {
        let hostname = &self.shared.settings.load().hostname;
        let text = format!("{hostname} has too many connections: try again later");
        let mut octets = Vec::new();
        // Of all connections it is our limit that is reached; of one client it is the client's doing.
        let enhanced = match full {
            Full::Total(_) => "4.3.2",
            Full::Address(_) => "4.7.0",
        };
        let reply = Reply::new(421, enhanced, text);
        reply.write(&mut octets);
        self.shared.metrics.refused(CONNECT, &reply);
        let clock = self.shared.clock.clone();
        // A new connection has room for one line: this does not wait for the client.
        sessions.spawn(async move {
            within(&clock, LINGER, stream.write_all(&octets)).await;
        });
        let client = peer.ip();
        tracing::info!(target: "mail", command = "connect", code = 421, why = %full, %client, "refused");
    }

    /// Waits for the sessions to end; after [`Phase::Stop`] no longer than the grace.
    async fn drain(&self, mut sessions: JoinSet<()>, mut phase: watch::Receiver<Phase>) {
        let mut cut: Option<Timestamp> = None;
        loop {
            if cut.is_none() && current(&phase) == Phase::Stop {
                // The sessions look at the same limit themselves; this is for one that hangs.
                cut = Some(self.shared.clock.now() + STOP_GRACE * 2);
            }
            let until = cut.unwrap_or(Timestamp::from_millis(i64::MAX));
            tokio::select! {
                biased;
                ended = sessions.join_next() => match ended {
                    Some(ended) => report(ended),
                    None => return,
                },
                _ = phase.changed(), if cut.is_none() => {}
                () = self.shared.clock.sleep_until(until), if cut.is_some() => {
                    return sessions.shutdown().await;
                }
            }
        }
    }
}

/// Runs a session and holds its place at the gate.
async fn keep<S: Store>(pass: Pass, session: Session<S, impl AsyncRead + AsyncWrite + Unpin>) {
    session.run().await;
    drop(pass);
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a session failed; the others go on");
    }
}

#[cfg(test)]
mod tests;
