//! Files outside of those that a server works on, closed to it (Landlock).

use std::fmt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus,
};

/// What is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Files {
    /// All that we ask for.
    Confined,
    /// The kernel knows a part of it only.
    Partly,
    /// Nothing, and why.
    Open(String),
}

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confined => f.write_str("confined"),
            Self::Partly => f.write_str("confined in part"),
            Self::Open(why) => write!(f, "not confined: {why}"),
        }
    }
}

/// For this thread and those that it starts, for good: the data folder may be read and written, and
/// what a configuration, a name server, a name of a user or a time zone is read from may be read.
/// Anywhere else files can be made and written, as far as their rights go, but none can be read: any
/// folder may become a Maildir. `config` is the file that a reload reads.
pub(super) fn confine(data: &Path, config: Option<&Path>) -> Files {
    let is_root = nix::unistd::geteuid().is_root();
    confine_with(data, config, names_in_etc(is_root))
}

/// `etc` is what is read there.
pub(super) fn confine_with(data: &Path, config: Option<&Path>, etc: &[&str]) -> Files {
    match restrict(data, config, etc) {
        Ok(RulesetStatus::FullyEnforced) => Files::Confined,
        Ok(RulesetStatus::PartiallyEnforced) => Files::Partly,
        Ok(RulesetStatus::NotEnforced) => Files::Open(NO_LANDLOCK.to_owned()),
        Err(error) => Files::Open(error.to_string()),
    }
}

/// A rule holds for a file, and not for the next one under its name: whoever adds a user makes a new
/// `/etc/passwd`. So it is the folder, where rights guard the files that are secret; from root they
/// guard none, and it gets the files by name.
pub(super) fn names_in_etc(is_root: bool) -> &'static [&'static str] {
    if is_root { ETC_FILES } else { &["/etc"] }
}

fn restrict(
    data: &Path,
    config: Option<&Path>,
    etc: &[&str],
) -> Result<RulesetStatus, RulesetError> {
    let mut rules = Ruleset::default()
        // Linux 5.13 to 5.18 would let no file move from one folder to another, as each delivery into
        // a Maildir does: there it is better to have nothing than half of it.
        .set_compatibility(CompatLevel::SoftRequirement)
        .handle_access(AccessFs::Refer)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .create()?;
    let write = AccessFs::from_all(NEWEST)
        & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let deliver = AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::Refer;
    // A segment folder may be a link to another disk.
    rules = allow(rules, data, write)?;
    rules = allow(rules, &data.join("bodies"), write)?;
    rules = allow(rules, Path::new("/"), deliver)?;
    for path in config.into_iter().flat_map(places_of) {
        rules = allow(rules, &path, AccessFs::ReadFile.into())?;
    }
    for path in etc.iter().chain(READ) {
        rules = allow(rules, Path::new(path), read)?;
    }
    rules = allow(
        rules,
        Path::new("/dev/null"),
        AccessFs::ReadFile | AccessFs::WriteFile,
    )?;
    Ok(rules.restrict_self()?.ruleset)
}

/// What is not there cannot be opened, whatever the rules are.
fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let Ok(place) = PathFd::new(path) else {
        return Ok(rules);
    };
    let access = if path.is_dir() {
        access
    } else {
        access & AccessFs::from_file(NEWEST)
    };
    rules.add_rule(PathBeneath::new(place, access))
}

/// The folder of a configuration and that of the file which it is a link to: an editor makes a new
/// file under the old name.
fn places_of(config: &Path) -> Vec<PathBuf> {
    let whole = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
    let real = config.canonicalize().unwrap_or_else(|_| whole.clone());
    [whole, real]
        .iter()
        .filter_map(|path| path.parent())
        .map(Path::to_owned)
        .collect()
}

pub(super) const NO_LANDLOCK: &str = "the kernel has no Landlock that serves us (Linux 5.19)";

/// What this program was written with. Older kernels give what they have of it.
const NEWEST: ABI = ABI::V5;

/// Name servers, names of hosts and users, time zones and what the C library looks up names by.
const ETC_FILES: &[&str] = &[
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/passwd",
    "/etc/group",
    "/etc/ld.so.cache",
    "/etc/localtime",
];

/// What writes the file of name servers, time zones, what the C library loads to look up a name, and
/// what tells how many processors we may use.
const READ: &[&str] = &[
    "/run/systemd/resolve",
    "/run/NetworkManager",
    "/run/resolvconf",
    "/usr/share/zoneinfo",
    "/usr/lib",
    "/usr/lib64",
    "/lib",
    "/lib64",
    "/proc/self",
    "/proc/stat",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/fs/cgroup",
    "/sys/devices/system/cpu",
    "/dev/urandom",
    "/dev/random",
];
