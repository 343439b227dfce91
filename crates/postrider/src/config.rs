//! The one configuration file: TOML, every key with a default that is safe.
//!
//! [`Config::read`] is the border: behind it there are only typed values. What is wrong is told
//! all at once, each with its place in the file and what to write instead ([`complaint`]).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mailtypes::{Domain, Mailbox};
use proto::smtp::LineEnds;

mod complaint;
mod doubts;
mod endpoint;
mod host;
mod keys;
mod limits;
mod outgoing;
mod table;
mod values;

pub(crate) use doubts::{doubts, leads_home};
pub(crate) use endpoint::Endpoint;
pub(crate) use outgoing::Outgoing;
pub(crate) use values::{duration as parse_duration, write_duration, write_size};

#[cfg(test)]
mod tests;

/// All that the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// Our name in greetings and in `Received`.
    pub(crate) hostname: Domain,
    /// The data folder.
    pub(crate) data: PathBuf,
    /// Domains whose mail is ours.
    pub(crate) domains: Vec<Domain>,
    /// Where SMTP is spoken.
    pub(crate) listen: Vec<Listen>,
    /// Whom the server becomes when root starts it.
    pub(crate) user: Option<String>,
    /// Who gets mail for a postmaster that has no mailbox.
    pub(crate) postmaster: Option<Mailbox>,
    /// Octets of one message.
    pub(crate) message_size_max: u64,
    /// Recipients of one message.
    pub(crate) recipients_max: usize,
    /// Connections at a time.
    pub(crate) connections_max: usize,
    /// Connections at a time from one address.
    pub(crate) connections_per_address_max: usize,
    /// Refused commands before a client is cut off.
    pub(crate) errors_max: u32,
    /// Silence before a command.
    pub(crate) command_timeout: Duration,
    /// Silence within a body.
    pub(crate) body_timeout: Duration,
    /// A whole session.
    pub(crate) session_timeout: Duration,
    /// About mail for other servers.
    pub(crate) outgoing: Outgoing,
    /// The form of the log.
    pub(crate) log: LogForm,
    /// Where metrics are shown.
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Where traces are sent.
    pub(crate) traces_endpoint: Option<Endpoint>,
}

/// One address that SMTP is spoken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listen {
    /// Address and port.
    pub(crate) address: SocketAddr,
    /// What happens to a bare CR or LF in a body.
    pub(crate) line_ends: LineEnds,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogForm {
    /// Lines for people.
    #[default]
    Text,
    /// Lines for programs.
    Json,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadConfig {
    /// The file cannot be read.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// What is wrong with it, rendered with the lines of the file.
    #[error("{0}")]
    Wrong(String),
}

impl Config {
    /// Reads the file. A relative `data` is relative to the folder of the file.
    pub(crate) fn read(path: &Path) -> Result<Self, BadConfig> {
        let text = read_limited(path).map_err(|error| BadConfig::Unreadable {
            path: path.display().to_string(),
            error,
        })?;
        // Absolute, so that messages about the folder tell which one it is.
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let folder = whole.parent().unwrap_or(Path::new(""));
        Self::parse(&text, &path.display().to_string(), folder)
    }

    /// Takes the text of a file.
    pub(crate) fn parse(text: &str, name: &str, folder: &Path) -> Result<Self, BadConfig> {
        let mut complaints = Vec::new();
        let mut config = keys::take(text, &mut complaints);
        if !complaints.is_empty() {
            return Err(BadConfig::Wrong(complaint::render(
                text,
                name,
                &mut complaints,
            )));
        }
        config.data = folder.join(&config.data);
        Ok(config)
    }
}

impl Default for Config {
    fn default() -> Self {
        let hostname = host::name();
        Self {
            domains: vec![hostname.clone()],
            hostname,
            data: PathBuf::from(DATA),
            listen: LISTEN
                .iter()
                .filter_map(|text| text.parse().ok())
                .map(Listen::plain)
                .collect(),
            user: None,
            postmaster: None,
            message_size_max: limits::MESSAGE_SIZE_MAX,
            recipients_max: limits::RECIPIENTS_MAX,
            connections_max: limits::CONNECTIONS_MAX,
            connections_per_address_max: limits::CONNECTIONS_PER_ADDRESS_MAX,
            errors_max: limits::ERRORS_MAX,
            command_timeout: proto::smtp::limits::COMMAND_TIMEOUT,
            body_timeout: proto::smtp::limits::BODY_TIMEOUT,
            session_timeout: proto::smtp::limits::SESSION_TIMEOUT,
            outgoing: Outgoing::default(),
            log: LogForm::Text,
            metrics_listen: None,
            traces_endpoint: None,
        }
    }
}

impl Listen {
    /// An address with strict line ends.
    pub(crate) const fn plain(address: SocketAddr) -> Self {
        Self {
            address,
            line_ends: LineEnds::Refuse,
        }
    }
}

fn read_limited(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut octets = Vec::new();
    std::fs::File::open(path)?
        .take(limits::FILE_LEN_MAX + 1)
        .read_to_end(&mut octets)?;
    if u64::try_from(octets.len()).unwrap_or(u64::MAX) > limits::FILE_LEN_MAX {
        return Err(std::io::Error::new(
            std::io::ErrorKind::FileTooLarge,
            "longer than 1 MiB: this is no configuration",
        ));
    }
    String::from_utf8(octets).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|octet| **octet == b'\n').count();
        let text = format!("line {line} is not UTF-8");
        std::io::Error::new(std::io::ErrorKind::InvalidData, text)
    })
}

/// Where data lies when nothing is said.
const DATA: &str = "/var/lib/postrider";
/// Where SMTP is spoken when nothing is said: everywhere.
const LISTEN: [&str; 2] = ["0.0.0.0:25", "[::]:25"];
