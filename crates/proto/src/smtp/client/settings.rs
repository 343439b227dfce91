//! How the client side behaves.

use std::time::Duration;

use super::Stage;

/// How a [`super::Client`] behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    /// What we call ourselves in EHLO.
    pub hostname: String,
    /// How long we wait for the greeting. RFC 5321 §4.5.3.2.1
    pub greeting_timeout: Duration,
    /// For the reply to a command. RFC 5321 §4.5.3.2.2, §4.5.3.2.3
    pub command_timeout: Duration,
    /// For the reply to DATA. RFC 5321 §4.5.3.2.4
    pub data_timeout: Duration,
    /// For the server to take a piece of the body. RFC 5321 §4.5.3.2.5
    pub block_timeout: Duration,
    /// For the reply to the end of the body. RFC 5321 §4.5.3.2.6
    pub final_dot_timeout: Duration,
    /// For the reply to QUIT: nothing hangs on it.
    pub quit_timeout: Duration,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            hostname: "localhost".to_owned(),
            greeting_timeout: Duration::from_mins(5),
            command_timeout: Duration::from_mins(5),
            data_timeout: Duration::from_mins(2),
            block_timeout: Duration::from_mins(3),
            final_dot_timeout: Duration::from_mins(10),
            quit_timeout: Duration::from_secs(5),
        }
    }
}

impl ClientSettings {
    pub(super) fn timeout(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Greeting => self.greeting_timeout,
            Stage::Hello | Stage::Helo | Stage::Mail | Stage::Rcpt | Stage::Reset => {
                self.command_timeout
            }
            Stage::Data => self.data_timeout,
            Stage::Body => self.block_timeout,
            Stage::FinalDot => self.final_dot_timeout,
            Stage::Quit => self.quit_timeout,
        }
    }
}
