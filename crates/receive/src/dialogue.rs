//! Answers what a client wants: gathers facts, has the policy decide, acts.
//!
//! It knows no sockets. The session hands it the events of the machine and gets replies back.

use std::net::IpAddr;
use std::sync::Arc;

use mailtypes::{Envelope, ForwardPath, ItemId, Protocol};
use message::{HeaderFacts, Received};
use proto::smtp::{BodyFacts, ClientName, Event, Reply};
use store::{AcceptError, Draft, NewItem, Origin, Shape, Store, StoreError};
use tracing::{Instrument, Span};

use crate::deadline::within;
use crate::facts::AcceptFacts;
use crate::fate::Fates;
use crate::limits::{LOOKUP_TIMEOUT, STORE_TIMEOUT};
use crate::lookup;
use crate::message_policy::{self, MessageFacts, MessageRefusal};
use crate::shared::Shared;
use crate::traces;
use crate::transaction::Transaction;
use crate::verdict::RecipientFacts;

/// One client and what it has said so far.
pub(crate) struct Dialogue<S> {
    shared: Arc<Shared<S>>,
    client: IpAddr,
    helo: String,
    protocol: Protocol,
    transaction: Option<Box<Transaction>>,
}

impl<S: Store> Dialogue<S> {
    pub(crate) const fn new(shared: Arc<Shared<S>>, client: IpAddr) -> Self {
        Self {
            shared,
            client,
            helo: String::new(),
            protocol: Protocol::Smtp,
            transaction: None,
        }
    }

    /// Deals with an event; `None` when it wants no answer.
    ///
    /// What has to wait stands in a box of its own: a session that waits for its client is small.
    pub(crate) async fn answer(&mut self, event: Event) -> Option<Reply> {
        match event {
            Event::Hello { client, extended } => Some(self.hello(&client, extended)),
            Event::Mail { envelope, size } => Some(self.mail(envelope, size)),
            Event::Rcpt { path } => Some(Box::pin(self.rcpt(path)).await),
            Event::Data => Some(self.data()),
            Event::Body(octets) => {
                if let Some(transaction) = &mut self.transaction {
                    Box::pin(transaction.write(&self.shared.clock, &octets)).await;
                }
                None
            }
            Event::EndOfData(body) => Some(Box::pin(self.end_of_data(body)).await),
            Event::Discard => {
                self.transaction = None;
                None
            }
            Event::Verify(_) => Some(does_not_verify()),
            Event::Expand(_) => Some(self.does_not_expand()),
            Event::Refused { command, reply } => {
                self.fates().refused(command, &reply);
                None
            }
        }
    }

    fn hello(&mut self, client: &ClientName, extended: bool) -> Reply {
        self.helo = client.to_string();
        self.protocol = if extended {
            Protocol::Esmtp
        } else {
            Protocol::Smtp
        };
        Reply::plain(250, format!("greets {client}"))
    }

    fn mail(&mut self, envelope: Envelope, size: Option<u64>) -> Reply {
        if let Err(error) = self.shared.store.room(size.unwrap_or(0)) {
            let span = traces::message(&envelope.reverse_path);
            return self.refuse_sender("MAIL", &envelope, &error.into(), &span);
        }
        let settings = self.shared.settings.load_full();
        self.transaction = Some(Box::new(Transaction::new(settings, envelope, size)));
        Reply::new(250, "2.1.0", "Sender ok")
    }

    async fn rcpt(&mut self, path: ForwardPath) -> Reply {
        let Some(transaction) = &mut self.transaction else {
            return bad_sequence();
        };
        let Shared { store, clock, .. } = &*self.shared;
        let taken = &transaction.recipients;
        let settings = &transaction.settings;
        let (verdict, facts) = match lookup::relayed(settings, self.client, &path, taken) {
            Some(verdict) => (verdict, RecipientFacts::default()),
            None => lookup::route(store, clock, settings, &path, taken).await,
        };
        match verdict {
            Ok(routed) => {
                for skipped in &routed.skipped {
                    tracing::warn!(to = %path, %skipped, "a target of an alias gets no mail");
                }
                transaction.add(path, routed, &facts);
                Reply::new(250, "2.1.5", "Recipient ok")
            }
            Err(refusal) => {
                let reply = refusal.reply();
                let from = &transaction.envelope.reverse_path;
                let fates = Fates {
                    client: self.client,
                    helo: &self.helo,
                    metrics: &self.shared.metrics,
                };
                fates.refused_recipient(from, &path, &reply, &refusal);
                reply
            }
        }
    }

    fn data(&mut self) -> Reply {
        let Some(transaction) = &mut self.transaction else {
            return bad_sequence();
        };
        if let Err(error) = self.shared.store.room(transaction.size.unwrap_or(0)) {
            let envelope = transaction.envelope.clone();
            let span = transaction.span.clone();
            return self.refuse_sender("DATA", &envelope, &error.into(), &span);
        }
        transaction.draft = Some(self.shared.store.draft());
        Reply::plain(
            354,
            "Send the message; end it with a line that is a single dot",
        )
    }

    async fn end_of_data(&mut self, body: BodyFacts) -> Reply {
        let Some(mut transaction) = self.transaction.take() else {
            return bad_sequence();
        };
        let began = self.shared.clock.elapsed();
        let header = std::mem::take(&mut transaction.scan).finish();
        let facts = MessageFacts {
            header: &header,
            recipients: &transaction.recipients,
            draft: transaction.draft_error.as_ref(),
        };
        let envelope = transaction.envelope.clone();
        let span = transaction.span.clone();
        let accepted = match (message_policy::decide(&facts), transaction.draft.take()) {
            (Ok(()), Some(draft)) => {
                let count = transaction.recipients.len();
                let item = self.compose(draft.id(), *transaction, &body, &header);
                let letter = Box::new((draft, item));
                self.accept(letter, &span).await.map(|id| (id, count))
            }
            (Ok(()), None) => Err(MessageRefusal::Store(StoreError::Closed)),
            (Err(refusal), _) => Err(refusal),
        };
        let took = self.shared.clock.elapsed().saturating_sub(began);
        self.shared.metrics.accept.observe(took.as_secs_f64());
        match accepted {
            Ok((id, count)) => {
                self.fates()
                    .queued(id, &envelope.reverse_path, count, body.size);
                self.shared.wake.notify_one();
                let reply = Reply::new(250, "2.0.0", format!("Ok: queued as {id}"));
                traces::queued(&span, id, count, body.size, &reply);
                reply
            }
            Err(refusal) => self.refuse_sender("DATA", &envelope, &refusal, &span),
        }
    }

    /// The item as it goes into the store.
    fn compose(
        &self,
        id: ItemId,
        transaction: Transaction,
        body: &BodyFacts,
        header: &HeaderFacts,
    ) -> NewItem {
        let received = Received {
            helo: &self.helo,
            client: self.client,
            reverse_name: None,
            by: &transaction.settings.hostname,
            protocol: self.protocol,
            id,
            recipient: transaction.only_mailbox(),
            at: self.shared.clock.now(),
        };
        let facts = AcceptFacts {
            client: self.client,
            helo: &self.helo,
            protocol: self.protocol.as_str(),
            from: transaction.envelope.reverse_path.to_string(),
            announced: transaction.size,
            body: transaction.envelope.body.as_str(),
            kept: &transaction.kept,
            size: body.size,
            has_8bit: body.has_8bit,
            longest_line: body.longest_line,
            received: header.received,
            delivered_to: &header.delivered_to,
        };
        NewItem {
            added: received.write(),
            facts: facts.write(),
            envelope: transaction.envelope,
            origin: Some(Origin {
                client: self.client,
                helo: self.helo.clone(),
                protocol: self.protocol,
                login: None,
                tls: None,
            }),
            shape: Shape {
                has_8bit: body.has_8bit,
                longest_line: body.longest_line,
                header_len: header.header_len,
                return_paths: header.return_path.clone(),
            },
            recipients: transaction.recipients,
        }
    }

    /// Returns when the message is durable, or when it is not ours.
    async fn accept(
        &self,
        letter: Box<(Draft, NewItem)>,
        message: &Span,
    ) -> Result<ItemId, MessageRefusal> {
        let span = traces::durable(message);
        let accepted = self.make_durable(letter).instrument(span.clone()).await;
        if let Err(why) = &accepted {
            traces::failed(&span, why);
        }
        accepted
    }

    /// In a box it is not copied from one future into the next.
    async fn make_durable(&self, letter: Box<(Draft, NewItem)>) -> Result<ItemId, MessageRefusal> {
        let Shared { store, clock, .. } = &*self.shared;
        let id = letter.0.id();
        let accepting = async move {
            let (draft, item) = *letter;
            store.accept(draft, item).await
        };
        match within(clock, STORE_TIMEOUT, accepting).await {
            None => Err(MessageRefusal::StoreTimeout),
            Some(Ok(id)) => Ok(id),
            // Perhaps it happened. If we cannot tell, the client keeps the message too.
            Some(Err(AcceptError::Store(StoreError::Unknown(why)))) => {
                match within(clock, LOOKUP_TIMEOUT, store.story(id)).await {
                    Some(Ok(Some(_))) => Ok(id),
                    _ => Err(MessageRefusal::Store(StoreError::Unknown(why))),
                }
            }
            Some(Err(error)) => Err(error.into()),
        }
    }

    fn refuse_sender(
        &self,
        command: &str,
        envelope: &Envelope,
        why: &MessageRefusal,
        span: &Span,
    ) -> Reply {
        let reply = why.reply();
        traces::refused(span, &reply, why);
        self.fates()
            .refused_sender(command, &envelope.reverse_path, &reply, why);
        reply
    }

    fn does_not_expand(&self) -> Reply {
        let reply = Reply::new(
            550,
            "5.7.1",
            "This server does not tell who is behind an address",
        );
        self.fates().refused("EXPN", &reply);
        reply
    }

    fn fates(&self) -> Fates<'_> {
        Fates {
            client: self.client,
            helo: &self.helo,
            metrics: &self.shared.metrics,
        }
    }
}

/// RFC 5321 §3.5.3, §7.3: never tells which addresses exist.
fn does_not_verify() -> Reply {
    Reply::new(
        252,
        "2.1.5",
        "Cannot verify addresses; send the mail and it will be tried",
    )
}

/// The machine asks for this only within a transaction; if it ever did otherwise, nothing is lost.
fn bad_sequence() -> Reply {
    Reply::new(
        451,
        "4.3.0",
        "No transaction is open here: start again with MAIL",
    )
}
