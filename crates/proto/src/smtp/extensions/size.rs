//! SIZE: the client says how large a message is before it sends it. RFC 1870

use super::{Extension, MailRequest};
use crate::smtp::{Reply, Settings};

pub(super) const EXTENSION: Extension = Extension {
    keyword: |settings| format!("SIZE {}", settings.size_max),
    mail: &[("SIZE", take)],
    rcpt: &[],
    // RFC 1870 §3 (7)
    line_len_extra: 26,
};

/// What a message gets that is larger than the limit, announced or not. RFC 1870 §6.1, §6.3
pub(in crate::smtp) fn too_large(settings: &Settings) -> Reply {
    let text = format!(
        "The message is too large; the limit is {} octets",
        settings.size_max
    );
    Reply::new(552, "5.3.4", text)
}

fn take(value: Option<&str>, request: &mut MailRequest, settings: &Settings) -> Result<(), Reply> {
    let digits = value.filter(|v| v.len() <= DIGITS_MAX && v.bytes().all(|b| b.is_ascii_digit()));
    let Some(digits) = digits else {
        let text = "SIZE wants a number of octets, as in SIZE=1000";
        return Err(Reply::new(501, "5.5.4", text));
    };
    // Twenty digits may say more than fits, which is too large in any case.
    let size = digits.parse().unwrap_or(u64::MAX);
    if size > settings.size_max {
        return Err(too_large(settings));
    }
    request.size = Some(size);
    Ok(())
}

/// RFC 1870 §3 (5): size-value ::= 1*20DIGIT
const DIGITS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use mailtypes::{Envelope, ReversePath};

    use super::*;

    #[test]
    fn sizes_up_to_the_limit_pass() {
        for (value, expect) in [
            (Some("0"), Ok(Some(0))),
            (Some("1000"), Ok(Some(1000))),
            (Some("1001"), Err(552)),
            (Some("99999999999999999999"), Err(552)),
            (Some("000000000000000000001"), Err(501)),
            (Some("1k"), Err(501)),
            (None, Err(501)),
        ] {
            let settings = Settings {
                size_max: 1000,
                ..Settings::default()
            };
            let envelope = Envelope::from(ReversePath::Null);
            let mut request = MailRequest {
                envelope,
                size: None,
            };
            let got = take(value, &mut request, &settings).map(|()| request.size);
            assert_eq!(got.map_err(|reply| reply.code()), expect, "{value:?}");
        }
    }
}
