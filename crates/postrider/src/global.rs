//! Options that every command takes.

use std::path::PathBuf;

use clap::Args;

/// Options that every command takes.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Global {
    /// The configuration file [default: ./postrider.toml, else /etc/postrider/postrider.toml].
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The data folder, when it is not the one that the configuration names.
    #[arg(long, global = true, value_name = "FOLDER", num_args = 0..=1)]
    #[expect(
        clippy::option_option,
        reason = "not given, given alone, given with a folder"
    )]
    pub(crate) data: Option<Option<PathBuf>>,
    /// Print JSON for programs instead of text for people.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}
