//! 8BITMIME: the client says whether the body has octets above 127. RFC 6152
//!
//! We take them from everybody; what was said is kept for the next hop.

use mailtypes::BodyType;

use super::{Extension, MailRequest};
use crate::smtp::{Reply, Settings};

pub(super) const EXTENSION: Extension = Extension {
    keyword: |_| "8BITMIME".to_owned(),
    mail: &[("BODY", take)],
    rcpt: &[],
    // RFC 6152 §2 (7)
    line_len_extra: 17,
};

fn take(value: Option<&str>, request: &mut MailRequest, _: &Settings) -> Result<(), Reply> {
    match value.and_then(BodyType::parse) {
        Some(body @ (BodyType::SevenBit | BodyType::EightBitMime)) => {
            request.envelope.body = body;
            Ok(())
        }
        // RFC 3030 §3: only where BINARYMIME is offered, and never with DATA
        Some(BodyType::BinaryMime) => {
            let text = "BODY=BINARYMIME is not offered; send BODY=8BITMIME";
            Err(Reply::new(555, "5.5.4", text))
        }
        None => {
            let text = "BODY is one of BODY=7BIT and BODY=8BITMIME";
            Err(Reply::new(501, "5.5.4", text))
        }
    }
}

#[cfg(test)]
mod tests {
    use mailtypes::{Envelope, ReversePath};

    use super::*;

    #[test]
    fn bodies_are_seven_or_eight_bit() {
        for (value, expect) in [
            (Some("7BIT"), Ok(BodyType::SevenBit)),
            (Some("8bitmime"), Ok(BodyType::EightBitMime)),
            (Some("BINARYMIME"), Err(555)),
            (Some("9BIT"), Err(501)),
            (None, Err(501)),
        ] {
            let envelope = Envelope::from(ReversePath::Null);
            let mut request = MailRequest {
                envelope,
                size: None,
            };
            let got = take(value, &mut request, &Settings::default());
            let got = got.map(|()| request.envelope.body);
            assert_eq!(got.map_err(|reply| reply.code()), expect, "{value:?}");
        }
    }
}
