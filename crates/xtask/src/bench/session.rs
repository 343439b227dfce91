//! One SMTP session of the generator: blocking, pipelined, and strict about replies.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context;

/// How long one reply may take; a server that needs more is not measured but broken.
const REPLY_MAX: Duration = Duration::from_secs(120);

/// A connection after EHLO.
pub(super) struct Session {
    stream: TcpStream,
    replies: BufReader<TcpStream>,
}

impl Session {
    pub(super) fn open(port: u16) -> anyhow::Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let stream = TcpStream::connect_timeout(&address, REPLY_MAX).context("connecting")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_MAX))?;
        let replies = BufReader::new(stream.try_clone()?);
        let mut session = Self { stream, replies };
        session.expect("220")?;
        session.stream.write_all(b"EHLO client.example.net\r\n")?;
        session.expect("250")?;
        Ok(session)
    }

    /// Sends one message and answers the text of its final 250.
    ///
    /// No line of the message may begin with a dot.
    pub(super) fn deliver(&mut self, to: &str, message: &[u8]) -> anyhow::Result<String> {
        let commands = format!("MAIL FROM:<load@client.example.net>\r\nRCPT TO:<{to}>\r\nDATA\r\n");
        self.stream.write_all(commands.as_bytes())?;
        self.expect("250")?;
        self.expect("250")?;
        self.expect("354")?;
        self.stream.write_all(message)?;
        self.expect("250")
    }

    pub(super) fn quit(mut self) -> anyhow::Result<()> {
        self.stream.write_all(b"QUIT\r\n")?;
        self.expect("221").map(drop)
    }

    /// The last line of a reply that has to begin so.
    fn expect(&mut self, code: &str) -> anyhow::Result<String> {
        loop {
            let mut line = String::new();
            let octets = self
                .replies
                .read_line(&mut line)
                .context("waiting for a reply")?;
            anyhow::ensure!(octets > 0, "closed instead of {code}");
            anyhow::ensure!(line.starts_with(code), "{} instead of {code}", line.trim());
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line.trim_end().to_owned());
            }
        }
    }
}

/// A message of about so many octets, its end with it.
pub(super) fn message(octets: usize) -> Vec<u8> {
    let line = format!("{}\r\n", "x".repeat(70));
    let mut text = "From: <load@client.example.net>\r\nSubject: load\r\n\r\n".to_owned();
    while text.len() + line.len() <= octets {
        text.push_str(&line);
    }
    text.push_str(".\r\n");
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_size_and_one_end() {
        let message = String::from_utf8(message(4096)).unwrap();
        assert!((4096 - 72..=4096 + 3).contains(&message.len()));
        assert!(message.ends_with("x\r\n.\r\n"));
        assert_eq!(message.matches("\r\n.").count(), 1);
    }
}
