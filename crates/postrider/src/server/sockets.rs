//! Where listening sockets come from: systemd, the privileged parent, or our own bind.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use net::activation::{self, Given};
use net::handoff;
use net::listen::{self, BindError};

use crate::failure::{Failure, code};

/// A source of listening sockets.
#[derive(Debug)]
pub(crate) enum Sockets {
    /// Those from systemd first, then our own.
    Own(Vec<Given>),
    /// All from the parent that is root.
    Parent(Arc<handoff::Child>),
}

impl Sockets {
    /// Our own, behind those that systemd gave. Call it before the first thread starts.
    pub(crate) fn own() -> Result<Self, Failure> {
        let given = activation::take().map_err(|error| {
            let way_out = "correct the socket unit, then systemctl daemon-reload";
            Failure::new(code::CONFIG, error.to_string(), way_out)
        })?;
        Ok(Self::Own(given))
    }

    /// Says what systemd's sockets and the configuration do not agree about.
    pub(crate) fn compare(&self, configured: &[SocketAddr]) -> Vec<String> {
        match self {
            Self::Own(given) if !given.is_empty() => {
                let pairing = activation::pair(given, configured);
                pairing.to_string().lines().map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    }

    /// A socket that listens on `addr`; `None` when a dual-stack socket for another configured
    /// address serves it too.
    pub(crate) fn open(
        &self,
        addr: SocketAddr,
        configured: &[SocketAddr],
    ) -> Result<Option<TcpListener>, Failure> {
        let given = match self {
            Self::Parent(child) => return from_parent(child, addr),
            Self::Own(given) => given,
        };
        let pairing = activation::pair(given, configured);
        let serving = pairing
            .served
            .iter()
            .position(|served| served.contains(&addr));
        let Some(index) = serving else {
            return listen::bind(addr)
                .map(Some)
                .map_err(|error| of_bind(&error));
        };
        if pairing.served[index].first() != Some(&addr) {
            return Ok(None);
        }
        // The socket itself stays, for the case that the address goes and comes back.
        let listener = given[index].listener.try_clone().map_err(Failure::from)?;
        Ok(Some(listener))
    }
}

fn from_parent(child: &handoff::Child, addr: SocketAddr) -> Result<Option<TcpListener>, Failure> {
    child.bind(addr).map_err(|error| {
        let cause = format!("cannot listen on {addr}: {error}");
        Failure::new(code::UNAVAILABLE, cause, "")
    })
}

/// The text of a bind error holds its way out behind a semicolon.
pub(super) fn of_bind(error: &BindError) -> Failure {
    let text = error.to_string();
    let code = match error {
        BindError::Permission(_) => code::NOPERM,
        BindError::NotHere(_) | BindError::NoSuchFamily(_) => code::CONFIG,
        BindError::InUse(_) => code::UNAVAILABLE,
        BindError::Other(..) => code::OSERR,
    };
    match text.split_once("; ") {
        Some((cause, way_out)) => Failure::new(code, cause, way_out),
        None => Failure::new(code, text, ""),
    }
}
