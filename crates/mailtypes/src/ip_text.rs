//! IP addresses in writing.

use std::fmt;
use std::net::IpAddr;

/// An IP address as it always is in writing.
///
/// IPv4 is written at one go: each message tells of its client several times, and four numbers by
/// themselves cost ten times as much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpText(pub IpAddr);

impl fmt::Display for IpText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IpAddr::V4(ip) = self.0 else {
            return self.0.fmt(f);
        };
        let mut text = [0; "255.255.255.255".len()];
        let mut len = 0;
        let mut put = |octet| {
            text[len] = octet;
            len += 1;
        };
        for (n, number) in ip.octets().into_iter().enumerate() {
            if n > 0 {
                put(b'.');
            }
            if number >= 100 {
                put(b'0' + number / 100);
            }
            if number >= 10 {
                put(b'0' + number / 10 % 10);
            }
            put(b'0' + number % 10);
        }
        f.pad(std::str::from_utf8(&text[..len]).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_everywhere() {
        for text in [
            "0.0.0.0",
            "192.0.2.1",
            "10.100.99.255",
            "2001:db8::1",
            "::ffff:1.2.3.4",
        ] {
            let ip: IpAddr = text.parse().unwrap();
            assert_eq!(IpText(ip).to_string(), text);
            assert_eq!(format!("{:>40}", IpText(ip)), format!("{ip:>40}"));
        }
        for number in 0..=u8::MAX {
            let ip = IpAddr::from([number, 1, number, 0]);
            assert_eq!(IpText(ip).to_string(), ip.to_string());
        }
    }
}
