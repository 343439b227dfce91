//! Remembers answers, also negative ones, and asks the same question once at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailtypes::Timestamp;
use mailtypes::dns::{Answer, DnsError, Question};
use tokio::sync::watch;

use super::Dns;
use crate::Clock;

/// A cache in front of somebody who answers. Clones share what they know.
#[derive(Clone, Debug)]
pub struct Cache<D> {
    source: D,
    clock: Clock,
    known: Arc<Mutex<Known>>,
}

type Outcome = Result<Answer, DnsError>;

#[derive(Debug, Default)]
struct Known {
    answers: HashMap<Question, (Timestamp, Outcome)>,
    /// Questions under way: who asks too waits with the others.
    asked: HashMap<Question, watch::Receiver<Option<Outcome>>>,
}

impl<D: Dns> Cache<D> {
    /// An empty cache in front of `source`.
    pub fn new(source: D, clock: Clock) -> Self {
        Self {
            source,
            clock,
            known: Arc::default(),
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.lock().answers.clear();
    }

    /// What is known, or the place where it will be told.
    fn look(&self, question: &Question) -> Result<Outcome, watch::Receiver<Option<Outcome>>> {
        let mut known = self.lock();
        if let Some((until, outcome)) = known.answers.get(question)
            && *until > self.clock.now()
        {
            return Ok(outcome.clone());
        }
        // A receiver whose sender has gone is that of a lookup that came to grief.
        if let Some(waiting) = known.asked.get(question)
            && waiting.has_changed().is_ok()
        {
            return Err(waiting.clone());
        }
        let (told, waiting) = watch::channel(None);
        known.asked.insert(question.clone(), waiting.clone());
        drop(known);
        // In a task of its own: the others go on waiting when the first one goes away.
        let (cache, question) = (self.clone(), question.clone());
        tokio::spawn(async move {
            let outcome = cache.source.lookup(question.clone()).await;
            cache.remember(question, &outcome);
            told.send_replace(Some(outcome));
        });
        Err(waiting)
    }

    fn remember(&self, question: Question, outcome: &Outcome) {
        let now = self.clock.now();
        let mut known = self.lock();
        known.asked.remove(&question);
        if known.answers.len() >= ENTRIES_MAX {
            known.answers.retain(|_, (until, _)| *until > now);
        }
        if known.answers.len() >= ENTRIES_MAX {
            known.answers.clear();
        }
        let until = now + keep(outcome);
        known.answers.insert(question, (until, outcome.clone()));
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Each change is complete before anything can panic.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Dns> Dns for Cache<D> {
    async fn lookup(&self, question: Question) -> Outcome {
        let mut waiting = match self.look(&question) {
            Ok(outcome) => return outcome,
            Err(waiting) => waiting,
        };
        let told = waiting.wait_for(Option::is_some).await;
        let outcome = told.ok().and_then(|outcome| outcome.clone());
        let grief = || Err(DnsError::Network("the lookup came to grief".to_owned()));
        outcome.unwrap_or_else(grief)
    }
}

/// How long an outcome is kept.
fn keep(outcome: &Outcome) -> Duration {
    match outcome {
        // RFC 2308 §5: no records of this kind is a negative answer too.
        Ok(answer) if answer.records.is_empty() => answer.ttl.clamp(TTL_MIN, NEGATIVE_TTL_MAX),
        Ok(answer) => answer.ttl.clamp(TTL_MIN, TTL_MAX),
        Err(DnsError::NoSuchName) => NO_SUCH_NAME_TTL,
        // RFC 9520 §3.2: a failure is remembered for a moment, so that it does not make a storm.
        Err(_) => FAILURE_TTL,
    }
}

/// Answers that are kept.
const ENTRIES_MAX: usize = 100_000;
/// No answer is kept shorter.
const TTL_MIN: Duration = Duration::from_secs(5);
/// No answer is kept longer.
const TTL_MAX: Duration = Duration::from_hours(24);
/// No answer without records is kept longer.
const NEGATIVE_TTL_MAX: Duration = Duration::from_mins(5);
/// How long it is kept that a name does not exist.
const NO_SUCH_NAME_TTL: Duration = Duration::from_mins(1);
/// How long a failure is kept.
const FAILURE_TTL: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use mailtypes::dns::{Kind, Records};

    use super::super::MapDns;
    use super::*;

    fn question(text: &str) -> Question {
        Question {
            name: mailtypes::dns::DnsName::parse(text).unwrap(),
            kind: Kind::A,
        }
    }

    fn caches() -> (Cache<MapDns>, MapDns, Clock) {
        let clock = Clock::manual(Timestamp::EPOCH);
        let map = MapDns::new(clock.clone());
        map.set("A a.example 60 192.0.2.1");
        (Cache::new(map.clone(), clock.clone()), map, clock)
    }

    #[tokio::test]
    async fn answers_are_kept_for_their_time() {
        let (cache, map, clock) = caches();
        for _ in 0..3 {
            let answer = cache.lookup(question("a.example")).await.unwrap();
            assert_eq!(answer.records, Records::A(vec![[192, 0, 2, 1].into()]));
        }
        assert_eq!(map.asked(), 1);
        clock.advance(Duration::from_secs(59));
        cache.lookup(question("a.example")).await.unwrap();
        assert_eq!(map.asked(), 1);
        clock.advance(Duration::from_secs(1));
        cache.lookup(question("a.example")).await.unwrap();
        assert_eq!(map.asked(), 2);
    }

    #[tokio::test]
    async fn what_is_not_there_and_what_failed_is_kept_shorter() {
        let (cache, map, clock) = caches();
        map.set("A ill.example !servfail");
        for (name, secs) in [("gone.example", 60), ("ill.example", 5)] {
            let before = map.asked();
            assert!(cache.lookup(question(name)).await.is_err());
            clock.advance(Duration::from_secs(secs - 1));
            assert!(cache.lookup(question(name)).await.is_err());
            assert_eq!(map.asked(), before + 1, "{name}");
            clock.advance(Duration::from_secs(1));
            assert!(cache.lookup(question(name)).await.is_err());
            assert_eq!(map.asked(), before + 2, "{name}");
        }
    }

    #[tokio::test]
    async fn the_same_question_is_asked_once_at_a_time() {
        let (cache, map, clock) = caches();
        map.stall("A a.example", Duration::from_secs(10));
        let ask = || {
            let cache = cache.clone();
            tokio::spawn(async move { cache.lookup(question("a.example")).await })
        };
        let first = ask();
        let others: Vec<_> = (0..20).map(|_| ask()).collect();
        while map.asked() == 0 {
            tokio::task::yield_now().await;
        }
        first.abort(); // it goes away, the others do not
        clock.advance(Duration::from_secs(10));
        for other in others {
            assert!(other.await.unwrap().is_ok());
        }
        assert_eq!(map.asked(), 1);
    }

    #[test]
    fn times_have_limits() {
        let answer = |ttl| {
            Ok(Answer {
                records: Records::A(vec![[192, 0, 2, 1].into()]),
                aliases: Vec::new(),
                ttl: Duration::from_secs(ttl),
            })
        };
        assert_eq!(keep(&answer(0)), TTL_MIN);
        assert_eq!(keep(&answer(3600)), Duration::from_hours(1));
        assert_eq!(keep(&answer(1_000_000)), TTL_MAX);
    }
}
