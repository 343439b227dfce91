//! From the name that was asked about to the records at the end of its aliases.

use std::time::Duration;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record};
use mailtypes::dns::{Answer, DnsError, DnsName, Exchange, Kind, MxRecord, Records};

/// How far one has come. RFC 1034 §3.6.2
#[derive(Debug)]
pub(super) struct Chain {
    end: Name,
    aliases: Vec<DnsName>,
    ttl: u32,
}

impl Chain {
    pub(super) fn new(name: Name) -> Self {
        Self {
            end: name,
            aliases: Vec::new(),
            ttl: u32::MAX,
        }
    }

    /// The name to ask about.
    pub(super) fn end(&self) -> &Name {
        &self.end
    }

    /// Takes what a server has answered about [`end`](Self::end); `None` when it must be asked
    /// about the name that this one stands for.
    pub(super) fn follow(
        &mut self,
        kind: Kind,
        message: &Message,
    ) -> Result<Option<Answer>, DnsError> {
        let mut moved = false;
        loop {
            let mut records = kind.nothing();
            for record in self.own(message) {
                if take(record, &mut records) {
                    self.ttl = self.ttl.min(record.ttl);
                }
            }
            if !records.is_empty() {
                return Ok(Some(self.answer(records)));
            }
            let mut own = self.own(message);
            let Some((target, ttl)) = own.find_map(alias) else {
                break;
            };
            self.go_on(target.clone(), ttl)?;
            moved = true;
        }
        // A name that is an alias of one that does not exist does not exist either. RFC 2308 §2.1
        if message.response_code == ResponseCode::NXDomain {
            return Err(DnsError::NoSuchName);
        }
        if moved {
            return Ok(None);
        }
        match message
            .answers
            .iter()
            .find(|record| alias(record).is_some() || take(record, &mut kind.nothing()))
        {
            Some(other) => Err(DnsError::Malformed(format!(
                "it speaks of {} when asked about {}",
                other.name, self.end
            ))),
            None => Ok(Some(self.answer(kind.nothing()))),
        }
    }

    /// An answer without records from the last server, with the way there.
    pub(super) fn with_aliases(self, answer: Answer) -> Answer {
        Answer {
            aliases: self.aliases,
            ..answer
        }
    }

    fn own<'a>(&self, message: &'a Message) -> impl Iterator<Item = &'a Record> + use<'a> {
        let end = self.end.clone();
        message
            .answers
            .iter()
            .filter(move |record| record.name == end)
    }

    // RFC 1034 §3.6.2: chains are followed, loops are errors.
    fn go_on(&mut self, target: Name, ttl: u32) -> Result<(), DnsError> {
        let target_name = name(&target).ok_or_else(|| {
            DnsError::Malformed(format!("an alias of {target}, which is no host"))
        })?;
        if self.aliases.len() >= ALIASES_MAX {
            return Err(DnsError::TooManyAliases);
        }
        self.aliases.push(target_name);
        self.ttl = self.ttl.min(ttl);
        self.end = target;
        Ok(())
    }

    fn answer(&self, records: Records) -> Answer {
        // Nothing of it is known to last, when there is nothing.
        let ttl = if self.ttl == u32::MAX { 0 } else { self.ttl };
        Answer {
            records,
            aliases: self.aliases.clone(),
            ttl: Duration::from_secs(ttl.into()),
        }
    }
}

fn alias(record: &Record) -> Option<(&Name, u32)> {
    match &record.data {
        RData::CNAME(target) => Some((&target.0, record.ttl)),
        _ => None,
    }
}

/// Takes a record when it is of the kind wanted.
fn take(record: &Record, records: &mut Records) -> bool {
    match (&record.data, records) {
        (RData::A(a), Records::A(list)) => list.push(a.0),
        (RData::AAAA(aaaa), Records::Aaaa(list)) => list.push(aaaa.0),
        (RData::MX(mx), Records::Mx(list)) => list.push(MxRecord {
            preference: mx.preference,
            exchange: exchange(&mx.exchange),
        }),
        (RData::TXT(txt), Records::Txt(list)) => list.push(txt.txt_data.concat()),
        (RData::PTR(ptr), Records::Ptr(list)) => list.extend(name(&ptr.0)),
        _ => return false,
    }
    true
}

fn exchange(host: &Name) -> Exchange {
    if host.is_root() {
        return Exchange::Root;
    }
    name(host).map_or_else(|| Exchange::Bad(host.to_ascii()), Exchange::Host)
}

fn name(name: &Name) -> Option<DnsName> {
    DnsName::parse(&name.to_ascii()).ok()
}

/// Aliases followed for one question.
pub(super) const ALIASES_MAX: usize = 8;
