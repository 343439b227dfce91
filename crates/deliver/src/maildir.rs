//! Delivery into a Maildir: written aside, forced to disk, and only then shown to readers.
//!
//! Lines end in LF there, as readers of a Maildir expect. A delivery that is repeated finds its
//! file and does nothing, unless a reader has moved it away meanwhile.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use mailtypes::{Domain, EnhancedCode};
use store::{Due, MessageReader, ReadError};
use tokio::sync::{mpsc, oneshot};

/// Why a message is not in the Maildir. All of it is ours: 4yz.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MaildirError {
    /// No room.
    #[error("no room for the Maildir {path}: {error}", path = .path.display())]
    Full { path: PathBuf, error: io::Error },
    /// It cannot be written.
    #[error("cannot write the Maildir {path}: {error}", path = .path.display())]
    Write { path: PathBuf, error: io::Error },
    /// The message cannot be read.
    #[error("the message cannot be read: {0}")]
    Read(#[from] ReadError),
    /// The thread that wrote has ended.
    #[error("the writing was broken off")]
    BrokenOff,
}

impl MaildirError {
    /// RFC 3463 §3.3, §3.4
    pub(crate) fn code(&self) -> EnhancedCode {
        match self {
            Self::Full { .. } => EnhancedCode::new(4, 3, 1),
            Self::Write { .. } | Self::Read(_) | Self::BrokenOff => EnhancedCode::new(4, 3, 0),
        }
    }
}

/// The name of a file: the same for each try at the same recipient of the same item.
pub(crate) fn file_name(due: &Due, hostname: &Domain) -> String {
    format!(
        "{}.Q{}R{}.{}",
        due.accepted.as_secs(),
        due.item,
        due.recipient,
        hostname.as_str()
    )
}

/// A file to write.
pub(crate) struct Parcel {
    pub(crate) maildir: PathBuf,
    /// See [`file_name`].
    pub(crate) name: String,
    /// What goes in front of the message.
    pub(crate) added: String,
    /// An earlier try may have brought it there already.
    pub(crate) repeated: bool,
}

/// Writes a message. The thread that does so holds `pass` until it has ended, also when nobody
/// waits for it any more.
pub(crate) async fn deliver<P: Send + 'static>(
    parcel: Parcel,
    mut reader: MessageReader,
    pass: P,
) -> Result<(), MaildirError> {
    let (pieces, queue) = mpsc::channel(PIECES_MAX);
    let (ended, writing) = oneshot::channel();
    let added = parcel.added.clone().into_bytes();
    let work = move || {
        let written = write(&parcel, queue).map_err(|error| sorted(parcel.maildir, error));
        // Before anybody hears of it: then the next one may begin.
        drop(pass);
        let _ = ended.send(written);
    };
    // A thread of its own: one that hangs in a file system keeps nobody else from ending.
    let thread = std::thread::Builder::new().name("maildir".to_owned());
    thread.spawn(work).map_err(|_| MaildirError::BrokenOff)?;
    let mut unread = None;
    let _ = pieces.send(Some(added)).await;
    loop {
        match reader.next().await {
            // A writer that does not listen any more says why below.
            Ok(Some(piece)) => {
                if pieces.send(Some(piece)).await.is_err() {
                    break;
                }
            }
            Ok(None) => {
                let _ = pieces.send(None).await;
                break;
            }
            Err(error) => {
                unread = Some(error);
                break;
            }
        }
    }
    drop(pieces);
    let written = writing.await.map_err(|_| MaildirError::BrokenOff)?;
    match unread {
        Some(error) => Err(error.into()),
        None => written,
    }
}

/// Writes what comes; `None` is the end of the message, and without it nothing is shown.
fn write(parcel: &Parcel, mut pieces: mpsc::Receiver<Option<Vec<u8>>>) -> io::Result<()> {
    let (maildir, name) = (&*parcel.maildir, &*parcel.name);
    make(maildir)?;
    // Not for nothing: `cur` may be large.
    if parcel.repeated && lies_there(maildir, name)? {
        return Ok(());
    }
    let aside = maildir.join("tmp").join(name);
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&aside)?;
    let written = fill(&mut file, &mut pieces);
    match written {
        Ok(true) => {}
        Ok(false) => {
            fs::remove_file(&aside)?;
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Err(error) => {
            // It is the first error that counts.
            let _ = fs::remove_file(&aside);
            return Err(error);
        }
    }
    let new = maildir.join("new");
    fs::rename(&aside, new.join(name))?;
    // A rename is durable only when its folder is.
    File::open(&new)?.sync_all()
}

/// True when the message came to its end.
fn fill(file: &mut File, pieces: &mut mpsc::Receiver<Option<Vec<u8>>>) -> io::Result<bool> {
    let mut cr = false;
    while let Some(piece) = pieces.blocking_recv() {
        let Some(piece) = piece else {
            if cr {
                file.write_all(b"\r")?;
            }
            file.sync_all()?;
            return Ok(true);
        };
        let mut out = Vec::with_capacity(piece.len() + 1);
        for octet in piece {
            if cr && octet != b'\n' {
                out.push(b'\r');
            }
            cr = octet == b'\r';
            if !cr {
                out.push(octet);
            }
        }
        file.write_all(&out)?;
    }
    Ok(false)
}

/// The folders, made durable when they are new.
fn make(maildir: &Path) -> io::Result<()> {
    for folder in ["", "tmp", "new", "cur"] {
        let path = maildir.join(folder);
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            made => made?,
        }
        if let Some(parent) = path.parent() {
            File::open(parent)?.sync_all()?;
        }
    }
    Ok(())
}

/// Whether an earlier try has brought it there; a reader adds flags behind the name.
fn lies_there(maildir: &Path, name: &str) -> io::Result<bool> {
    if maildir.join("new").join(name).try_exists()? {
        return Ok(true);
    }
    for entry in fs::read_dir(maildir.join("cur"))? {
        let entry = entry?.file_name();
        let flags = entry.to_str().and_then(|entry| entry.strip_prefix(name));
        if flags.is_some_and(|flags| flags.is_empty() || flags.starts_with(':')) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn sorted(path: PathBuf, error: io::Error) -> MaildirError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => MaildirError::Full { path, error },
        _ => MaildirError::Write { path, error },
    }
}

/// Pieces that wait to be written.
const PIECES_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn written(maildir: &Path, name: &str, pieces: &[Option<&str>]) -> io::Result<()> {
        let parcel = Parcel {
            maildir: maildir.to_owned(),
            name: name.to_owned(),
            added: String::new(),
            repeated: true,
        };
        let (sender, queue) = mpsc::channel(10);
        for piece in pieces {
            sender
                .try_send(piece.map(|text| text.as_bytes().to_vec()))
                .unwrap();
        }
        drop(sender);
        write(&parcel, queue)
    }

    fn files(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_message_lies_there_once() {
        let folder = tempfile::tempdir().unwrap();
        let maildir = folder.path().join("ann");
        let pieces = [Some("a\r"), Some("\nb\r\n"), Some(".\r\n"), None];
        written(&maildir, "1.Q2R0.mx", &pieces).unwrap();
        written(&maildir, "1.Q2R0.mx", &pieces).unwrap();
        assert_eq!(files(&maildir.join("new")), ["1.Q2R0.mx"]);
        assert!(files(&maildir.join("tmp")).is_empty());
        let text = fs::read_to_string(maildir.join("new/1.Q2R0.mx")).unwrap();
        assert_eq!(text, "a\nb\n.\n");
        // A reader has seen it.
        fs::rename(
            maildir.join("new/1.Q2R0.mx"),
            maildir.join("cur/1.Q2R0.mx:2,S"),
        )
        .unwrap();
        written(&maildir, "1.Q2R0.mx", &pieces).unwrap();
        assert!(files(&maildir.join("new")).is_empty());
    }

    #[test]
    fn half_a_message_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let maildir = folder.path().join("ann");
        written(&maildir, "x", &[Some("a\r\n")]).unwrap_err();
        assert!(files(&maildir.join("new")).is_empty());
        assert!(files(&maildir.join("tmp")).is_empty());
        // What a crash has left aside is in nobody's way.
        fs::write(maildir.join("tmp/x"), "old").unwrap();
        written(&maildir, "x", &[Some("new\r\n"), None]).unwrap();
        let text = fs::read_to_string(maildir.join("new/x")).unwrap();
        assert_eq!(text, "new\n");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        written(&file, "x", &[Some("a\r\n"), None]).unwrap_err();
        written(&folder.path().join("no/such"), "x", &[None]).unwrap_err();
    }
}
