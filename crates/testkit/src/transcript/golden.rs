//! The transcripts of the project, which every run goes through.

use std::io;
use std::path::Path;

use super::{Line, parse};

/// One file of the folder `transcripts`.
pub struct Golden {
    /// Its name, for messages.
    pub name: String,
    /// What it says.
    pub lines: Vec<Line>,
}

/// Reads all of them, in the order of their names.
///
/// A file that is no transcript is an error: one with a slip in its name would never be run.
pub fn golden() -> io::Result<Vec<Golden>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let bad = |why: String| io::Error::other(format!("{name}: {why}"));
        if path.extension().is_none_or(|extension| extension != "smtp") {
            return Err(bad("its name does not end in .smtp".to_owned()));
        }
        let text = std::fs::read_to_string(&path)?;
        let lines = parse(&text).map_err(|error| bad(error.to_string()))?;
        let name = name.into_owned();
        all.push(Golden { name, lines });
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}
