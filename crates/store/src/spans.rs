//! A message as an ordered list of spans: added text and ranges of bodies.
//!
//! Headers that we add or remove make a new list; octets are never rewritten.

use std::ops::Range;

/// One piece of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    /// Text that we added, kept with the list.
    Text(Vec<u8>),
    /// Octets of a body in the log.
    Body {
        /// The body.
        id: i64,
        /// Which of its octets.
        range: Range<u64>,
    },
}

/// The pieces of a message, first to last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans(Vec<Span>);

impl Spans {
    /// Added text in front of a whole body.
    pub fn of_body(added: &str, id: i64, length: u64) -> Self {
        Self(vec![
            Span::Text(added.as_bytes().to_vec()),
            Span::Body {
                id,
                range: 0..length,
            },
        ])
    }

    /// The pieces.
    pub fn iter(&self) -> impl Iterator<Item = &Span> {
        self.0.iter()
    }

    /// How many octets the message has.
    pub fn size(&self) -> u64 {
        self.0.iter().map(Span::len).sum()
    }

    /// The bodies it refers to, each once.
    pub fn bodies(&self) -> Vec<i64> {
        let mut ids: Vec<i64> = self.0.iter().filter_map(Span::body).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// A new list with `text` in front.
    #[must_use]
    pub fn with_front(&self, text: &str) -> Self {
        let mut spans = vec![Span::Text(text.as_bytes().to_vec())];
        spans.extend(self.0.iter().cloned());
        Self(spans)
    }

    /// A new list in which `cuts` of the body `id` are left out. `cuts` are ordered and disjoint.
    #[must_use]
    pub fn without(&self, id: i64, cuts: &[Range<u64>]) -> Self {
        let mut spans = Vec::with_capacity(self.0.len() + cuts.len());
        for span in &self.0 {
            match span {
                Span::Body { id: of, range } if *of == id => {
                    let before = spans.len();
                    spans.extend(remaining(range, cuts).map(|range| Span::Body { id, range }));
                    if spans.len() == before {
                        // Whoever held the body still holds it, with nothing of it to show.
                        spans.push(Span::Body {
                            id,
                            range: range.start..range.start,
                        });
                    }
                }
                other => spans.push(other.clone()),
            }
        }
        Self(spans)
    }

    /// The form that rows keep: a version octet, then each piece with its tag and numbers.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![FORM];
        for span in &self.0 {
            match span {
                Span::Text(text) => {
                    out.push(TEXT);
                    out.extend((text.len() as u64).to_le_bytes());
                    out.extend(text);
                }
                Span::Body { id, range } => {
                    out.push(BODY);
                    out.extend(id.to_le_bytes());
                    out.extend(range.start.to_le_bytes());
                    out.extend(range.end.to_le_bytes());
                }
            }
        }
        out
    }

    /// Reads the form that rows keep; `None` when it is damaged.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[FORM])?;
        let mut spans = Vec::new();
        while let Some((tag, tail)) = rest.split_first() {
            rest = tail;
            spans.push(match *tag {
                TEXT => {
                    let len = usize::try_from(u64::from_le_bytes(take(&mut rest)?)).ok()?;
                    let (text, tail) = rest.split_at_checked(len)?;
                    rest = tail;
                    Span::Text(text.to_vec())
                }
                BODY => {
                    let id = i64::from_le_bytes(take(&mut rest)?);
                    let start = u64::from_le_bytes(take(&mut rest)?);
                    let end = u64::from_le_bytes(take(&mut rest)?);
                    (start <= end).then_some(Span::Body {
                        id,
                        range: start..end,
                    })?
                }
                _ => return None,
            });
        }
        Some(Self(spans))
    }
}

impl Span {
    fn len(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Body { range, .. } => range.end - range.start,
        }
    }

    fn body(&self) -> Option<i64> {
        match self {
            Self::Text(_) => None,
            Self::Body { id, .. } => Some(*id),
        }
    }
}

fn take(rest: &mut &[u8]) -> Option<[u8; 8]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

/// What is left of `range` when `cuts` are taken out.
fn remaining<'a>(
    range: &Range<u64>,
    cuts: &'a [Range<u64>],
) -> impl Iterator<Item = Range<u64>> + 'a {
    let end = range.end;
    let mut from = range.start;
    let gaps = cuts
        .iter()
        .map(|cut| (cut.start, cut.end))
        .chain([(end, end)]);
    gaps.filter_map(move |(cut_start, cut_end)| {
        let keep = from..cut_start.clamp(from, end);
        from = cut_end.clamp(from, end);
        (keep.start < keep.end).then_some(keep)
    })
}

const FORM: u8 = 1;
const TEXT: u8 = 0;
const BODY: u8 = 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranges(spans: &Spans) -> Vec<Range<u64>> {
        spans
            .iter()
            .filter_map(|span| match span {
                Span::Body { range, .. } => Some(range.clone()),
                Span::Text(_) => None,
            })
            .collect()
    }

    #[test]
    #[expect(
        clippy::single_range_in_vec_init,
        reason = "lists of ranges are what is meant"
    )]
    fn cuts_leave_the_rest() {
        let spans = Spans::of_body("Added: x\r\n", 7, 100);
        for (cuts, left) in [
            (vec![], vec![0..100]),
            (vec![0..10], vec![10..100]),
            (vec![10..20, 30..40], vec![0..10, 20..30, 40..100]),
            (vec![90..100], vec![0..90]),
            (vec![90..200], vec![0..90]),
            (vec![0..100], vec![0..0]),
        ] {
            assert_eq!(ranges(&spans.without(7, &cuts)), left, "{cuts:?}");
        }
        assert_eq!(ranges(&spans.without(8, &[0..10])), vec![0..100]);
    }

    #[test]
    fn size_and_bodies_are_counted() {
        let spans = Spans::of_body("ab", 7, 100)
            .with_front("c")
            .without(7, &[1..2, 3..4]);
        assert_eq!(spans.size(), 101);
        assert_eq!(spans.bodies(), vec![7]);
    }

    #[test]
    fn damaged_forms_are_refused() {
        let good = Spans::of_body("ab", 7, 100).encode();
        assert!(Spans::decode(&good).is_some());
        assert_eq!(Spans::decode(&[]), None);
        assert_eq!(Spans::decode(&[2]), None);
        assert_eq!(Spans::decode(&good[..good.len() - 1]), None);
        assert_eq!(Spans::decode(&[FORM, 9]), None);
        assert_eq!(
            Spans::decode(&[FORM, TEXT, 255, 255, 255, 255, 255, 255, 255, 255]),
            None
        );
    }

    fn span() -> impl Strategy<Value = Span> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..50).prop_map(Span::Text),
            (any::<i64>(), 0..u64::MAX / 2, 0..u64::MAX / 4).prop_map(|(id, start, len)| {
                Span::Body {
                    id,
                    range: start..start + len,
                }
            }),
        ]
    }

    proptest! {
        #[test]
        fn written_and_read_again(spans in proptest::collection::vec(span(), 0..8)) {
            let spans = Spans(spans);
            prop_assert_eq!(Spans::decode(&spans.encode()), Some(spans));
        }

        #[test]
        fn no_octets_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Spans::decode(&bytes);
        }
    }
}
