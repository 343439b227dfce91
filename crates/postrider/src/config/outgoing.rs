//! The keys about mail for other servers.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use deliver::{NextHop, Pattern, Routes, Schedule};
use ipnet::IpNet;
use toml::de::DeValue;

use super::complaint::Complaint;
use super::limits::{
    DELIVERIES_MAX, DELIVERIES_PER_HOST_MAX, DELIVERIES_RANGE, LIFETIME_RANGE, RETRY_RANGE,
    TIMEOUT_RANGE,
};
use super::table::Entry;

/// What the file says about mail for other servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    /// Networks whose clients may send to everybody.
    pub(crate) relay_networks: Vec<IpNet>,
    /// Ways that are not by MX records.
    pub(crate) routes: Routes,
    /// The routes as they were written, for `check`.
    pub(crate) routes_text: Vec<(String, String)>,
    /// Whom to ask; none means those of the machine.
    pub(crate) dns_servers: Vec<SocketAddr>,
    /// When to try again, and for how long.
    pub(crate) schedule: Schedule,
    /// How long a server has for a reply.
    pub(crate) reply_timeout: Duration,
    /// Connections to all servers.
    pub(crate) deliveries_max: usize,
    /// Connections to one next hop.
    pub(crate) deliveries_per_host_max: usize,
}

/// The keys, with an example of a right line.
pub(super) const KEYS: [(&str, &str); 10] = [
    (
        "relay_networks",
        r#"relay_networks = ["192.0.2.0/24", "2001:db8::/32"]"#,
    ),
    (
        "routes",
        r#"routes = { "example.net" = "[10.0.0.5]:25", "*" = "[smarthost.example.org]:25" }"#,
    ),
    ("dns_servers", r#"dns_servers = ["127.0.0.1:53"]"#),
    ("retry_first", r#"retry_first = "5m""#),
    ("retry_longest", r#"retry_longest = "4h""#),
    ("delay_warning", r#"delay_warning = "4h""#),
    ("queue_lifetime", r#"queue_lifetime = "120h""#),
    ("reply_timeout", r#"reply_timeout = "5m""#),
    ("deliveries_max", "deliveries_max = 500"),
    ("deliveries_per_host_max", "deliveries_per_host_max = 20"),
];

impl Default for Outgoing {
    fn default() -> Self {
        Self {
            relay_networks: Vec::new(),
            routes: Routes::default(),
            routes_text: Vec::new(),
            dns_servers: Vec::new(),
            schedule: Schedule::default(),
            reply_timeout: Duration::from_mins(5),
            deliveries_max: DELIVERIES_MAX,
            deliveries_per_host_max: DELIVERIES_PER_HOST_MAX,
        }
    }
}

impl Outgoing {
    /// Takes a key of [`KEYS`].
    pub(super) fn take(&mut self, entry: &Entry<'_>, found: &mut Vec<Complaint>) {
        let schedule = &mut self.schedule;
        match entry.key {
            "relay_networks" => put(&mut self.relay_networks, list(entry, network, found)),
            "routes" => self.take_routes(entry, found),
            "dns_servers" => put(&mut self.dns_servers, list(entry, dns_server, found)),
            "retry_first" => put(&mut schedule.first, entry.duration(&RETRY_RANGE, found)),
            "retry_longest" => put(&mut schedule.longest, entry.duration(&RETRY_RANGE, found)),
            "delay_warning" => put(
                &mut schedule.warning,
                entry.duration(&LIFETIME_RANGE, found).map(Some),
            ),
            "queue_lifetime" => put(
                &mut schedule.lifetime,
                entry.duration(&LIFETIME_RANGE, found),
            ),
            "reply_timeout" => put(
                &mut self.reply_timeout,
                entry.duration(&TIMEOUT_RANGE, found),
            ),
            "deliveries_max" => put(
                &mut self.deliveries_max,
                entry.number(&DELIVERIES_RANGE, found),
            ),
            "deliveries_per_host_max" => put(
                &mut self.deliveries_per_host_max,
                entry.number(&DELIVERIES_RANGE, found),
            ),
            other => unreachable!("{other} is in KEYS"),
        }
    }

    fn take_routes(&mut self, entry: &Entry<'_>, found: &mut Vec<Complaint>) {
        let DeValue::Table(table) = entry.value.get_ref() else {
            found.push(entry.complain("this is no table of domains and hosts".to_owned()));
            return;
        };
        for (key, value) in table {
            let name: &str = key.get_ref();
            let one = Entry { value, ..*entry };
            if entry.known.contains(&name) {
                found.push(Complaint {
                    span: key.span(),
                    title: format!("`{name}` stands in the table [routes]"),
                    label: "keys behind a [table] belong to it".to_owned(),
                    help: format!(
                        "put `{name}` above [routes], or the routes in one line: {}",
                        entry.example
                    ),
                });
                continue;
            }
            let Ok(pattern) = Pattern::parse(name) else {
                found.push(Complaint {
                    span: key.span(),
                    ..one.complain("this is no domain, no .domain and no *".to_owned())
                });
                continue;
            };
            if let Some(hop) = one.parsed(NextHop::parse, found) {
                self.routes_text.push((name.to_owned(), hop.to_string()));
                self.routes.add(pattern, hop);
            }
        }
    }
}

/// A list that may be empty.
fn list<T: PartialEq>(
    entry: &Entry<'_>,
    parse: impl Fn(&str) -> Result<T, String>,
    found: &mut Vec<Complaint>,
) -> Option<Vec<T>> {
    if entry
        .value
        .get_ref()
        .as_array()
        .is_some_and(|list| list.is_empty())
    {
        return Some(Vec::new());
    }
    let mut all = Vec::new();
    let complaints = found.len();
    for one in &entry.entries(found)? {
        match one.parsed(&parse, found) {
            Some(value) if all.contains(&value) => {
                found.push(one.complain("this is there twice".to_owned()));
            }
            value => all.extend(value),
        }
    }
    (found.len() == complaints).then_some(all)
}

fn network(text: &str) -> Result<IpNet, String> {
    let network: IpNet = match (text.parse::<IpNet>(), text.parse::<IpAddr>()) {
        (Ok(network), _) => network,
        (_, Ok(ip)) => IpNet::from(ip),
        _ => return Err("this is no network, as in 192.0.2.0/24".to_owned()),
    };
    if network.trunc() != network {
        return Err(format!(
            "the network of this address is {}",
            network.trunc()
        ));
    }
    if receive::is_too_wide(&network) {
        return Err("this is nearly everybody: the server would be an open relay".to_owned());
    }
    Ok(network)
}

fn dns_server(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse::<SocketAddr>().ok();
    with_port
        .or_else(|| text.parse::<IpAddr>().ok().map(|ip| (ip, 53).into()))
        .ok_or_else(|| "this is no IP address, with or without a port".to_owned())
}

fn put<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}
