//! Times in writing: for header fields, and for people and programs. Always UTC: a server has no
//! place of its own.

use jiff::tz::TimeZone;
use mailtypes::Timestamp;

/// As header fields want it: `Mon, 23 Nov 2026 21:18:07 +0000`. RFC 5322 §3.3
pub fn rfc5322(at: Timestamp) -> String {
    let civil = TimeZone::UTC.to_datetime(instant(at));
    format!("{} +0000", civil.strftime("%a, %d %b %Y %H:%M:%S"))
}

/// For people, logs and JSON: `2026-11-23T21:18:07.042Z`. RFC 3339 §5.6
///
/// Always with milliseconds, so that texts sort like the times they tell.
pub fn rfc3339(at: Timestamp) -> String {
    format!("{:.3}", instant(at))
}

/// Times outside of the years 1 to 9999 have no written form: the nearest that has one stands in.
fn instant(at: Timestamp) -> jiff::Timestamp {
    let millis = at.as_millis().clamp(YEAR_1_MILLIS, YEAR_9999_MILLIS);
    jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// 0001-01-01T00:00:00Z
const YEAR_1_MILLIS: i64 = -62_135_596_800_000;
/// 9999-12-30T22:00:00Z, where jiff ends.
const YEAR_9999_MILLIS: i64 = 253_402_207_200_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(millis: i64, mail: &str, people: &str) {
        let at = Timestamp::from_millis(millis);
        assert_eq!(rfc5322(at), mail);
        assert_eq!(rfc3339(at), people);
    }

    #[test]
    fn times_are_written_in_utc() {
        check(
            1_795_468_687_042,
            "Mon, 23 Nov 2026 21:18:07 +0000",
            "2026-11-23T21:18:07.042Z",
        );
        check(
            0,
            "Thu, 01 Jan 1970 00:00:00 +0000",
            "1970-01-01T00:00:00.000Z",
        );
        check(
            -1,
            "Wed, 31 Dec 1969 23:59:59 +0000",
            "1969-12-31T23:59:59.999Z",
        );
    }

    #[test]
    fn times_beyond_the_calendar_are_still_written() {
        check(
            i64::MAX,
            "Thu, 30 Dec 9999 22:00:00 +0000",
            "9999-12-30T22:00:00.000Z",
        );
        check(
            i64::MIN,
            "Mon, 01 Jan 0001 00:00:00 +0000",
            "0001-01-01T00:00:00.000Z",
        );
    }
}
