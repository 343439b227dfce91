//! Where a Maildir may lie.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What is wrong with a Maildir at `folder`, when the data of the server are in `data`. The Maildir
/// itself need not be there: it is made by delivery. What this user may not look at is not judged.
pub(super) fn fault(folder: &str, data: &Path) -> Option<String> {
    let path = Path::new(folder);
    if !path.is_absolute() {
        return Some(format!(
            "the Maildir `{folder}` must be a whole path, beginning with /"
        ));
    }
    let within = path.parent().and_then(fault_of_parent);
    if within.is_some() {
        return within;
    }
    if std::fs::metadata(path).is_ok_and(|found| !found.is_dir()) {
        return Some(format!("{folder} is no folder: a Maildir is one"));
    }
    let (place, data) = (real(path), real(data));
    if place.starts_with(&data) {
        let text = "is in the data folder of the server, which is for Postrider alone: name one \
                    outside of it";
        return Some(format!("the Maildir {folder} {text}"));
    }
    if data.starts_with(&place) {
        let text = "has the data folder of the server in it: name one beside that";
        return Some(format!("the Maildir {folder} {text}"));
    }
    None
}

fn fault_of_parent(parent: &Path) -> Option<String> {
    let name = parent.display();
    match std::fs::metadata(parent) {
        Ok(found) if found.is_dir() => None,
        Err(error) if error.kind() == ErrorKind::NotFound => Some(format!(
            "the folder {name}, in which the Maildir is to lie, does not exist: make it first, for \
             the user that the server runs as"
        )),
        Err(error) if error.kind() != ErrorKind::NotADirectory => None,
        _ => Some(format!(
            "{name}, in which the Maildir is to lie, is no folder"
        )),
    }
}

/// The path without links and dots, as far as it is there.
fn real(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if !parent.as_os_str().is_empty() => real(parent).join(name),
        _ => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_maildir_lies_beside_the_data_in_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        std::fs::create_dir_all(top.join("data/bodies")).unwrap();
        std::fs::create_dir(top.join("home")).unwrap();
        std::fs::write(top.join("file"), "").unwrap();
        symlink(top.join("data"), top.join("link")).unwrap();
        let top = top.display();
        for (maildir, words) in [
            (format!("{top}/home"), None),
            (format!("{top}/home/new"), None),
            (format!("{top}/database"), None),
            (format!("{top}/data"), Some("in the data folder")),
            (format!("{top}/data/"), Some("in the data folder")),
            (format!("{top}/data/bodies"), Some("in the data folder")),
            (format!("{top}/data/new"), Some("in the data folder")),
            (
                format!("{top}/home/../data/new"),
                Some("in the data folder"),
            ),
            (format!("{top}/link/new"), Some("in the data folder")),
            (format!("{top}"), Some("has the data folder")),
            (format!("{top}/data/.."), Some("has the data folder")),
            ("/".to_owned(), Some("has the data folder")),
            ("Maildir".to_owned(), Some("whole path")),
            (String::new(), Some("whole path")),
            (
                format!("{top}/none/ann"),
                Some("none, in which the Maildir is to lie, does not exist"),
            ),
            (
                format!("{top}/file/ann"),
                Some("file, in which the Maildir is to lie, is no folder"),
            ),
            (format!("{top}/file"), Some("file is no folder")),
            ("/dev/null/x".to_owned(), Some("/dev/null, in which")),
            ("/dev/null/x/y".to_owned(), Some("/dev/null/x, in which")),
        ] {
            let said = fault(&maildir, &folder.path().join("data"));
            match words {
                None => assert_eq!(said, None, "{maildir}"),
                Some(words) => {
                    let said = said.unwrap_or_else(|| panic!("{maildir} may be"));
                    assert!(said.contains(words), "{maildir}: {said}");
                }
            }
        }
    }
}
