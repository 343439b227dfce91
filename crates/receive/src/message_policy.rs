//! Policy at MAIL, DATA and at the end of the data: whether a message may become ours.

use mailtypes::Mailbox;
use message::{HeaderFacts, delivered_to};
use proto::smtp::Reply;
use store::{AcceptError, Destination, NewRecipient, StoreError};

use crate::limits::RECEIVED_MAX;

/// What a message is judged by once it is all here.
#[derive(Debug)]
pub(crate) struct MessageFacts<'a> {
    pub(crate) header: &'a HeaderFacts,
    pub(crate) recipients: &'a [NewRecipient],
    /// What went wrong when the body was put aside.
    pub(crate) draft: Option<&'a StoreError>,
}

/// Decides about a complete message.
pub(crate) fn decide(facts: &MessageFacts<'_>) -> Result<(), MessageRefusal> {
    // RFC 5321 §6.3
    if facts.header.received > RECEIVED_MAX {
        return Err(MessageRefusal::TooManyHops);
    }
    // Mail that was in this mailbox before comes back by somebody's forwarding.
    let comes_back = facts.recipients.iter().find_map(|recipient| {
        let ends = (recipient.destination != Destination::Remote).then_some(&recipient.address);
        // An address of ours that sends it on has marked it then.
        let marks = recipient.via.iter().chain(ends);
        marks
            .into_iter()
            .find(|mark| delivered_to::is_loop(facts.header, mark))
    });
    if let Some(mark) = comes_back {
        return Err(MessageRefusal::Loop(mark.clone()));
    }
    facts
        .draft
        .map_or(Ok(()), |error| Err(error.clone().into()))
}

/// Why a message does not become ours.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum MessageRefusal {
    #[error("too many Received fields")]
    TooManyHops,
    /// With the address that the message says so of.
    #[error("it was delivered to {0} before")]
    Loop(Mailbox),
    #[error("not enough room")]
    NoRoom,
    #[error("the store failed: {0}")]
    Store(StoreError),
    #[error("the store takes too long")]
    StoreTimeout,
}

impl MessageRefusal {
    /// The one place where this becomes wire text. RFC 5321 §4.2, RFC 3463 §3
    pub(crate) fn reply(&self) -> Reply {
        match self {
            Self::TooManyHops => Reply::new(
                554,
                "5.4.6",
                "Mail loop: the message has too many Received fields",
            ),
            Self::Loop(mailbox) => Reply::new(
                554,
                "5.4.6",
                format!("Mail loop: the message says that it was delivered to {mailbox} before"),
            ),
            Self::NoRoom => Reply::new(452, "4.3.1", "Not enough room here: try again later"),
            // Our fault: never 5yz.
            Self::Store(_) | Self::StoreTimeout => Reply::new(
                451,
                "4.3.0",
                "Cannot store the message now: try again later",
            ),
        }
    }
}

impl From<StoreError> for MessageRefusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::NoRoom,
            error => Self::Store(error),
        }
    }
}

impl From<AcceptError> for MessageRefusal {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::NoRoom => Self::NoRoom,
            AcceptError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use mailtypes::ForwardPath;
    use store::AccountId;

    use super::*;

    fn recipient(address: &str, destination: Destination) -> NewRecipient {
        let address = Mailbox::parse(address).unwrap();
        NewRecipient {
            original: ForwardPath::Mailbox(address.clone()),
            address,
            via: Vec::new(),
            destination,
            reason: String::new(),
        }
    }

    fn check(
        received: u32,
        delivered_to: &[&str],
        draft: Option<&StoreError>,
        expect: Result<(), (u16, &str)>,
    ) {
        let header = HeaderFacts {
            received,
            delivered_to: delivered_to
                .iter()
                .map(|value| (*value).to_owned())
                .collect(),
            ..HeaderFacts::default()
        };
        let recipients = [
            recipient("ann@example.org", Destination::Account(AccountId(1))),
            recipient("bob@elsewhere.example", Destination::Remote),
            NewRecipient {
                via: vec![Mailbox::parse("eve@example.org").unwrap()],
                ..recipient("eve@elsewhere.example", Destination::Remote)
            },
        ];
        let facts = MessageFacts {
            header: &header,
            recipients: &recipients,
            draft,
        };
        let verdict = decide(&facts).map_err(|refusal| {
            let reply = refusal.reply();
            (reply.code(), reply.enhanced().unwrap().to_string())
        });
        let expect = expect.map_err(|(code, enhanced)| (code, enhanced.to_owned()));
        assert_eq!(verdict, expect, "{received} {delivered_to:?} {draft:?}");
    }

    #[test]
    fn circles_end_here() {
        check(0, &[], None, Ok(()));
        check(100, &[], None, Ok(()));
        check(101, &[], None, Err((554, "5.4.6")));
        check(3, &["ann@example.org"], None, Err((554, "5.4.6")));
        check(
            3,
            &["x@example.org", "ANN@example.org"],
            None,
            Err((554, "5.4.6")),
        );
        check(3, &["ann+list@example.org"], None, Ok(()));
        check(3, &["bob@elsewhere.example"], None, Ok(())); // for the next host to say
        // Eve's mail goes on from here, with her mark; it has come back.
        check(3, &["eve@example.org"], None, Err((554, "5.4.6")));
        check(3, &["eve@elsewhere.example"], None, Ok(()));
    }

    #[test]
    fn the_address_that_the_field_has_is_named() {
        let header = HeaderFacts {
            delivered_to: vec!["eve@example.org".to_owned()],
            ..HeaderFacts::default()
        };
        let recipients = [NewRecipient {
            via: vec![Mailbox::parse("eve@example.org").unwrap()],
            ..recipient("x@elsewhere.example", Destination::Remote)
        }];
        let facts = MessageFacts {
            header: &header,
            recipients: &recipients,
            draft: None,
        };
        let refusal = decide(&facts).unwrap_err();
        let eve = Mailbox::parse("eve@example.org").unwrap();
        assert_eq!(refusal, MessageRefusal::Loop(eve));
        assert!(refusal.reply().to_string().contains("eve@example.org"));
    }

    #[test]
    fn our_fault_is_never_a_5yz() {
        check(0, &[], Some(&StoreError::Full), Err((452, "4.3.1")));
        check(0, &[], Some(&StoreError::Closed), Err((451, "4.3.0")));
        check(
            0,
            &[],
            Some(&StoreError::Disk("EIO".to_owned())),
            Err((451, "4.3.0")),
        );
        assert_eq!(
            MessageRefusal::from(AcceptError::NoRoom),
            MessageRefusal::NoRoom
        );
        assert_eq!(MessageRefusal::StoreTimeout.reply().code(), 451);
    }
}
