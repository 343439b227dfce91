//! The folder: names, and what a power cut leaves of them.

use std::io;
use std::sync::Arc;

use rand::RngExt;
use rand::rngs::SmallRng;

use super::Files;
use super::file::MemoryFile;

/// Names as they are, and as a power cut leaves them.
#[derive(Default)]
pub(super) struct Names {
    pub(super) now: Files,
    pub(super) durable: Files,
    /// What was changed since the last sync, in order.
    pub(super) pending: Vec<Change>,
}

/// A change of names.
#[derive(Clone)]
pub(super) enum Change {
    Made(String, Arc<MemoryFile>),
    Renamed(String, String, Arc<MemoryFile>),
    Removed(String),
}

impl Change {
    /// The same of a copied disk.
    pub(super) fn map(&self, mut file: impl FnMut(&Arc<MemoryFile>) -> Arc<MemoryFile>) -> Self {
        match self {
            Self::Made(name, made) => Self::Made(name.clone(), file(made)),
            Self::Renamed(from, to, renamed) => {
                Self::Renamed(from.clone(), to.clone(), file(renamed))
            }
            Self::Removed(name) => Self::Removed(name.clone()),
        }
    }

    /// Makes it in a folder. A name may have gone that another change was about.
    pub(super) fn make(&self, files: &mut Files) {
        match self {
            Self::Made(name, file) => {
                files.insert(name.clone(), Arc::clone(file));
            }
            Self::Renamed(from, to, file) => {
                files.remove(from);
                files.insert(to.clone(), Arc::clone(file));
            }
            Self::Removed(name) => {
                files.remove(name);
            }
        }
    }
}

impl Names {
    pub(super) fn create(&mut self, name: &str, file: &Arc<MemoryFile>) -> io::Result<()> {
        if self.now.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.change(Change::Made(name.to_owned(), Arc::clone(file)));
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let file = self.now.get(from).cloned().ok_or(io::ErrorKind::NotFound)?;
        self.change(Change::Renamed(from.to_owned(), to.to_owned(), file));
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> io::Result<()> {
        if !self.now.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.change(Change::Removed(name.to_owned()));
        Ok(())
    }

    /// A file that is there, durably.
    pub(super) fn put(&mut self, name: &str, file: Arc<MemoryFile>) {
        self.durable.insert(name.to_owned(), Arc::clone(&file));
        self.now.insert(name.to_owned(), file);
    }

    fn change(&mut self, change: Change) {
        change.make(&mut self.now);
        self.pending.push(change);
    }

    /// All changes are durable.
    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.make(&mut self.durable);
        }
    }

    /// A sync has failed: some changes are durable, and nobody writes the others any more.
    pub(super) fn fail_sync(&mut self, rng: &mut SmallRng) {
        for change in self.pending.drain(..) {
            if rng.random() {
                change.make(&mut self.durable);
            }
        }
    }
}
