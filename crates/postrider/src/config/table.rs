//! Takes typed values out of a parsed table and complains about the others.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::complaint::Complaint;
use super::values::{duration, size, write_duration, write_size};

/// A key with its value, on the way to a typed one.
pub(super) struct Entry<'a> {
    /// The key.
    pub(super) key: &'a str,
    /// Its value and place.
    pub(super) value: &'a Spanned<DeValue<'a>>,
    /// An example of a right value, as the file would have it.
    pub(super) example: &'static str,
    /// The keys that there are where it stands.
    pub(super) known: &'a [&'a str],
}

impl<'a> Entry<'a> {
    /// The text of a string.
    pub(super) fn text(&self, found: &mut Vec<Complaint>) -> Option<&'a str> {
        let text = self.value.get_ref().as_str();
        if text.is_none() {
            found.push(self.wrong_type("text in quotes"));
        }
        text
    }

    /// What `parse` makes of the text of a string.
    pub(super) fn parsed<T, E: ToString>(
        &self,
        parse: impl Fn(&str) -> Result<T, E>,
        found: &mut Vec<Complaint>,
    ) -> Option<T> {
        let text = self.text(found)?;
        parse(text)
            .map_err(|why| found.push(self.complain(why.to_string())))
            .ok()
    }

    /// The values of a list that is not empty.
    pub(super) fn entries(&self, found: &mut Vec<Complaint>) -> Option<Vec<Entry<'a>>> {
        let Some(values) = self.value.get_ref().as_array() else {
            found.push(self.wrong_type("a list in [brackets]"));
            return None;
        };
        if values.is_empty() {
            found.push(self.complain("this list must not be empty".to_owned()));
            return None;
        }
        let entry = |value| Entry { value, ..*self };
        Some(values.iter().map(entry).collect())
    }

    /// A whole number within bounds.
    pub(super) fn number<T: TryFrom<i64>>(
        &self,
        range: &RangeInclusive<i64>,
        found: &mut Vec<Complaint>,
    ) -> Option<T> {
        let Some(number) = self.value.get_ref().as_integer() else {
            found.push(self.wrong_type("a whole number without quotes"));
            return None;
        };
        let number = i64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .filter(|number| range.contains(number))
            .and_then(|number| T::try_from(number).ok());
        if number.is_none() {
            found.push(self.out_of(range.start(), range.end()));
        }
        number
    }

    /// A size with its unit, within bounds.
    pub(super) fn size(
        &self,
        range: &RangeInclusive<u64>,
        found: &mut Vec<Complaint>,
    ) -> Option<u64> {
        let octets = self.parsed(
            |text| size(text).ok_or("this is no size: a number and B, KiB, MiB or GiB"),
            found,
        )?;
        if range.contains(&octets) {
            return Some(octets);
        }
        found.push(self.out_of(&write_size(*range.start()), &write_size(*range.end())));
        None
    }

    /// A time span with its unit, within bounds.
    pub(super) fn duration(
        &self,
        range: &RangeInclusive<Duration>,
        found: &mut Vec<Complaint>,
    ) -> Option<Duration> {
        let span = self.parsed(
            |text| duration(text).ok_or("this is no time span: a number and s, m, h or d"),
            found,
        )?;
        if range.contains(&span) {
            return Some(span);
        }
        found.push(self.out_of(
            &write_duration(*range.start()),
            &write_duration(*range.end()),
        ));
        None
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &self,
        words: &[(&str, T)],
        found: &mut Vec<Complaint>,
    ) -> Option<T> {
        let text = self.text(found)?;
        let known = words.iter().find(|(word, _)| *word == text);
        if known.is_none() {
            let quoted: Vec<_> = words
                .iter()
                .map(|(word, _)| format!("\"{word}\""))
                .collect();
            found.push(self.complain(format!("this is none of {}", quoted.join(", "))));
        }
        known.map(|(_, value)| *value)
    }

    /// A complaint about the value.
    pub(super) fn complain(&self, label: String) -> Complaint {
        Complaint {
            span: self.value.span(),
            title: format!("`{}` has a wrong value", self.key),
            label,
            help: format!("a right one: {}", self.example),
        }
    }

    fn wrong_type(&self, wanted: &str) -> Complaint {
        let is = self.value.get_ref().type_str();
        self.complain(format!("this is of type {is}, wanted is {wanted}"))
    }

    fn out_of(&self, low: &impl ToString, high: &impl ToString) -> Complaint {
        let (low, high) = (low.to_string(), high.to_string());
        self.complain(format!("this is not between {low} and {high}"))
    }
}

/// A key that nobody knows; the nearest known one is offered.
pub(super) fn unknown_key(key: &str, span: Range<usize>, known: &[&'static str]) -> Complaint {
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(key, name), *name))
        .filter(|(distance, name)| *distance <= name.len().div_ceil(3))
        .min();
    let help = match nearest {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None => format!("known keys: {}", known.join(", ")),
    };
    Complaint {
        span,
        title: format!("unknown key `{key}`"),
        label: "there is no such key".to_owned(),
        help,
    }
}
