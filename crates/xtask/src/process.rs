//! Where the workspace is, and how other programs are started from it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::Context;

/// The top folder of the workspace: two above this crate's manifest.
pub(crate) fn root() -> PathBuf {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder
        .ancestors()
        .nth(2)
        .unwrap_or(crate_folder)
        .to_path_buf()
}

/// A command that runs in the top folder.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The cargo that started us, so that a chosen toolchain stays the chosen one.
pub(crate) fn cargo() -> Command {
    let program = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    command(&program)
}

/// Runs to the end; true when the program says that all is well.
pub(crate) fn succeeds(command: &mut Command) -> anyhow::Result<bool> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .with_context(|| format!("starting {program}"))?;
    Ok(status.success())
}

/// What the program prints, or an error with what it complained about.
pub(crate) fn output_of(command: &mut Command) -> anyhow::Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("starting {program}"))?;
    anyhow::ensure!(
        output.status.success(),
        "{program} failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program of that name can be started.
pub(crate) fn on_path(program: &str) -> bool {
    let Some(path) = env::var_os("PATH") else {
        return false;
    };
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Where cargo puts what it builds.
pub(crate) fn target_folder() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// The folder of vectors and message corpora, which stands beside the checkout.
pub(crate) fn data_folder() -> PathBuf {
    match env::var_os("POSTRIDER_TEST_DATA") {
        Some(folder) => root().join(folder),
        None => root().join("../shared/data"),
    }
}

/// In CI nothing may be left out quietly.
pub(crate) fn in_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}

/// Monotonic time for durations that are shown to people.
#[expect(
    clippy::disallowed_methods,
    reason = "a tool for the desk has no clock to be given"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Everything git tracks, relative to the top; new files that are not ignored count too.
pub(crate) fn tracked_files() -> anyhow::Result<Vec<PathBuf>> {
    let listing = output_of(command("git").args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let top = root();
    let mut files: Vec<PathBuf> = listing
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .filter(|path| top.join(path).is_file())
        .collect();
    files.sort();
    files.dedup();
    Ok(files)
}
