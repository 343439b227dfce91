//! What a serving process takes from itself before it reads a first octet of anybody's mail.
//!
//! It must run while the process has one thread: what it sets holds for this thread and for those
//! that it starts. A kernel that knows less of it gets less of it; the log says what is in force.
//! ADR 12 says why it is done here as well as in the unit of systemd.

use std::fs::File;
use std::path::Path;

use crate::config::Config;

mod calls;
mod files;
mod memory;
#[cfg(test)]
mod tests;

use files::Files;
pub(crate) use memory::keep_private;

/// What is in force, for one line of the log. To be kept as long as the process serves.
#[derive(Debug)]
pub(crate) struct Sandbox {
    files: Files,
    calls: Result<(), String>,
    /// `/proc/self`. Short of memory the kernel forgets such folders and makes them anew, and a rule does
    /// not hold for a new one: one that is open stays.
    _own: Option<File>,
}

/// Closes what a server never needs. `config` is the file that a reload reads.
pub(crate) fn enter(config: &Config, file: Option<&Path>) -> Sandbox {
    let data = &config.data;
    // A folder must be there to be named; that it cannot be made is told when it is opened.
    let _ = make(data);
    Sandbox {
        _own: File::open("/proc/self").ok(),
        files: files::confine(data, file),
        calls: calls::deny(),
    }
}

fn make(data: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
}

impl Sandbox {
    /// The one line.
    pub(crate) fn tell(&self) {
        let calls = match &self.calls {
            Ok(()) => "denied",
            Err(why) => why.as_str(),
        };
        let files = self.files.to_string();
        if self.calls.is_ok() && self.files == Files::Confined {
            tracing::info!(files, calls, "sandboxed");
        } else {
            tracing::warn!(files, calls, "sandboxed in part: this kernel knows no more");
        }
    }
}
