//! Queue ids: short enough to read out on the telephone, sorted by time.

use std::fmt;

use crate::Timestamp;

/// The name of one item in the queue, and of its story afterwards.
///
/// 42 bits of milliseconds and 21 random bits, written as 13 characters of Crockford's base 32.
/// Ids sort by the time of their making, so rows with neighbouring ids are neighbours on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId(i64);

impl ItemId {
    /// The first id of the millisecond `now`, moved up by the low bits of `random`.
    pub fn generate(now: Timestamp, random: u64) -> Self {
        let millis = now.as_millis().clamp(0, MILLIS_MAX);
        let random = i64::try_from(random & RANDOM_MASK).unwrap_or(0);
        Self((millis << RANDOM_BITS) | random)
    }

    /// From the number that the store keeps; `None` when negative.
    pub fn from_i64(raw: i64) -> Option<Self> {
        (raw >= 0).then_some(Self(raw))
    }

    /// The number that the store keeps.
    pub const fn as_i64(self) -> i64 {
        self.0
    }

    /// The id behind this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1) & i64::MAX)
    }

    /// When it was made.
    pub const fn made_at(self) -> Timestamp {
        Timestamp::from_millis(self.0 >> RANDOM_BITS)
    }

    /// Takes the 13 characters, in either case.
    pub fn parse(text: &str) -> Result<Self, BadId> {
        if text.len() != TEXT_LEN {
            return Err(BadId);
        }
        text.bytes()
            .try_fold(0u128, |value, byte| {
                let byte = byte.to_ascii_uppercase();
                let digit = ALPHABET.iter().position(|a| *a == byte).ok_or(BadId)?;
                Ok((value << 5) | digit as u128)
            })
            .and_then(|value| i64::try_from(value).map(Self).map_err(|_| BadId))
    }

    /// Which shard of the queue it belongs to.
    pub const fn shard(self) -> Shard {
        // A multiplicative hash spreads ids of one millisecond over all shards.
        let mixed = self.0.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Shard(mixed.to_be_bytes()[0])
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit = |n: usize| {
            let [.., low] = (self.0 >> (5 * (TEXT_LEN - 1 - n))).to_be_bytes();
            ALPHABET[usize::from(low & 31)]
        };
        let text: [u8; TEXT_LEN] = std::array::from_fn(digit);
        f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// One of 256 parts of the queue; a node works only on parts that it holds a lease for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(pub u8);

impl Shard {
    /// How many there are.
    pub const COUNT: u16 = 256;
}

/// The text is no queue id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a queue id has 13 letters and digits, as in 01JD5M0F7QK2Z")]
pub struct BadId;

const RANDOM_BITS: u32 = 21;
const RANDOM_MASK: u64 = (1 << RANDOM_BITS) - 1;
const MILLIS_MAX: i64 = (1 << 42) - 1;
const TEXT_LEN: usize = 13;
/// No I, L, O and U: they are misread.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_sort_by_time_and_tell_it() {
        let early = ItemId::generate(Timestamp::from_millis(1_700_000_000_000), u64::MAX);
        let late = ItemId::generate(Timestamp::from_millis(1_700_000_000_001), 0);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(late.made_at().as_millis(), 1_700_000_000_001);
        assert_eq!(early.next(), late);
    }

    #[test]
    fn shards_are_spread() {
        let mut seen = [false; 256];
        for random in 0..4096 {
            let id = ItemId::generate(Timestamp::from_millis(1_700_000_000_000), random);
            seen[usize::from(id.shard().0)] = true;
        }
        assert!(seen.iter().all(|s| *s));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "0",
            "01JD5M0F7QK2ZZ",
            "01JD5M0F7QK2U",
            "ann@example.o",
            "ZZZZZZZZZZZZZ",
        ] {
            assert_eq!(ItemId::parse(text), Err(BadId), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_and_back(raw in 0..=i64::MAX) {
            let id = ItemId::from_i64(raw).unwrap();
            prop_assert_eq!(ItemId::parse(&id.to_string()), Ok(id));
            prop_assert_eq!(ItemId::parse(&id.to_string().to_lowercase()), Ok(id));
        }
    }
}
