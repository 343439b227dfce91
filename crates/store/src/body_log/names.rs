//! How the files of the log are called.

/// The file name of a segment.
pub(crate) fn segment_name(segment: i64) -> String {
    format!("{segment:06}.seg")
}

/// The number of a segment file.
pub(crate) fn segment_number(name: &str) -> Option<i64> {
    name.strip_suffix(".seg")?
        .parse()
        .ok()
        .filter(|n| segment_name(*n) == name)
}

/// What the file of a dead segment is called while it waits to become another.
pub(super) fn spare_name(segment: i64) -> String {
    format!("{SPARE}{segment:06}")
}

/// Whether a file is a spare one.
pub(crate) fn is_spare(name: &str) -> bool {
    name.starts_with(SPARE)
}

const SPARE: &str = "spare-";
