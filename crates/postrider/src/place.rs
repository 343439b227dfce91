//! Which configuration and which data folder a command is about.

use std::path::{Path, PathBuf};

use mailtypes::Domain;

use crate::config::{BadConfig, Config};
use crate::failure::{Failure, code};
use crate::global::Global;

/// A data folder, and what is known of its domains.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The data folder.
    pub(crate) data: PathBuf,
    /// Domains of its configuration; `None` when there is no configuration.
    pub(crate) domains: Option<Vec<Domain>>,
    /// The configuration that names the folder: a command that brings something to keep makes it.
    pub(crate) named_by: Option<Box<Config>>,
}

/// The configuration to use, and the file it came from.
pub(crate) fn config(global: &Global) -> Result<(PathBuf, Config), Failure> {
    let path = match &global.config {
        Some(path) => path.clone(),
        None => CONFIGS
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
            .ok_or_else(no_config)?,
    };
    let mut config = Config::read(&path).map_err(|error| bad_config(&error))?;
    if let Some(Some(data)) = &global.data {
        config.data.clone_from(data);
    }
    Ok((path, config))
}

/// The data folder: `--data`, else that of `--config`, else that of ./postrider.toml, else
/// ./postrider-data, else that of /etc/postrider/postrider.toml.
pub(crate) fn place(global: &Global) -> Result<Place, Failure> {
    if let Some(data) = &global.data {
        let Some(data) = data else {
            let way_out = "write --data FOLDER";
            return Err(Failure::new(
                code::USAGE,
                "--data wants a folder here",
                way_out,
            ));
        };
        return Ok(Place {
            data: data.clone(),
            domains: domains_of(global, data)?,
            named_by: None,
        });
    }
    if global.config.is_some() || Path::new(CONFIGS[0]).exists() {
        return config(global).map(Place::from);
    }
    if Path::new(QUICKSTART_DATA).is_dir() {
        return Ok(Place {
            data: PathBuf::from(QUICKSTART_DATA),
            domains: quickstart_domains(),
            named_by: None,
        });
    }
    if Path::new(CONFIGS[1]).exists() {
        return config(global).map(Place::from);
    }
    let cause = format!(
        "no data folder found: looked for ./{}, ./{QUICKSTART_DATA} and {}",
        CONFIGS[0], CONFIGS[1]
    );
    let way_out =
        "name one with --data FOLDER or --config FILE, or start with `postrider quickstart`";
    Err(Failure::new(code::UNAVAILABLE, cause, way_out))
}

/// Domains for a folder that was named: those of the configuration that has this folder too.
fn domains_of(global: &Global, data: &Path) -> Result<Option<Vec<Domain>>, Failure> {
    if let Some(path) = &global.config {
        let config = Config::read(path).map_err(|error| bad_config(&error))?;
        return Ok(Some(config.domains));
    }
    let same = |other: &Path| match (other.canonicalize(), data.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => other == data,
    };
    if same(Path::new(QUICKSTART_DATA)) {
        return Ok(quickstart_domains());
    }
    Ok(CONFIGS
        .iter()
        .filter_map(|path| Config::read(Path::new(path)).ok())
        .find(|config| same(&config.data))
        .map(|config| config.domains))
}

/// The domains of data that has no configuration because quickstart made it.
fn quickstart_domains() -> Option<Vec<Domain>> {
    let domain = Domain::parse(QUICKSTART_DOMAIN).ok()?;
    Some(vec![domain])
}

impl From<(PathBuf, Config)> for Place {
    fn from((_, config): (PathBuf, Config)) -> Self {
        Self {
            data: config.data.clone(),
            domains: Some(config.domains.clone()),
            named_by: Some(Box::new(config)),
        }
    }
}

/// A wrong configuration stops a command.
pub(crate) fn bad_config(error: &BadConfig) -> Failure {
    let way_out = match error {
        BadConfig::Unreadable { error, .. }
            if error.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            "let the user that runs postrider read it, or run the command as that user or as root"
        }
        BadConfig::Unreadable { error, .. } if error.kind() == std::io::ErrorKind::InvalidData => {
            "write that line anew, or save the file as UTF-8"
        }
        BadConfig::Unreadable { .. } => "name the file with --config FILE",
        BadConfig::Wrong(_) => "correct the file; `postrider check` looks at it again",
    };
    Failure::new(code::CONFIG, error.to_string(), way_out)
}

fn no_config() -> Failure {
    let cause = format!(
        "no configuration: looked for ./{} and {}",
        CONFIGS[0], CONFIGS[1]
    );
    let way_out = "write one (README.md has an example) or name it with --config FILE; \
                   `postrider quickstart` needs none";
    Failure::new(code::CONFIG, cause, way_out)
}

/// Where a configuration is looked for.
const CONFIGS: [&str; 2] = ["postrider.toml", "/etc/postrider/postrider.toml"];
/// Where quickstart keeps its data.
pub(crate) const QUICKSTART_DATA: &str = "postrider-data";
/// The domain of the try-out: nobody can ever own it. RFC 2606 §2
pub(crate) const QUICKSTART_DOMAIN: &str = "example.test";
