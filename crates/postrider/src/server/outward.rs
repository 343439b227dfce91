//! Delivery as the server runs it, and how it follows the configuration.

use std::sync::Arc;

use admin::Addresses;
use arc_swap::ArcSwap;
use deliver::{Deliverer, Explained, NextHop};
use mailtypes::{Host, Mailbox};
use net::dns::{self, Resolver};
use net::{Clock, TcpDial};
use receive::Policy;
use store::Embedded;
use tokio::sync::Notify;

use super::settings;
use crate::config::{Config, Listen, leads_home};
use crate::failure::{Failure, code};

/// What delivery goes by, and may change while it runs.
pub(super) struct Outward {
    deliver: Arc<ArcSwap<deliver::Settings>>,
    receive: Arc<ArcSwap<receive::Settings>>,
}

impl Outward {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            deliver: Arc::new(ArcSwap::from_pointee(settings::deliver(config))),
            receive: Arc::new(ArcSwap::from_pointee(addressing(config))),
        }
    }

    /// A deliverer over the network and the DNS of this machine.
    pub(super) fn deliverer(
        &self,
        store: &Embedded,
        clock: &Clock,
        config: &Config,
        wake: Arc<Notify>,
    ) -> Result<(Deliverer<Embedded, Resolver, TcpDial>, dns::Metrics), Failure> {
        let dns = resolver(config, clock)?;
        let counted = dns.metrics();
        let policy = Policy {
            store: store.clone(),
            clock: clock.clone(),
            settings: Arc::clone(&self.receive),
        };
        let deliverer = Deliverer::new(
            store.clone(),
            dns,
            TcpDial::new(clock.clone()),
            Arc::new(policy),
            clock.clone(),
            Arc::clone(&self.deliver),
            wake,
        );
        Ok((deliverer, counted))
    }

    /// What addresses mean here.
    pub(super) fn addresses(&self, store: &Embedded, clock: &Clock) -> Addresses {
        Addresses(Arc::new(Policy {
            store: store.clone(),
            clock: clock.clone(),
            settings: Arc::clone(&self.receive),
        }))
    }

    pub(super) fn take_up(&self, config: &Config) {
        self.deliver.store(Arc::new(settings::deliver(config)));
        self.receive.store(Arc::new(addressing(config)));
    }
}

/// What an operator may ask of the running deliverer.
#[derive(Debug)]
pub(super) struct Delivery(pub(super) deliver::Handle);

impl admin::Delivery for Delivery {
    fn try_at_once(&self, hosts: Option<&[Host]>) {
        self.0.try_at_once(hosts);
    }
}

/// What addresses mean under a configuration, when no server runs.
pub(crate) fn addresses(store: &Embedded, config: &Config) -> Addresses {
    Outward::new(config).addresses(store, &Clock::system())
}

/// Whether the mail for an address stays here.
pub(crate) fn is_ours(config: &Config, address: &Mailbox) -> bool {
    addressing(config).is_local(address)
}

/// The dry run of a route: asks the DNS and connects to nobody.
pub(crate) async fn explain(config: &Config, address: &Mailbox) -> Result<Explained, Failure> {
    let clock = Clock::system();
    let dns = resolver(config, &clock)?;
    let settings = settings::deliver(config);
    let mut explained =
        deliver::explain_route(&dns, &clock, &settings, address, &mut rand::rng()).await;
    let own = &settings.own.addresses;
    let home = |hop: &NextHop| leads_home(config, own, hop);
    if explained.status.is_none() && NextHop::parse(&explained.hop).is_ok_and(|hop| home(&hop)) {
        let text = "5.4.6 the route leads to this server itself: mail would go in circles";
        explained.status = Some(text.to_owned());
    }
    Ok(explained)
}

fn resolver(config: &Config, clock: &Clock) -> Result<Resolver, Failure> {
    dns::resolver(&settings::dns(config), clock.clone()).map_err(|error| {
        Failure::new(
            code::CONFIG,
            format!("cannot ask the DNS: {error}"),
            "name a server: dns_servers = [\"127.0.0.1:53\"]",
        )
    })
}

/// What holds for addresses, whatever listener they come by.
fn addressing(config: &Config) -> receive::Settings {
    let any = Listen::plain(([127, 0, 0, 1], 25).into());
    settings::receive(config, config.listen.first().unwrap_or(&any))
}
