//! Looks at the header section of a message while the message streams by. RFC 5322 §2.2
//!
//! It finds what a server must know (loops, fields to take out, fields that are missing) and
//! leaves the content of fields to others. Memory is bounded whatever comes; time is linear.
//!
//! What counts as header is what Postfix counts: only CRLF ends a line; a line that is neither a
//! field nor a folded continuation begins the body, also without an empty line before it; spaces
//! may stand before the colon (RFC 5322 §4.5.8); an mbox `From ` line may stand first.

mod field;

use std::ops::Range;

use field::{Field, Kind, Name};

/// What the header section of a message says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderFacts {
    /// Octets of the header section with the empty line that ends it. Without an empty line: up to
    /// the first line that is no field, or the whole message.
    pub header_len: u64,
    /// How many `Received` fields there are. RFC 5321 §6.3
    pub received: u32,
    /// The values of the first [`DELIVERED_TO_MAX`] `Delivered-To` fields, unfolded and trimmed. A
    /// value longer than [`KEPT_VALUE_LEN_MAX`] is left out.
    pub delivered_to: Vec<String>,
    /// How many `Delivered-To` fields there are, kept or not.
    pub delivered_to_total: u32,
    /// Where the first [`RETURN_PATH_MAX`] `Return-Path` fields stand, each with its folded lines
    /// and the CRLF at its end: in order, not overlapping, inside of `header_len`.
    pub return_path: Vec<Range<u64>>,
    /// How many `Return-Path` fields there are, kept or not.
    pub return_path_total: u32,
    /// There is a `From` field.
    pub has_from: bool,
    /// There is a `Date` field.
    pub has_date: bool,
    /// The value of the first `Message-ID` field, unfolded and trimmed, cut at
    /// [`KEPT_VALUE_LEN_MAX`] octets.
    pub message_id: Option<String>,
}

/// How many values of `Delivered-To` are kept.
pub const DELIVERED_TO_MAX: usize = 64;
/// How many places of `Return-Path` are kept.
pub const RETURN_PATH_MAX: usize = 16;
/// Octets of a field's value that are kept; more than any mailbox has.
pub const KEPT_VALUE_LEN_MAX: usize = 320;

/// The scan itself: push the octets in pieces of any size, then finish.
#[derive(Clone, Debug)]
pub struct HeaderScan {
    /// Octets taken in so far, while in the header section.
    at: u64,
    line_start: u64,
    place: Place,
    name: Name,
    /// The field that a continuation would belong to.
    field: Option<Field>,
    facts: HeaderFacts,
}

impl HeaderScan {
    /// At the first octet of a message.
    pub fn new() -> Self {
        Self {
            at: 0,
            line_start: 0,
            place: Place::LineStart,
            name: Name::default(),
            field: None,
            facts: HeaderFacts::default(),
        }
    }

    /// Takes in the next octets. Costs nothing once the header section has ended.
    pub fn push(&mut self, mut octets: &[u8]) {
        while self.place != Place::Body
            && let Some(&octet) = octets.first()
        {
            let taken = self.step(octet, octets);
            self.at += u64::try_from(taken).unwrap_or(u64::MAX);
            octets = &octets[taken..];
            if taken > 0 && self.place == Place::LineStart {
                self.line_start = self.at;
            }
            if self.place == Place::EmptyLine {
                self.end_header(self.at);
            }
        }
    }

    /// Whether the header section has ended, so that nothing more is learned.
    pub fn is_done(&self) -> bool {
        self.place == Place::Body
    }

    /// The message ends here.
    pub fn finish(mut self) -> HeaderFacts {
        match self.place {
            Place::Body => {}
            Place::LineStart | Place::Value | Place::ValueCr => {
                self.close_field(self.at);
                self.end_header(self.at);
            }
            Place::Name | Place::NameSpace | Place::LineStartCr | Place::EmptyLine => {
                self.end_header(self.line_start);
            }
        }
        self.facts
    }

    /// Looks at `octet`, the first of `octets`, and says how many of them are done with. None
    /// means: look again from another place.
    fn step(&mut self, octet: u8, octets: &[u8]) -> usize {
        match self.place {
            Place::LineStart => return self.begin_line(octet),
            Place::LineStartCr if octet == b'\n' => self.place = Place::EmptyLine,
            Place::Name | Place::NameSpace if octet == b':' => {
                self.open_field(Kind::of(self.name.kept()));
            }
            Place::Name | Place::NameSpace if matches!(octet, b' ' | b'\t') => {
                self.place = Place::NameSpace;
            }
            Place::Name if octet.is_ascii_graphic() => self.name.push(octet),
            Place::NameSpace if self.line_start == 0 && self.name.is_mbox_from() => {
                self.open_field(Kind::Other);
                return 0;
            }
            Place::LineStartCr | Place::Name | Place::NameSpace => {
                self.end_header(self.line_start);
            }
            Place::Value => return self.take_value(octets),
            Place::ValueCr if octet == b'\n' => self.place = Place::LineStart,
            Place::ValueCr => {
                self.keep(b"\r");
                self.place = Place::Value;
                return 0;
            }
            Place::EmptyLine | Place::Body => {}
        }
        1
    }

    fn begin_line(&mut self, octet: u8) -> usize {
        if matches!(octet, b' ' | b'\t') && self.field.is_some() {
            self.place = Place::Value; // RFC 5322 §2.2.3: folded
            return 0;
        }
        self.close_field(self.line_start);
        self.name = Name::default();
        match octet {
            b'\r' => self.place = Place::LineStartCr,
            b':' => self.end_header(self.line_start), // a field without a name is none
            octet if octet.is_ascii_graphic() => {
                self.name.push(octet);
                self.place = Place::Name;
            }
            _ => self.end_header(self.line_start),
        }
        1
    }

    fn open_field(&mut self, kind: Kind) {
        self.field = Some(Field::new(self.line_start, kind));
        self.place = Place::Value;
    }

    /// Everything up to the next CR belongs to the value.
    fn take_value(&mut self, octets: &[u8]) -> usize {
        let Some(cr) = memchr::memchr(b'\r', octets) else {
            self.keep(octets);
            return octets.len();
        };
        self.keep(&octets[..cr]);
        self.place = Place::ValueCr;
        cr + 1
    }

    fn keep(&mut self, octets: &[u8]) {
        if let Some(field) = &mut self.field {
            field.keep(octets);
        }
    }

    fn close_field(&mut self, end: u64) {
        let Some(field) = self.field.take() else {
            return;
        };
        let facts = &mut self.facts;
        match field.kind {
            Kind::Received => facts.received = facts.received.saturating_add(1),
            Kind::DeliveredTo => {
                facts.delivered_to_total = facts.delivered_to_total.saturating_add(1);
                if facts.delivered_to.len() < DELIVERED_TO_MAX && !field.overlong {
                    facts.delivered_to.push(field.text());
                }
            }
            Kind::ReturnPath => {
                facts.return_path_total = facts.return_path_total.saturating_add(1);
                if facts.return_path.len() < RETURN_PATH_MAX {
                    facts.return_path.push(field.start..end);
                }
            }
            Kind::From => facts.has_from = true,
            Kind::Date => facts.has_date = true,
            Kind::MessageId => {
                facts.message_id.get_or_insert_with(|| field.text());
            }
            Kind::Other => {}
        }
    }

    fn end_header(&mut self, header_len: u64) {
        self.facts.header_len = header_len;
        self.place = Place::Body;
    }
}

impl Default for HeaderScan {
    fn default() -> Self {
        Self::new()
    }
}

/// Where the next octet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    LineStart,
    /// Behind a CR that stands first in its line.
    LineStartCr,
    Name,
    /// Between name and colon.
    NameSpace,
    Value,
    /// Behind a CR in a value.
    ValueCr,
    /// Behind the CRLF of the empty line.
    EmptyLine,
    Body,
}

#[cfg(test)]
mod tests;
