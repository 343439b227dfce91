//! Remembers answers, also negative ones, and asks the same question once at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailtypes::Timestamp;
use mailtypes::dns::{Answer, DnsError, DnsName, Question, Records};
use tokio::sync::watch;

use super::{Dns, Metrics};
use crate::Clock;

/// A cache in front of somebody who answers. Clones share what they know.
#[derive(Clone, Debug)]
pub struct Cache<D> {
    source: D,
    clock: Clock,
    known: Arc<Mutex<Known>>,
    metrics: Metrics,
}

type Outcome = Result<Answer, DnsError>;

#[derive(Debug)]
struct Kept {
    until: Timestamp,
    outcome: Outcome,
}

#[derive(Debug, Default)]
struct Known {
    /// Boxed: up to half of a large table is empty places.
    answers: HashMap<Question, Box<Kept>>,
    /// Octets of all of them, about.
    len: usize,
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
            metrics: Metrics::default(),
        }
    }

    /// Where it counts what it is asked.
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        let mut known = self.lock();
        known.answers.clear();
        known.len = 0;
    }

    /// What is known, or the place where it will be told.
    fn look(&self, question: &Question) -> Result<Outcome, watch::Receiver<Option<Outcome>>> {
        let mut known = self.lock();
        if let Some(kept) = known.answers.get(question)
            && kept.until > self.clock.now()
        {
            self.metrics.hit();
            return Ok(kept.outcome.clone());
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
            let began = cache.clock.now();
            let outcome = cache.source.lookup(question.clone()).await;
            let took = cache.clock.now().since(began);
            cache.metrics.asked(&question, &outcome, took);
            cache.remember(question, &outcome);
            told.send_replace(Some(outcome));
        });
        Err(waiting)
    }

    fn remember(&self, question: Question, outcome: &Outcome) {
        let now = self.clock.now();
        let mut known = self.lock();
        known.asked.remove(&question);
        let until = now + keep(outcome);
        known.keep(question, until, outcome, now);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Each change is complete before anything can panic.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// One more. A full cache is emptied of what is over, or else of everything.
    fn keep(&mut self, question: Question, until: Timestamp, outcome: &Outcome, now: Timestamp) {
        let len = len(outcome);
        if len > ANSWER_LEN_MAX {
            return;
        }
        let is_full =
            |known: &Self| known.answers.len() >= ENTRIES_MAX || known.len + len > ANSWERS_LEN_MAX;
        if is_full(self) {
            self.answers.retain(|_, kept| kept.until > now);
            self.len = self
                .answers
                .values()
                .map(|kept| self::len(&kept.outcome))
                .sum();
        }
        if is_full(self) {
            self.answers.clear();
            self.len = 0;
        }
        let outcome = outcome.clone();
        let kept = Box::new(Kept { until, outcome });
        if let Some(old) = self.answers.insert(question, kept) {
            self.len -= self::len(&old.outcome);
        }
        self.len += len;
    }
}

/// Octets that an outcome takes, about.
fn len(outcome: &Outcome) -> usize {
    let Ok(answer) = outcome else {
        return RECORD_LEN;
    };
    let name = |name: &DnsName| RECORD_LEN + name.as_str().len();
    let aliases: usize = answer.aliases.iter().map(name).sum();
    let records: usize = match &answer.records {
        Records::A(list) => list.len() * RECORD_LEN,
        Records::Aaaa(list) => list.len() * RECORD_LEN,
        Records::Mx(list) => list.len() * (RECORD_LEN + NAME_LEN),
        Records::Txt(list) => list.iter().map(|text| RECORD_LEN + text.len()).sum(),
        Records::Ptr(list) => list.len() * (RECORD_LEN + NAME_LEN),
    };
    RECORD_LEN + aliases + records
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
/// Octets of one answer; a larger one is given and not kept.
const ANSWER_LEN_MAX: usize = 16 * 1024;
/// Octets of all answers.
const ANSWERS_LEN_MAX: usize = 64 * 1024 * 1024;
/// Octets of a record or an entry beside its text, about.
const RECORD_LEN: usize = 32;
/// Octets of a name, about.
const NAME_LEN: usize = 64;
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
    use mailtypes::dns::Kind;

    use super::super::MapDns;
    use super::*;

    fn question(text: &str) -> Question {
        Question {
            name: DnsName::parse(text).unwrap(),
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
    async fn what_is_asked_is_counted() {
        let (cache, _, _) = caches();
        for name in ["a.example", "a.example", "gone.example"] {
            // One of them fails.
            let _ = cache.lookup(question(name)).await;
        }
        let mut registry = prometheus_client::registry::Registry::default();
        cache.metrics().register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "dns_cache_hits_total 1",
            r#"dns_queries_total{type="A",result="answer"} 1"#,
            r#"dns_queries_total{type="A",result="nxdomain"} 1"#,
            "dns_query_seconds_count 2",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}: {text}");
        }
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
    fn memory_has_a_limit() {
        let text = |len| {
            Ok(Answer {
                records: Records::Txt(vec![vec![b'x'; len]]),
                aliases: Vec::new(),
                ttl: Duration::from_secs(60),
            })
        };
        let (now, until) = (Timestamp::EPOCH, Timestamp::from_millis(60_000));
        let mut known = Known::default();
        known.keep(question("a.example"), until, &text(ANSWER_LEN_MAX), now);
        assert_eq!((known.answers.len(), known.len), (0, 0));
        let answer = text(ANSWER_LEN_MAX / 2);
        for _ in 0..2 {
            known.keep(question("a.example"), until, &answer, now);
            assert_eq!((known.answers.len(), known.len), (1, len(&answer)));
        }
        for n in 0..2 * ANSWERS_LEN_MAX / len(&answer) {
            known.keep(question(&format!("n{n}.example")), until, &answer, now);
            assert!(known.len <= ANSWERS_LEN_MAX);
        }
        let sum: usize = known.answers.values().map(|kept| len(&kept.outcome)).sum();
        assert!(known.len == sum && sum > 0);
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
