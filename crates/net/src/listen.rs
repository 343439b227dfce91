//! Opens TCP listeners, and says in plain words why one could not be opened.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Listens on `addr`, nonblocking. An IPv6 listener takes IPv6 only, so that `0.0.0.0` and `::`
/// can be listened on side by side.
pub fn bind(addr: SocketAddr) -> Result<TcpListener, BindError> {
    open(addr).map_err(|error| BindError::of(addr, error))
}

fn open(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of the last run may still be closing; that must not stop a restart.
    socket.set_reuse_address(true)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Why a listener could not be opened, by what the operator does next.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another socket has it.
    #[error("another program listens on {0}; stop it or choose another port")]
    InUse(SocketAddr),
    /// The port is below 1024 and we are not root.
    #[error(
        "no permission to listen on {0}; start as root, by systemd socket activation, or with \
         CAP_NET_BIND_SERVICE, or choose a port from 1024 up"
    )]
    Permission(SocketAddr),
    /// The address belongs to another machine, or to an interface that is not up.
    #[error(
        "the address of {0} is not on this machine; choose one that `ip address` shows, or \
         0.0.0.0 or [::] for all"
    )]
    NotHere(SocketAddr),
    /// The kernel has no IPv6 (or no IPv4).
    #[error("this machine does not speak the protocol of {0} (is IPv6 switched off?)")]
    NoSuchFamily(SocketAddr),
    /// Anything else.
    #[error("cannot listen on {0}: {1}")]
    Other(SocketAddr, #[source] io::Error),
}

impl BindError {
    fn of(addr: SocketAddr, error: io::Error) -> Self {
        if error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error()) {
            return Self::NoSuchFamily(addr);
        }
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(addr),
            io::ErrorKind::PermissionDenied => Self::Permission(addr),
            io::ErrorKind::AddrNotAvailable => Self::NotHere(addr),
            _ => Self::Other(addr, error),
        }
    }
}

/// Connections that wait to be accepted; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_had_once() {
        let first = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = first.local_addr().unwrap();
        let error = bind(addr).unwrap_err();
        assert!(matches!(error, BindError::InUse(_)));
        assert_eq!(
            error.to_string(),
            format!("another program listens on {addr}; stop it or choose another port")
        );
        drop(first);
        bind(addr).unwrap();
    }

    #[test]
    fn ipv4_and_ipv6_stand_side_by_side() {
        let Ok(six) = bind("[::]:0".parse().unwrap()) else {
            eprintln!("skipped: net.ipv6: this machine has no IPv6");
            return;
        };
        let port = six.local_addr().unwrap().port();
        bind(SocketAddr::new("0.0.0.0".parse().unwrap(), port)).unwrap();
    }

    #[test]
    fn a_foreign_address_is_named() {
        // 192.0.2.0/24 is for documentation: nobody has it. RFC 5737 §3
        let error = bind("192.0.2.1:0".parse().unwrap()).unwrap_err();
        assert!(matches!(error, BindError::NotHere(_)), "{error}");
    }

    #[test]
    fn errors_are_sorted_by_what_to_do() {
        let addr = "127.0.0.1:25".parse().unwrap();
        let of = |errno: rustix::io::Errno| BindError::of(addr, errno.into());
        assert!(matches!(
            of(rustix::io::Errno::ACCESS),
            BindError::Permission(_)
        ));
        assert!(matches!(
            of(rustix::io::Errno::AFNOSUPPORT),
            BindError::NoSuchFamily(_)
        ));
        assert!(matches!(of(rustix::io::Errno::MFILE), BindError::Other(..)));
    }
}
