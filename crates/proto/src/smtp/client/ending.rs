//! How transactions and sessions end.

use mailtypes::Timestamp;

use super::{
    Client, ClientEvent, Exchange, Lost, Phase, RecipientAnswer, ServerReply, SessionRefusal, Stage,
};

impl Client {
    /// The same answer for all recipients that have none, and the end of the transaction.
    pub(super) fn answer_rest(&mut self, answer: &RecipientAnswer) {
        if let Some(transaction) = &mut self.transaction {
            transaction.fill(answer);
        }
        self.finish();
    }

    /// Ends the transaction unless replies are still to come.
    pub(super) fn finish_if_answered(&mut self) {
        if self.awaited.is_empty() {
            self.finish();
        }
    }

    /// The transaction is over; the session goes on.
    pub(super) fn finish(&mut self) {
        if !matches!(self.phase, Phase::Over) {
            self.phase = Phase::Ready;
        }
        self.tell_answers();
    }

    fn tell_answers(&mut self) {
        if let Some(transaction) = self.transaction.take() {
            let answers = transaction.answers.into_iter().flatten().collect();
            self.events.push_back(ClientEvent::Finished(answers));
        }
    }

    /// 421, or a no that was not asked for: the server is done with us.
    pub(super) fn sent_away(&mut self, stage: Stage, reply: ServerReply) {
        if self.is_opening() {
            let refusal = SessionRefusal::Refused { stage, reply };
            self.events.push_back(ClientEvent::NotReady(refusal));
        } else {
            self.part(RecipientAnswer::Refused { stage, reply });
        }
        self.end();
    }

    /// A no before the server had all of the body: whoever means it goes.
    pub(super) fn hush(&mut self, reply: ServerReply, now: Timestamp) {
        self.phase = Phase::SaidNo(reply);
        self.waiting_since = now;
        self.awaited.clear();
        self.out.clear();
    }

    /// The server goes: when it has said no within the body, that was its answer.
    pub(super) fn left_with_a_no(&mut self) -> bool {
        let Phase::SaidNo(reply) = &self.phase else {
            return false;
        };
        let (stage, reply) = (Stage::Body, reply.clone());
        self.part(RecipientAnswer::Refused { stage, reply });
        self.end();
        true
    }

    /// The server does not go: when it has said no within the body, that was out of turn.
    pub(super) fn stayed_after_a_no(&mut self) -> bool {
        let Phase::SaidNo(reply) = &self.phase else {
            return false;
        };
        let why = Lost::OutOfTurn(reply.to_string());
        self.lose(Stage::Body, &why, false);
        true
    }

    /// The connection has ended, or must.
    pub(super) fn fail(&mut self, why: &Lost, now: Timestamp) {
        if self.is_over() {
            return;
        }
        let stage = self.waits_for().unwrap_or(Stage::Mail);
        if let Some(next) = self.awaited.front() {
            let exchange = Exchange {
                command: self.in_words(&next.command),
                reply: None,
                began: self.waiting_since,
                ended: now,
            };
            self.remember(exchange);
        }
        self.lose(stage, why, self.dot_sent());
    }

    /// As [`fail`](Self::fail), where the command has had its reply already.
    pub(super) fn fail_at(&mut self, stage: Stage, why: &Lost) {
        self.lose(stage, why, stage == Stage::FinalDot);
    }

    /// As [`fail`](Self::fail), where all is known and noted.
    pub(super) fn lose(&mut self, stage: Stage, why: &Lost, dot_sent: bool) {
        if self.is_opening() {
            let refusal = SessionRefusal::Lost {
                stage,
                why: why.clone(),
            };
            self.events.push_back(ClientEvent::NotReady(refusal));
        } else {
            self.part(RecipientAnswer::Lost {
                stage,
                why: why.clone(),
                dot_sent,
            });
        }
        self.end();
    }

    /// What the end means for the transaction under way, or for the next one.
    fn part(&mut self, answer: RecipientAnswer) {
        match &mut self.transaction {
            Some(transaction) => transaction.fill(&answer),
            None => self.farewell = Some(answer),
        }
    }

    /// Whether nobody has been told yet that the server is ready; and nobody will be.
    fn is_opening(&mut self) -> bool {
        // It may have said more in the same breath.
        let untold = matches!(self.events.back(), Some(ClientEvent::Ready));
        if untold {
            self.events.pop_back();
        }
        untold || matches!(self.phase, Phase::Opening)
    }

    pub(super) fn end(&mut self) {
        self.phase = Phase::Over;
        self.awaited.clear();
        // What has not been written would not be read.
        self.out.clear();
        self.tell_answers();
    }
}
