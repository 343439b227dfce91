//! Messages go into mailboxes, many in one request.

use std::collections::BTreeSet;
use std::sync::Arc;

use mailtypes::{ItemId, Timestamp};
use store::{AccountId, Due, Lease, Store, StoreError};
use tokio::task::JoinError;
use tracing::Span;

use super::Here;
use crate::fate;
use crate::limits::WAITING_MAX;
use crate::local::{self, Next};
use crate::outcome::Ending;
use crate::patience::Patience;
use crate::traces;

/// What is remembered of deliveries into mailboxes.
#[derive(Debug, Default)]
pub(super) struct Mailboxes {
    /// Those that the store has failed.
    pub(super) patience: Patience,
    /// Those that were in a request that came to grief: each goes alone now.
    wary: BTreeSet<(ItemId, u32)>,
}

/// What one request is about.
type Part = Vec<(Due, AccountId)>;

impl Mailboxes {
    /// The requests to make now, of at most `len` recipients each.
    pub(super) fn parts(&mut self, mut all: Part, len: usize, now: Timestamp) -> Vec<Part> {
        self.patience.sift(&mut all, |(due, _)| due, now);
        let (alone, mut together): (Part, Part) = all
            .into_iter()
            .partition(|(due, _)| self.wary.contains(&key(due)));
        let mut parts = Vec::new();
        while !together.is_empty() {
            let rest = together.split_off(together.len().min(len));
            parts.push(std::mem::replace(&mut together, rest));
        }
        parts.extend(alone.into_iter().map(|one| vec![one]));
        parts
    }

    /// A request came to grief; answers the one that is to blame.
    fn grief(&mut self, part: &[(Due, AccountId)]) -> Option<Due> {
        if let [(only, _)] = part {
            self.wary.remove(&key(only));
            return Some(only.clone());
        }
        if self.wary.len() > WAITING_MAX {
            self.wary.clear();
        }
        self.wary.extend(part.iter().map(|(due, _)| key(due)));
        None
    }

    fn done(&mut self, due: &Due) {
        self.patience.done(due);
        if !self.wary.is_empty() {
            self.wary.remove(&key(due));
        }
    }
}

impl<S: Store, R: Send + Sync + 'static, D: Send + Sync + 'static> Here<S, R, D> {
    /// Puts messages into mailboxes.
    pub(super) async fn deliver(&mut self, lease: &Lease, part: Part) -> Result<(), StoreError> {
        let spans: Vec<Span> = part.iter().map(|(due, _)| traces::mailbox(due)).collect();
        let part = Arc::new(part);
        let (store, lease, asked) = (self.shared.store.clone(), lease.clone(), Arc::clone(&part));
        let asking = tokio::spawn(async move {
            let deliveries = asked
                .iter()
                .map(|(due, account)| local::delivery(due, *account))
                .collect();
            store.deliver_local(&lease, deliveries).await
        });
        let outcomes = match asking.await {
            Ok(Ok(outcomes)) => outcomes,
            Ok(Err(error)) => {
                spans.iter().for_each(|span| traces::failed(span, &error));
                return Err(error);
            }
            Err(error) => {
                spans.iter().for_each(|span| traces::failed(span, &error));
                self.came_to_grief(&part, &error).await;
                return Ok(());
            }
        };
        let now = self.shared.clock.now();
        for (((due, account), span), outcome) in part.iter().zip(spans).zip(outcomes) {
            let failures = self.mailboxes.patience.failures(due) + 1;
            match local::judge(outcome, failures) {
                Next::Delivered { uid } => {
                    self.mailboxes.done(due);
                    fate::delivered(due, *account, uid, now);
                    self.shared.metrics.delivered(due, now);
                    self.shared.endings.count_prompt(1);
                }
                // Should it still be due next time, it must not be asked for without end.
                Next::Nothing => self.mailboxes.patience.failed(due, now),
                Next::Again => {
                    traces::failed(&span, &"the mailbox could not be written");
                    self.mailboxes.patience.failed(due, now);
                }
                Next::End(ending) => {
                    traces::ended(&span, &ending);
                    self.mailboxes.done(due);
                    self.tell(due.clone(), ending, "mailbox").await;
                }
            }
        }
        Ok(())
    }

    async fn came_to_grief(&mut self, part: &[(Due, AccountId)], error: &JoinError) {
        tracing::error!(%error, recipients = part.len(), "a delivery into mailboxes came to grief");
        let now = self.shared.clock.now();
        if let Some(due) = self.mailboxes.grief(part) {
            self.tell(due, Ending::Crashed, "mailbox").await;
        } else {
            // They come again at the next walk.
            self.front_at = now;
        }
    }
}

fn key(due: &Due) -> (ItemId, u32) {
    (due.item, due.recipient)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::due;

    fn part(numbers: std::ops::Range<u32>) -> Part {
        numbers.map(|n| (due(n), AccountId(1))).collect()
    }

    fn lens(mailboxes: &mut Mailboxes, numbers: std::ops::Range<u32>) -> Vec<usize> {
        let parts = mailboxes.parts(part(numbers), 3, Timestamp::EPOCH);
        parts.iter().map(Vec::len).collect()
    }

    #[test]
    fn who_is_to_blame_is_found_alone() {
        let mut mailboxes = Mailboxes::default();
        assert_eq!(lens(&mut mailboxes, 0..0), [0; 0]);
        assert_eq!(lens(&mut mailboxes, 0..7), [3, 3, 1]);
        assert!(mailboxes.grief(&part(0..3)).is_none());
        assert_eq!(lens(&mut mailboxes, 0..7), [3, 1, 1, 1, 1]);
        mailboxes.done(&due(0));
        let blamed = mailboxes.grief(&part(1..2)).unwrap();
        assert_eq!(blamed.recipient, 1);
        assert_eq!(lens(&mut mailboxes, 0..7), [3, 3, 1]);
    }
}
