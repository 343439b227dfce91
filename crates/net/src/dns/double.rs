//! A DNS of a map, for tests: it can lie, fail and stall.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailtypes::dns::{Answer, DnsError, DnsName, Exchange, Kind, MxRecord, Question, Records};

use super::Dns;
use crate::Clock;

/// Answers from a map; names that it has nothing of do not exist. Clones share it.
#[derive(Clone, Debug)]
pub struct MapDns {
    clock: Clock,
    inside: Arc<Mutex<Inside>>,
    asked: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Inside {
    outcomes: HashMap<Question, Result<Answer, DnsError>>,
    aliases: HashMap<DnsName, DnsName>,
    stalls: HashMap<Question, Duration>,
}

impl MapDns {
    /// An empty one.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            inside: Arc::default(),
            asked: Arc::default(),
        }
    }

    /// Takes a line: `MX example.org 60 10 mx.example.org, 20 .`, `A mx.example.org 60 192.0.2.1`,
    /// `A mx.example.org 60` for none, `CNAME www.example.org mx.example.org`, or
    /// `MX example.org !servfail` (`!timeout`, `!refused`, `!nxdomain`, `!malformed`).
    ///
    /// # Panics
    ///
    /// When the line is none of these: it is for tests.
    pub fn set(&self, line: &str) {
        let mut words = line.splitn(4, ' ');
        let (kind, name) = (words.next(), words.next().and_then(name));
        let (Some(kind), Some(name)) = (kind, name) else {
            panic!("no kind and name: {line}");
        };
        let third = words.next().unwrap_or_default();
        if kind == "CNAME" {
            let target = DnsName::parse(third).expect("a target");
            self.lock().aliases.insert(name, target);
            return;
        }
        let kind = parse_kind(kind);
        let outcome = match third {
            "!servfail" => Err(DnsError::ServFail("192.0.2.53".to_owned())),
            "!timeout" => Err(DnsError::Timeout(Duration::from_secs(5))),
            "!refused" => Err(DnsError::Refused("192.0.2.53".to_owned())),
            "!nxdomain" => Err(DnsError::NoSuchName),
            "!malformed" => Err(DnsError::Malformed("nonsense".to_owned())),
            ttl => Ok(Answer {
                records: records(kind, words.next().unwrap_or_default()),
                aliases: Vec::new(),
                ttl: Duration::from_secs(ttl.parse().expect("a TTL")),
            }),
        };
        self.lock()
            .outcomes
            .insert(Question { name, kind }, outcome);
    }

    /// Makes a question, as in `MX example.org`, take so long.
    pub fn stall(&self, question: &str, span: Duration) {
        let (kind, rest) = question.split_once(' ').expect("kind and name");
        let question = Question {
            name: name(rest).expect("a name"),
            kind: parse_kind(kind),
        };
        self.lock().stalls.insert(question, span);
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn answer(&self, question: &Question) -> Result<Answer, DnsError> {
        let inside = self.lock();
        let mut name = question.name.clone();
        let mut aliases = Vec::new();
        while let Some(target) = inside.aliases.get(&name) {
            if aliases.len() >= ALIASES_MAX {
                return Err(DnsError::TooManyAliases);
            }
            name = target.clone();
            aliases.push(name.clone());
        }
        let asked = Question {
            name: name.clone(),
            kind: question.kind,
        };
        if let Some(outcome) = inside.outcomes.get(&asked) {
            return outcome.clone().map(|answer| Answer { aliases, ..answer });
        }
        // RFC 2308 §2.2: a name that has something else exists.
        if inside.outcomes.keys().any(|known| known.name == name) {
            return Ok(Answer {
                records: question.kind.nothing(),
                aliases,
                ttl: Duration::from_secs(60),
            });
        }
        Err(DnsError::NoSuchName)
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dns for MapDns {
    async fn lookup(&self, question: Question) -> Result<Answer, DnsError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let stall = self.lock().stalls.get(&question).copied();
        if let Some(span) = stall {
            self.clock.sleep_until(self.clock.now() + span).await;
        }
        self.answer(&question)
    }
}

fn name(text: &str) -> Option<DnsName> {
    DnsName::parse(text).ok()
}

fn parse_kind(word: &str) -> Kind {
    let all = [Kind::A, Kind::Aaaa, Kind::Mx, Kind::Txt, Kind::Ptr];
    let found = all.into_iter().find(|kind| kind.as_str() == word);
    found.expect("a type of records")
}

fn records(kind: Kind, data: &str) -> Records {
    let list = data.split(", ").filter(|entry| !entry.is_empty());
    match kind {
        Kind::A => Records::A(list.map(parsed).collect()),
        Kind::Aaaa => Records::Aaaa(list.map(parsed).collect()),
        Kind::Mx => Records::Mx(list.map(mx).collect()),
        Kind::Txt => Records::Txt(list.map(|text| text.as_bytes().to_vec()).collect()),
        Kind::Ptr => Records::Ptr(list.filter_map(name).collect()),
    }
}

fn parsed<T: FromStr>(text: &str) -> T {
    text.parse().ok().expect("an address")
}

fn mx(text: &str) -> MxRecord {
    let (preference, exchange) = text.split_once(' ').expect("preference and host");
    MxRecord {
        preference: preference.parse().expect("a preference"),
        exchange: match exchange {
            "." => Exchange::Root,
            host => {
                DnsName::parse(host).map_or_else(|_| Exchange::Bad(host.to_owned()), Exchange::Host)
            }
        },
    }
}

/// Aliases followed for one question.
const ALIASES_MAX: usize = 8;
