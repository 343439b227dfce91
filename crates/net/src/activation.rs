//! Sockets that systemd opened for us: ports below 1024 without any privilege, and no refused
//! connection while we restart. systemd.socket(5), sd_listen_fds(3)

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;
use socket2::SockRef;

/// One listener that was given to us.
#[derive(Debug)]
pub struct Given {
    /// Where it listens.
    pub addr: SocketAddr,
    /// It is `[::]` and takes IPv4 too, as systemd makes it unless told `BindIPv6Only=ipv6-only`.
    pub dual_stack: bool,
    /// The socket, nonblocking.
    pub listener: TcpListener,
}

/// Takes all TCP listeners that systemd gave us; none when it gave none.
///
/// To be called once, before the first thread starts: it also clears the variables of the
/// environment, so that children do not take the sockets for theirs.
pub fn take() -> Result<Vec<Given>, NotAListener> {
    let mut sockets = ListenFd::from_env();
    (0..sockets.len())
        .map(|index| take_one(&mut sockets, index).map_err(|source| NotAListener { index, source }))
        .collect()
}

/// A socket from systemd that we cannot use.
#[derive(Debug, thiserror::Error)]
#[error(
    "socket {index} from systemd is no TCP listener: {source}; look at ListenStream= in the socket unit"
)]
pub struct NotAListener {
    index: usize,
    source: io::Error,
}

fn take_one(sockets: &mut ListenFd, index: usize) -> io::Result<Given> {
    let listener = sockets
        .take_tcp_listener(index)?
        .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    let socket = SockRef::from(&listener);
    if !socket.is_listener()? {
        return Err(io::Error::other("it is a connection (Accept= must be no)"));
    }
    let addr = listener.local_addr()?;
    let dual_stack = addr.is_ipv6() && addr.ip().is_unspecified() && !socket.only_v6()?;
    listener.set_nonblocking(true)?;
    Ok(Given {
        addr,
        dual_stack,
        listener,
    })
}

/// What the sockets and the configuration say of each other.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pairing {
    /// For each given socket the configured addresses that it serves: two when it is dual stack.
    pub served: Vec<Vec<SocketAddr>>,
    /// Configured, but no socket came for it.
    pub without_socket: Vec<SocketAddr>,
    /// Given, but no configured address wants it.
    pub unwanted: Vec<SocketAddr>,
}

/// Finds the socket for each configured address.
pub fn pair(given: &[Given], configured: &[SocketAddr]) -> Pairing {
    let offers: Vec<_> = given.iter().map(|g| (g.addr, g.dual_stack)).collect();
    pair_addrs(&offers, configured)
}

fn pair_addrs(offers: &[(SocketAddr, bool)], configured: &[SocketAddr]) -> Pairing {
    let mut pairing = Pairing {
        served: vec![Vec::new(); offers.len()],
        ..Pairing::default()
    };
    for want in configured {
        let exact = offers.iter().position(|(addr, _)| addr == want);
        let by_dual_stack = || {
            want.is_ipv4()
                .then(|| {
                    offers
                        .iter()
                        .position(|(addr, dual)| *dual && addr.port() == want.port())
                })
                .flatten()
        };
        match exact.or_else(by_dual_stack) {
            Some(index) => pairing.served[index].push(*want),
            None => pairing.without_socket.push(*want),
        }
    }
    let idle = offers
        .iter()
        .zip(&pairing.served)
        .filter(|(_, served)| served.is_empty());
    pairing.unwanted = idle.map(|((addr, _), _)| *addr).collect();
    pairing
}

impl fmt::Display for Pairing {
    /// What does not fit together, one sentence each; empty when all is well.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing = self.without_socket.iter().map(|addr| {
            format!("systemd gave no socket for {addr}; add ListenStream={addr} to the socket unit")
        });
        let unwanted = self.unwanted.iter().map(|addr| {
            format!("systemd gave a socket for {addr}, but no configured address is that")
        });
        f.write_str(&missing.chain(unwanted).collect::<Vec<_>>().join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::listen;

    fn addrs(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn sockets_and_addresses_find_each_other() {
        let offers = [
            ("0.0.0.0:25".parse().unwrap(), false),
            ("[::]:25".parse().unwrap(), false),
            ("127.0.0.1:9".parse().unwrap(), false),
        ];
        let wanted = addrs(&["[::]:25", "0.0.0.0:25", "0.0.0.0:587"]);
        let pairing = pair_addrs(&offers, &wanted);
        assert_eq!(
            pairing.served,
            [addrs(&["0.0.0.0:25"]), addrs(&["[::]:25"]), vec![]]
        );
        assert_eq!(
            pairing.to_string(),
            "systemd gave no socket for 0.0.0.0:587; add ListenStream=0.0.0.0:587 to the socket unit\n\
             systemd gave a socket for 127.0.0.1:9, but no configured address is that"
        );
    }

    #[test]
    fn a_dual_stack_socket_serves_both_families() {
        let wanted = addrs(&["0.0.0.0:25", "[::]:25"]);
        let pairing = pair_addrs(&[("[::]:25".parse().unwrap(), true)], &wanted);
        assert_eq!(pairing.served.concat(), wanted);
        assert_eq!(pairing.to_string(), "");
        let pairing = pair_addrs(&[("[::]:25".parse().unwrap(), false)], &wanted);
        assert_eq!(pairing.without_socket, addrs(&["0.0.0.0:25"]));
    }

    /// Runs the test below in a process of its own, with a socket for its standard input.
    #[test]
    fn a_given_socket_is_taken() {
        let listener = listen::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = listener.local_addr().unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "activation::tests::in_the_child", "--nocapture"])
            .args(["--test-threads", "1"])
            .env("LISTEN_FDS", "1")
            .env("LISTEN_FDS_FIRST_FD", "0")
            .env_remove("LISTEN_PID")
            .env(EXPECTED, addr.to_string())
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("taken"),
            "{output:?}"
        );
    }

    #[test]
    fn in_the_child() {
        let Ok(expected) = std::env::var(EXPECTED) else {
            return; // not the child
        };
        let given = take().unwrap();
        assert_eq!(given.len(), 1);
        assert_eq!(given[0].addr, expected.parse().unwrap());
        assert!(std::env::var_os("LISTEN_FDS").is_none());
        eprintln!("taken");
    }

    const EXPECTED: &str = "POSTRIDER_TEST_ACTIVATION";
}
