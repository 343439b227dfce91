//! One field in the making: its name, and as much of its value as is worth keeping.

use super::KEPT_VALUE_LEN_MAX;

/// The beginning of a field name in lower case; names that do not fit are none that we look for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Name {
    octets: [u8; NAME_LEN_MAX],
    /// As written, for the one comparison where case counts.
    first: u8,
    len: usize,
}

impl Name {
    pub(super) fn push(&mut self, octet: u8) {
        if self.len == 0 {
            self.first = octet;
        }
        if let Some(place) = self.octets.get_mut(self.len) {
            *place = octet.to_ascii_lowercase();
        }
        self.len = self.len.saturating_add(1);
    }

    /// Empty when the name does not fit.
    pub(super) fn kept(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }

    pub(super) fn is_mbox_from(&self) -> bool {
        (self.kept() == b"from" && self.first == b'F') || self.kept() == b">from"
    }
}

/// The fields that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Received,
    DeliveredTo,
    ReturnPath,
    From,
    Date,
    MessageId,
    Other,
}

impl Kind {
    pub(super) fn of(name: &[u8]) -> Self {
        match name {
            b"received" => Self::Received,
            b"delivered-to" => Self::DeliveredTo,
            b"return-path" => Self::ReturnPath,
            b"from" => Self::From,
            b"date" => Self::Date,
            b"message-id" => Self::MessageId,
            _ => Self::Other,
        }
    }

    const fn has_kept_value(self) -> bool {
        matches!(self, Self::DeliveredTo | Self::MessageId)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    /// Where it begins in the message.
    pub(super) start: u64,
    pub(super) kind: Kind,
    pub(super) value: Vec<u8>,
    /// More than white space did not fit.
    pub(super) overlong: bool,
}

impl Field {
    pub(super) const fn new(start: u64, kind: Kind) -> Self {
        Self {
            start,
            kind,
            value: Vec::new(),
            overlong: false,
        }
    }

    /// Keeps what fits; white space in front is not worth the room.
    pub(super) fn keep(&mut self, octets: &[u8]) {
        if !self.kind.has_kept_value() {
            return;
        }
        let octets = if self.value.is_empty() {
            octets.trim_ascii_start()
        } else {
            octets
        };
        let room = KEPT_VALUE_LEN_MAX - self.value.len();
        let (fits, rest) = octets.split_at(octets.len().min(room));
        self.value.extend_from_slice(fits);
        self.overlong |= !rest.trim_ascii().is_empty();
    }

    /// Fit for logs: control characters are replaced.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(self.value.trim_ascii())
            .chars()
            .map(|c| match c {
                '\t' => ' ',
                c if c.is_control() => char::REPLACEMENT_CHARACTER,
                c => c,
            })
            .collect()
    }
}

/// One more than the longest name in [`Kind::of`].
const NAME_LEN_MAX: usize = 13;
