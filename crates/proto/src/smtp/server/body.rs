//! The body of a message on its way to the caller.

use mailtypes::Timestamp;

use super::{Pending, Phase, Server, texts, time};
use crate::smtp::body::{BodyReader, Fault};
use crate::smtp::extensions::too_large;
use crate::smtp::limits::{BODY_CHUNK_MAX, BODY_OVERRUN_EXTRA, BODY_OVERRUN_FACTOR};
use crate::smtp::line::LineReader;
use crate::smtp::{Event, Settings};

impl Server {
    /// Takes octets of a body, at most one piece. Tells how many.
    pub(super) fn take_body(&mut self, bytes: &[u8], now: Timestamp) -> usize {
        let Phase::Body {
            reader,
            received,
            until,
        } = &mut self.phase
        else {
            return 0;
        };
        let may_follow = overrun_at(&self.settings).saturating_sub(*received);
        let may_follow = usize::try_from(may_follow).unwrap_or(usize::MAX);
        let fits = BodyReader::fits(BODY_CHUNK_MAX)
            .min(may_follow)
            .min(bytes.len());
        let wanted = self.transaction.is_some();
        let mut piece = Vec::with_capacity(if wanted { fits } else { 0 });
        let (taken, ended) = reader.feed(&bytes[..fits], &mut piece);

        let octets = u64::try_from(taken).unwrap_or(u64::MAX);
        *received = received.saturating_add(octets);
        *until = time::extended(*until, octets, now, &self.settings);
        let fault = reader.fault(self.settings.size_max);
        let facts = reader.facts();
        if fault.is_some() {
            reader.stop_keeping();
            self.drop_transaction();
        } else if !piece.is_empty() {
            self.events.push_back(Event::Body(piece));
        }

        if ended {
            self.waiting_since = now;
            self.phase = Phase::Commands(LineReader::default());
            match fault {
                None => self.ask(Pending::EndOfData, Event::EndOfData(facts)),
                Some(fault) => self.refuse_body(fault),
            }
        } else if taken == may_follow {
            self.hang_up(texts::overrun());
        }
        taken
    }

    fn refuse_body(&mut self, fault: Fault) {
        let reply = match fault {
            Fault::BareLineEnd => texts::bare_in_body(),
            Fault::Nul => texts::nul_in_body(),
            Fault::TooLarge => too_large(&self.settings),
        };
        self.refuse("DATA", reply);
        self.stop_if_idle();
    }
}

/// Octets after which a body is not even read to its end any more.
fn overrun_at(settings: &Settings) -> u64 {
    let most = settings.size_max.saturating_mul(BODY_OVERRUN_FACTOR);
    most.saturating_add(BODY_OVERRUN_EXTRA)
}
