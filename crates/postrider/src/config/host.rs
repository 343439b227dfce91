//! The machine's name, for a file that gives none.

use mailtypes::Domain;

/// The machine's name when it is a domain, else `localhost`.
pub(super) fn name() -> Domain {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| Domain::parse(name.to_str()?).ok())
        .or_else(|| Domain::parse("localhost").ok())
        .expect("localhost is a domain")
}
