//! Whether the files of the body log are as long as their commits say.

use rusqlite::Connection;

use crate::body_log::BodyReader;
use crate::report::Problem;

/// Segments that bodies lie in, with the end that the last commit names.
pub(crate) fn used(db: &Connection) -> rusqlite::Result<Vec<(i64, u64)>> {
    db.prepare_cached(
        "SELECT id, end FROM segment WHERE EXISTS (SELECT 1 FROM body WHERE segment = segment.id)",
    )?
    .query_map([], |row| {
        let end: i64 = row.get(1)?;
        Ok((row.get(0)?, u64::try_from(end).unwrap_or(0)))
    })?
    .collect()
}

/// What is wrong with the file of a segment that has been found in the database. Reads nothing of it.
pub(crate) fn problem(
    db: &Connection,
    bodies: &BodyReader,
    (segment, end): (i64, u64),
) -> rusqlite::Result<Option<Problem>> {
    let what = match bodies.length_of(segment) {
        Ok(length) if length >= end => return Ok(None),
        Ok(length) => format!("has {length} octets of {end}"),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => "is missing".to_owned(),
        // A shortage is not damage; `check --data` tells what cannot be read.
        Err(_) => return Ok(None),
    };
    let bodies: i64 = db
        .prepare_cached("SELECT count(*) FROM body WHERE segment = ?")?
        .query_row([segment], |row| row.get(0))?;
    let text = format!(
        "segment {segment:06} of the body log {what}; {bodies} bodies lie in it, and \
         `postrider check --data` names those that are lost"
    );
    // Compaction may have emptied it meanwhile.
    Ok((bodies > 0).then_some(Problem { item: None, text }))
}
