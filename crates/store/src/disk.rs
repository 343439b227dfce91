//! The narrow trait through which the body log reaches files, and the real disk behind it.
//!
//! A simulated disk can stand in for it: one that loses what was not synced, fills up or fails.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::limits::{DISK_RESERVE, DISK_RESERVE_MIN, WAL_CHECKPOINT, WAL_LEN_MAX};

/// A folder of files. Names are plain file names, without a path.
pub trait Disk: Send + Sync {
    /// Makes a new file; fails when the name is taken.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Gives a file another name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file; what is open stays readable.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// The names of all files that are text.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Forces names to disk: a new file is durable only when its folder is.
    fn sync_folder(&self) -> io::Result<()>;
    /// How much room there is.
    fn space(&self) -> io::Result<Space>;
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Writes all octets at an offset.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Fills the buffer from an offset.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    /// Forces octets to disk.
    fn sync_data(&self) -> io::Result<()>;
    /// Its length in octets.
    fn length(&self) -> io::Result<u64>;
    /// Takes room, so that the file is at least so long; behind what was written it reads as zeros.
    fn reserve(&self, len: u64) -> io::Result<()>;
    /// Cuts it to a length.
    fn cut(&self, len: u64) -> io::Result<()>;
}

/// Room on a disk, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// What we may still write.
    pub free: u64,
    /// What there is in all.
    pub total: u64,
}

impl Space {
    /// What new mail may use: below the reserve, nothing.
    pub fn for_new_mail(self) -> u64 {
        let reserve = (self.total / 20).clamp(DISK_RESERVE_MIN, DISK_RESERVE);
        self.free.saturating_sub(reserve)
    }

    /// How long the WAL of the database may become: what it holds has to find room in the database too.
    pub(crate) fn for_wal(self) -> u64 {
        (self.free / 4).clamp(WAL_CHECKPOINT, WAL_LEN_MAX)
    }
}

/// A folder of a real file system.
pub struct RealDisk {
    path: PathBuf,
}

impl RealDisk {
    /// The folder at `path`, made with mode 0700 when it is missing.
    pub fn open(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        match std::fs::DirBuilder::new().mode(0o700).create(path) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
            _ => Ok(Self {
                path: path.to_owned(),
            }),
        }
    }
}

impl Disk for RealDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        Ok(Arc::new(options.open(self.path.join(name))?))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(self.path.join(name))?,
        ))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let names = std::fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name()));
        // What is no text is no name of ours.
        names
            .filter_map(|name| name.map(|name| name.into_string().ok()).transpose())
            .collect()
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn space(&self) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(&self.path)?;
        Ok(Space {
            free: stat.f_bavail * stat.f_frsize,
            total: stat.f_blocks * stat.f_frsize,
        })
    }
}

impl DiskFile for File {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        Self::sync_data(self)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        let all = rustix::fs::FallocateFlags::empty();
        Ok(rustix::fs::fallocate(self, all, 0, len)?)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }
}

pub mod double;
