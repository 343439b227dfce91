//! No image of the memory of a server gets onto a disk or into another program.

use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, setrlimit};

/// No core dump, no debugger and no look into `/proc/PID` for anybody but root. It goes with the
/// process: a program that it starts decides anew.
pub(crate) fn keep_private() {
    let done = set_dumpable(false).and_then(|()| setrlimit(Resource::RLIMIT_CORE, 0, 0));
    if let Err(error) = done {
        tracing::warn!(%error, "cannot forbid images of our memory");
    }
}
