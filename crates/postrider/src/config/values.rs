//! Values with units: `50 MiB`, `5m`.

use std::time::Duration;

/// Octets: a number with B, KB, KiB, MB, MiB, GB or GiB behind.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "b" => 1,
        "kb" => 1000,
        "kib" => 1024,
        "mb" => 1_000_000,
        "mib" => 1024 * 1024,
        "gb" => 1_000_000_000,
        "gib" => 1024 * 1024 * 1024,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// A time span: a number with s, m, h or d behind.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let secs = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return None,
    };
    number.checked_mul(secs).map(Duration::from_secs)
}

/// A time span as the file would have it.
pub(crate) fn write_duration(span: Duration) -> String {
    let secs = span.as_secs();
    match secs {
        _ if secs.is_multiple_of(3600) => format!("{}h", secs / 3600),
        _ if secs.is_multiple_of(60) => format!("{}m", secs / 60),
        _ => format!("{secs}s"),
    }
}

/// Octets as the file would have it.
pub(crate) fn write_size(octets: u64) -> String {
    for (unit, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if octets.is_multiple_of(factor) {
            return format!("{} {unit}", octets / factor);
        }
    }
    format!("{octets} B")
}

fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_units() {
        for (text, octets) in [
            ("50 MiB", Some(52_428_800)),
            ("50MB", Some(50_000_000)),
            ("1 gib", Some(1 << 30)),
            ("0 B", Some(0)),
            ("50", None),
            ("MiB", None),
            ("-1 MiB", None),
            ("1.5 MiB", None),
            ("99999999999999999999 B", None),
            ("18446744073709551615 KB", None),
        ] {
            assert_eq!(size(text), octets, "{text}");
        }
        for (text, secs) in [
            ("5m", Some(300)),
            ("90 s", Some(90)),
            ("4h", Some(14_400)),
            ("5d", Some(432_000)),
            ("1000 d", Some(86_400_000)),
            ("213503982334602d", None),
            ("5", None),
            ("5 weeks", None),
            ("m", None),
        ] {
            assert_eq!(duration(text), secs.map(Duration::from_secs), "{text}");
        }
        assert_eq!(write_size(52_428_800), "50 MiB");
        assert_eq!(write_duration(Duration::from_mins(5)), "5m");
    }
}
