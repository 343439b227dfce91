//! Policy at RCPT for addresses that are not ours: who may send through this server.
//!
//! Nobody, unless the configuration lists the network of the client. The default lists none,
//! loopback included: a proxy or NAT makes everybody loopback.

use std::net::IpAddr;

use ipnet::IpNet;
use mailtypes::{ForwardPath, Mailbox};
use store::{Destination, NewRecipient};

use crate::Settings;

/// The final recipient of mail for `address`, which is not ours, when `client` may relay.
pub(crate) fn decide(
    settings: &Settings,
    client: IpAddr,
    address: &Mailbox,
) -> Option<NewRecipient> {
    let client = client.to_canonical();
    let network = settings
        .relay_networks
        .iter()
        .find(|network| network.contains(&client))?;
    Some(remote(address, format!("relayed for {network}")))
}

/// A recipient of another server.
pub(crate) fn remote(address: &Mailbox, reason: String) -> NewRecipient {
    NewRecipient {
        address: address.clone(),
        original: ForwardPath::Mailbox(address.clone()),
        via: Vec::new(),
        destination: Destination::Remote,
        reason,
    }
}

/// Networks that are too wide to be anybody's own.
pub fn is_too_wide(network: &IpNet) -> bool {
    match network {
        IpNet::V4(network) => network.prefix_len() < PREFIX_LEN_MIN_V4,
        IpNet::V6(network) => network.prefix_len() < PREFIX_LEN_MIN_V6,
    }
}

/// No network of one owner is wider: 10.0.0.0/8.
const PREFIX_LEN_MIN_V4: u8 = 8;
/// Nor here: what registries hand out is much smaller.
const PREFIX_LEN_MIN_V6: u8 = 16;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mailtypes::Domain;

    use super::*;

    fn check(networks: &[&str], client: &str, expect: Option<&str>) {
        let settings = Settings {
            hostname: "mx.example.org".to_owned(),
            domains: vec![Domain::parse("example.org").unwrap()],
            postmaster: None,
            relay_networks: networks.iter().map(|text| text.parse().unwrap()).collect(),
            smtp: Arc::default(),
        };
        let address = Mailbox::parse("eve@elsewhere.example").unwrap();
        let recipient = decide(&settings, client.parse().unwrap(), &address);
        let reason = recipient.map(|recipient| recipient.reason);
        assert_eq!(reason.as_deref(), expect, "{networks:?} {client}");
    }

    #[test]
    fn only_listed_networks_relay() {
        check(&[], "127.0.0.1", None);
        check(&[], "::1", None);
        let some = ["192.0.2.0/24", "2001:db8::/32"];
        check(&some, "192.0.2.7", Some("relayed for 192.0.2.0/24"));
        check(&some, "::ffff:192.0.2.7", Some("relayed for 192.0.2.0/24"));
        check(&some, "192.0.3.7", None);
        check(&some, "2001:db8::7", Some("relayed for 2001:db8::/32"));
        check(&some, "2001:db9::7", None);
        check(&some, "127.0.0.1", None);
    }

    #[test]
    fn what_is_nearly_everybody_is_too_wide() {
        for (network, wide) in [
            ("0.0.0.0/0", true),
            ("10.0.0.0/7", true),
            ("10.0.0.0/8", false),
            ("::/0", true),
            ("2001::/15", true),
            ("2001:db8::/32", false),
        ] {
            assert_eq!(is_too_wide(&network.parse().unwrap()), wide, "{network}");
        }
    }
}
