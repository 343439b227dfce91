//! PIPELINING: the client need not wait for each reply. RFC 2920
//!
//! There is nothing to switch on: the machine always takes commands one by one from what it is
//! given, and octets behind DATA are body only once DATA got its 354.

use super::Extension;

pub(super) const EXTENSION: Extension = Extension {
    keyword: |_| "PIPELINING".to_owned(),
    mail: &[],
    rcpt: &[],
    line_len_extra: 0,
};
