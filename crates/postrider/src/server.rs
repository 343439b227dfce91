//! A running server: store, listeners, deliverer and control socket, wired together.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use admin::client::Client;
use admin::socket::ControlSocket;
use admin::{Addresses, House};
use mailtypes::{Domain, Timestamp};
use net::{Clock, Gate};
use store::{Embedded, OldSchema, Options};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinHandle};

use crate::config::{BadConfig, Config, doubts};
use crate::failure::{Failure, code};
use crate::open;
use listeners::Listeners;
use metrics::Counting;
use outward::{Delivery, Outward};
use signals::Order;

mod listeners;
mod metrics;
mod outward;
mod process;
mod settings;
mod signals;
mod sockets;
#[cfg(test)]
mod tests;

pub(crate) use outward::{addresses, explain, is_ours};
pub(crate) use settings::own_addresses;
pub(crate) use signals::{Orders, notify_ready};
pub(crate) use sockets::Sockets;

/// A server that answers.
pub(crate) struct Server {
    store: Embedded,
    clock: Clock,
    gate: Gate,
    listeners: Listeners,
    domains: Arc<Mutex<Vec<Domain>>>,
    outward: Outward,
    config: Config,
    source: Option<Source>,
    stop: watch::Sender<bool>,
    delivering: JoinHandle<()>,
    control: JoinHandle<()>,
    metrics: Option<JoinHandle<()>>,
}

/// Where the configuration comes from, for reading it anew.
pub(crate) struct Source {
    /// The file.
    pub(crate) path: PathBuf,
    /// The data folder that the command line names instead of that in the file.
    pub(crate) data: Option<PathBuf>,
}

impl Source {
    fn read(&self) -> Result<Config, BadConfig> {
        let mut config = Config::read(&self.path)?;
        if let Some(data) = &self.data {
            config.data.clone_from(data);
        }
        Ok(config)
    }
}

impl Server {
    /// Opens the sockets over an open store. When it returns, clients are answered.
    pub(crate) async fn start(
        store: Embedded,
        clock: Clock,
        config: Config,
        source: Option<Source>,
        sockets: Sockets,
    ) -> Result<Self, Failure> {
        tell_doubts(&config);
        let (stop, stopping) = watch::channel(false);
        let wake = Arc::new(Notify::new());
        let gate = Gate::new(settings::gate(&config));
        let receive = receive::Metrics::default();
        let mut listeners = Listeners::new(
            sockets,
            listeners::Parts {
                store: store.clone(),
                clock: clock.clone(),
                gate: gate.clone(),
                wake: Arc::clone(&wake),
                metrics: receive.clone(),
            },
        );
        listen(&mut listeners, &config).await?;
        let domains = Arc::new(Mutex::new(config.domains.clone()));
        let outward = Outward::new(&config);
        let (deliverer, dns) = outward.deliverer(&store, &clock, &config, wake)?;
        let delivery = Arc::new(Delivery(deliverer.handle()));
        let addressing = outward.addresses(&store, &clock);
        let control = control_task(
            &config.data,
            &store,
            &clock,
            &domains,
            delivery,
            addressing,
            stopping.clone(),
        )?;
        let counting = Counting {
            receive,
            deliver: deliverer.metrics(),
            dns,
            store: store.metrics(),
            gate: gate.clone(),
        };
        let metrics = metrics::start(&config, &store, &clock, &counting)?;
        let delivering = tokio::spawn(deliverer.run(stopping));
        Ok(Self {
            store,
            clock,
            gate,
            listeners,
            domains,
            outward,
            config,
            source,
            stop,
            delivering,
            control,
            metrics,
        })
    }

    /// Works until told to stop, and then until all that was begun has ended or the grace is over.
    /// A part that ends by itself stops the whole: what starts it anew is for the system to do.
    pub(crate) async fn run(mut self, mut orders: Orders) -> Result<(), Failure> {
        let result = self.work(&mut orders).await;
        self.wind_up(&mut orders).await;
        result
    }

    async fn work(&mut self, orders: &mut Orders) -> Result<(), Failure> {
        loop {
            let order = tokio::select! {
                biased;
                order = orders.next() => order,
                ended = &mut self.delivering => return Err(ended_alone("deliverer", ended)),
                ended = &mut self.control => return Err(ended_alone("control socket", ended)),
                ended = metrics::ended(&mut self.metrics) => return Err(ended_alone("metrics", ended)),
                (address, ended) = self.listeners.ended_alone() => {
                    return Err(ended_alone(&format!("listener of {address}"), ended));
                }
            };
            match order {
                Order::Reload => self.reload().await,
                Order::Stop => return Ok(()),
            }
        }
    }

    async fn wind_up(mut self, orders: &mut Orders) {
        signals::notify_stopping();
        tracing::info!("stopping: sessions may finish for {} s", GRACE.as_secs());
        self.listeners.stop();
        self.stop.send_replace(true);
        let ended = async {
            self.listeners.ended().await;
            // One that has ended may not be asked again; a panic was told where it happened.
            if !self.delivering.is_finished() {
                let _ = (&mut self.delivering).await;
            }
        };
        tokio::select! {
            biased;
            () = ended => {}
            () = self.clock.sleep_until(self.clock.now() + GRACE) => {
                tracing::warn!("some sessions did not end in time and were cut");
            }
            order = orders.next() => tracing::warn!(?order, "told again: stopping at once"),
        }
        self.control.abort();
        if let Some(metrics) = &self.metrics {
            metrics.abort();
        }
        let store = self.store;
        // The last group commit may wait for the disk.
        let _ = tokio::task::spawn_blocking(move || store.close()).await;
        tracing::info!("stopped");
    }

    /// Reads the configuration anew. What is wrong with it is logged, and the old one stays.
    async fn reload(&mut self) {
        let Some(source) = &self.source else {
            tracing::info!("there is no configuration to read anew");
            return;
        };
        signals::notify_reloading();
        match source.read() {
            Err(error) => {
                tracing::error!("the new configuration is wrong, the old one stays:\n{error}");
            }
            Ok(config) => self.take_up(config).await,
        }
        notify_ready();
    }

    async fn take_up(&mut self, mut config: Config) {
        for (key, differs) in [
            ("data", config.data != self.config.data),
            ("user", config.user != self.config.user),
            ("log", config.log != self.config.log),
            (
                "metrics_listen",
                config.metrics_listen != self.config.metrics_listen,
            ),
            (
                "traces_endpoint",
                config.traces_endpoint != self.config.traces_endpoint,
            ),
            (
                "dns_servers",
                config.outgoing.dns_servers != self.config.outgoing.dns_servers,
            ),
        ] {
            if differs {
                tracing::warn!("`{key}` has changed: that takes a restart");
            }
        }
        config.data.clone_from(&self.config.data);
        tell_doubts(&config);
        if let Err(failures) = self.listeners.set(&config).await {
            for failure in failures {
                tracing::error!("{failure}");
            }
        }
        self.gate.set_limits(settings::gate(&config));
        self.outward.take_up(&config);
        self.domains
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&config.domains);
        self.config = config;
        tracing::info!("the configuration was read anew");
    }
}

/// Opens all listeners. What a server before this one has left is still closing its own, perhaps.
async fn listen(listeners: &mut Listeners, config: &Config) -> Result<(), Failure> {
    let mut tries = LISTEN_TRIES;
    while let Err(failures) = listeners.set(config).await {
        let in_use = |failure: &Failure| failure.code == code::UNAVAILABLE;
        if tries == 0 || !failures.iter().all(in_use) {
            return Err(first(failures));
        }
        tries -= 1;
        tokio::time::sleep(LISTEN_PAUSE).await;
    }
    Ok(())
}

/// What `check` would say is said where it will be looked for.
fn tell_doubts(config: &Config) {
    for doubt in doubts(config, &own_addresses(config)) {
        tracing::warn!("{doubt}");
    }
}

/// Opens the store of a data folder; makes the folder when it is missing. One of an older schema is
/// refused: a command on the files of a server that is stopped for a moment must not upgrade them
/// behind its back.
pub(crate) fn open_store(data: &Path, clock: &Clock) -> Result<Embedded, Failure> {
    open_with(data, clock, OldSchema::Refuse)
}

fn open_with(data: &Path, clock: &Clock, old_schema: OldSchema) -> Result<Embedded, Failure> {
    let (clock, watch) = (clock.clone(), clock.clone());
    let now = move || -> Timestamp { clock.now() };
    let options = Options {
        old_schema,
        stopwatch: Some(Arc::new(move || watch.elapsed())),
        ..Options::new(Arc::new(now))
    };
    Embedded::open(data, options).map_err(|error| open::failure(data, &error))
}

/// As [`open_store`], for a server, which upgrades an older schema: a command that has the files open
/// for a moment is waited for, and so is a server that is on its way out; one that stays is not.
pub(crate) async fn open_store_to_serve(data: &Path, clock: &Clock) -> Result<Embedded, Failure> {
    let began = clock.now();
    let mut until = began + OPEN_PATIENCE;
    loop {
        let in_use = match open_with(data, clock, OldSchema::Upgrade) {
            Err(failure) if failure.code == code::TEMPFAIL => failure,
            opened => return opened,
        };
        if let Ok(Some(server)) = Client::connect(data) {
            if server.is_stopping() {
                until = began + STOPPING_PATIENCE;
            } else if clock.now() >= began + NOTICE {
                return Err(in_use);
            }
        }
        if clock.now() >= until {
            return Err(in_use);
        }
        clock.sleep_until(clock.now() + OPEN_PAUSE).await;
    }
}

/// How often a data folder that is in use is tried again.
pub(crate) const OPEN_TRIES: usize = 30;
/// Between two tries.
pub(crate) const OPEN_PAUSE: Duration = Duration::from_millis(100);
/// How often a port that is in use is tried again at a start.
const LISTEN_TRIES: usize = 20;
/// Between two tries.
const LISTEN_PAUSE: Duration = Duration::from_millis(100);
/// How long a command may have the files.
const OPEN_PATIENCE: Duration = Duration::from_secs(3);
/// How long a server may take to end. Whoever starts us waits, and we hear no signal meanwhile.
const STOPPING_PATIENCE: Duration = Duration::from_secs(10);
/// Until a server has noticed that its parent was killed.
const NOTICE: Duration = Duration::from_millis(300);

fn control_task(
    data: &Path,
    store: &Embedded,
    clock: &Clock,
    domains: &Arc<Mutex<Vec<Domain>>>,
    delivery: Arc<Delivery>,
    addressing: Addresses,
    stopping: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, Failure> {
    let socket = ControlSocket::bind(data).map_err(|error| {
        let path = data.join(admin::socket::NAME);
        let cause = format!("cannot make the control socket {}: {error}", path.display());
        Failure::new(
            code::CANTCREAT,
            cause,
            "let the folder belong to the user of the server",
        )
    })?;
    let started = clock.now();
    let (store, clock, domains) = (store.clone(), clock.clone(), Arc::clone(domains));
    let data = data.to_owned();
    let house = move || House {
        data: data.clone(),
        domains: Some(
            domains
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        ),
        uptime: Some(clock.now().since(started)),
        stopping: *stopping.borrow(),
        version: env!("CARGO_PKG_VERSION"),
        now: clock.now(),
        delivery: Some(Arc::<Delivery>::clone(&delivery)),
        addressing: Some(addressing.clone()),
    };
    Ok(tokio::spawn(
        async move { socket.serve(store, house).await },
    ))
}

/// The failure of a part that should work as long as the server.
fn ended_alone(part: &str, ended: Result<(), JoinError>) -> Failure {
    let cause = match ended {
        Ok(()) => format!("the {part} has ended by itself"),
        Err(error) => format!("the {part} has ended by itself: {error}"),
    };
    tracing::error!("{cause}: the server stops");
    Failure::new(
        code::SOFTWARE,
        cause,
        "look at the log before it, then start the server again",
    )
}

/// One failure stops the start; the others would be told at the next one.
fn first(failures: Vec<Failure>) -> Failure {
    let none = || Failure::new(code::UNAVAILABLE, "no address to listen on", "");
    failures.into_iter().next().unwrap_or_else(none)
}

/// How long sessions may go on when the server stops.
const GRACE: Duration = Duration::from_secs(30);
