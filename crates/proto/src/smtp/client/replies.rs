//! What the client does when the server has answered.

use mailtypes::Timestamp;

use super::commands::{Awaited, Command};
use super::stuffing::Stuffing;
use super::{
    Capabilities, Client, ClientEvent, Exchange, Lost, Phase, RecipientAnswer, ServerReply,
    SessionRefusal, Stage,
};

impl Client {
    pub(super) fn take_reply(&mut self, reply: ServerReply, now: Timestamp) {
        let next = if self.in_turn {
            self.awaited.pop_front()
        } else {
            None
        };
        let Some(Awaited { command, .. }) = next else {
            return self.take_unasked(reply, now);
        };
        let exchange = Exchange {
            command: self.in_words(&command),
            reply: Some(reply.clone()),
            began: self.waiting_since,
            ended: now,
        };
        self.remember(exchange);
        self.waiting_since = now;
        // RFC 5321 §3.8: at any moment, to any command.
        if reply.code() == 421 && command != Command::Quit {
            return self.sent_away(command.stage(), reply);
        }
        // RFC 5321 §4.3.2: 3yz is for DATA alone.
        let asks = (300..400).contains(&reply.code());
        if asks && matches!(command, Command::Mail | Command::Rcpt(_) | Command::Reset) {
            return self.odd(command.stage(), &reply, "before DATA");
        }
        match command {
            Command::Greeting => self.greeted(reply, now),
            Command::Ehlo => self.answered_ehlo(reply, now),
            Command::Helo => self.answered_helo(reply, now),
            Command::Reset => self.answered_reset(),
            Command::Mail => self.answered_mail(reply),
            Command::Rcpt(n) => self.answered_rcpt(n, reply),
            Command::Data => self.answered_data(reply),
            Command::FinalDot => self.answered_body(reply),
            Command::EmptyBody => self.finish(),
            Command::Quit => self.phase = Phase::Over,
        }
    }

    /// A reply to nothing, or to what has not been said yet: a farewell, or out of turn. It tells
    /// nothing about the message under way, but for a no before the end of its body with which the
    /// server goes.
    fn take_unasked(&mut self, reply: ServerReply, now: Timestamp) {
        self.remember(Exchange {
            command: "(unasked)".to_owned(),
            reply: Some(reply.clone()),
            began: self.waiting_since,
            ended: now,
        });
        let stage = self.waits_for().unwrap_or(Stage::Mail);
        if reply.code() == 421 {
            if !self.left_with_a_no() {
                self.sent_away(stage, reply);
            }
            return;
        }
        if reply.code() == 221 && self.left_with_a_no() {
            return;
        }
        if self.stayed_after_a_no() {
            return;
        }
        if reply.code() >= 400 && self.body_goes_out() {
            return self.hush(reply, now);
        }
        let why = Lost::OutOfTurn(reply.to_string());
        self.lose(stage, &why, self.dot_sent());
    }

    fn greeted(&mut self, reply: ServerReply, now: Timestamp) {
        if reply.code() == 220 {
            self.say_hello(true);
        } else if reply.is_yes() {
            self.odd(Stage::Greeting, &reply, "as a greeting"); // RFC 5321 §4.3.2: 220 or a no
        } else {
            self.refused_session(Stage::Greeting, reply, now);
        }
    }

    fn answered_ehlo(&mut self, reply: ServerReply, now: Timestamp) {
        match reply.code() {
            250 => {
                self.capabilities = Capabilities::parse(&reply);
                self.ready();
            }
            // RFC 5321 §3.2: a server that does not know EHLO is greeted in the old way.
            500.. => self.say_hello(false),
            400.. => self.refused_session(Stage::Hello, reply, now),
            _ => self.odd(Stage::Hello, &reply, "in answer to EHLO"),
        }
    }

    fn answered_helo(&mut self, reply: ServerReply, now: Timestamp) {
        if reply.code() == 250 {
            self.ready();
        } else if reply.is_yes() {
            self.odd(Stage::Helo, &reply, "in answer to HELO");
        } else {
            self.refused_session(Stage::Helo, reply, now);
        }
    }

    /// A reply that the command cannot have.
    fn odd(&mut self, stage: Stage, reply: &ServerReply, place: &str) {
        self.fail_at(stage, &Lost::Protocol(format!("{reply} {place}")));
    }

    fn ready(&mut self) {
        self.phase = Phase::Ready;
        self.events.push_back(ClientEvent::Ready);
    }

    fn refused_session(&mut self, stage: Stage, reply: ServerReply, now: Timestamp) {
        let refusal = SessionRefusal::Refused { stage, reply };
        self.events.push_back(ClientEvent::NotReady(refusal));
        // RFC 5321 §3.1: whoever is not wanted says QUIT.
        self.say_quit(now);
    }

    /// Whatever the server thinks of it, the next MAIL tells.
    fn answered_reset(&mut self) {
        self.soiled = false;
        if self.awaited.is_empty() {
            self.say_mail();
        }
    }

    fn answered_mail(&mut self, reply: ServerReply) {
        if reply.is_yes() {
            self.soiled = true;
            if !self.capabilities.pipelining {
                self.say_recipients(1);
            }
            return;
        }
        let answer = RecipientAnswer::Refused {
            stage: Stage::Mail,
            reply,
        };
        if let Some(transaction) = &mut self.transaction {
            transaction.fill(&answer);
        }
        self.finish_if_answered();
    }

    fn answered_rcpt(&mut self, n: usize, reply: ServerReply) {
        let Some(transaction) = &mut self.transaction else {
            return;
        };
        if reply.is_yes() {
            // When MAIL was refused it has its answer already, and this one means nothing.
            transaction.taken += usize::from(transaction.answers[n].is_none());
        } else if transaction.answers[n].is_none() {
            let stage = Stage::Rcpt;
            transaction.answers[n] = Some(RecipientAnswer::Refused { stage, reply });
        }
        if self.awaited.is_empty() {
            self.after_group();
        }
    }

    /// All that was said has been answered, and the body has not been asked for.
    fn after_group(&mut self) {
        let Some(transaction) = &self.transaction else {
            return;
        };
        let more = transaction.next < transaction.mail.recipients.len();
        let refused = transaction.answers.iter().all(Option::is_some);
        if more && !refused {
            let max = if self.capabilities.pipelining {
                crate::smtp::limits::RCPT_PIPELINED_MAX
            } else {
                1
            };
            self.say_recipients(max);
        } else if transaction.taken > 0 {
            self.say_data();
        } else {
            self.finish();
        }
    }

    fn answered_data(&mut self, reply: ServerReply) {
        let taken = self.transaction.as_ref().map_or(0, |t| t.taken);
        match reply.code() {
            354 if taken > 0 => {
                self.phase = Phase::Body(Stuffing::new());
                self.events.push_back(ClientEvent::WantBody);
            }
            // RFC 2920 §3.1: a server may ask although it has refused all recipients.
            354 => self.say_empty_body(),
            code if code >= 400 => {
                let answer = RecipientAnswer::Refused {
                    stage: Stage::Data,
                    reply,
                };
                self.answer_rest(&answer);
            }
            _ => {
                self.odd(Stage::Data, &reply, "in answer to DATA");
            }
        }
    }

    fn answered_body(&mut self, reply: ServerReply) {
        // RFC 5321 §4.1.1.4: the end of the data leaves nothing behind.
        self.soiled = false;
        if reply.code() < 300 {
            self.answer_rest(&RecipientAnswer::Accepted(reply));
        } else if reply.is_yes() {
            self.odd(Stage::FinalDot, &reply, "in answer to the message");
        } else {
            let stage = Stage::FinalDot;
            self.answer_rest(&RecipientAnswer::Refused { stage, reply });
        }
    }
}
