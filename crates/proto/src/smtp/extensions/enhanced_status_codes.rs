//! ENHANCEDSTATUSCODES: replies say more exactly what they mean. RFC 2034
//!
//! The codes are sent to every client, also after HELO: they read as text to who does not know
//! them. Greeting, HELO, EHLO and 354 go without. RFC 2034 §3, §4

use super::Extension;

pub(super) const EXTENSION: Extension = Extension {
    keyword: |_| "ENHANCEDSTATUSCODES".to_owned(),
    mail: &[],
    rcpt: &[],
    line_len_extra: 0,
};
