//! Sends one message over SMTP, as any client would. RFC 5321 §3

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use mailtypes::{ItemId, Timestamp};

/// Sends it and answers the queue id. Blocks.
pub(super) fn send(address: SocketAddr, now: Timestamp) -> io::Result<ItemId> {
    let stream = TcpStream::connect_timeout(&address, WAIT_MAX)?;
    stream.set_read_timeout(Some(WAIT_MAX))?;
    stream.set_write_timeout(Some(WAIT_MAX))?;
    let mut client = Client {
        stream: BufReader::new(stream),
    };
    client.expect(220)?;
    for (line, code) in [
        ("EHLO localhost", 250),
        ("MAIL FROM:<alice@example.test>", 250),
        ("RCPT TO:<bob@example.test>", 250),
        ("DATA", 354),
    ] {
        client.say(line)?;
        client.expect(code)?;
    }
    client.say(&format!("{}\r\n.", message(now)))?;
    let reply = client.expect(250)?;
    client.say("QUIT")?;
    client.expect(221)?;
    reply
        .split_whitespace()
        .find_map(|word| ItemId::parse(word).ok())
        .ok_or_else(|| io::Error::other(format!("no queue id in `{reply}`")))
}

/// No line of it begins with a dot: nothing to stuff. RFC 5321 §4.5.2
fn message(now: Timestamp) -> String {
    let lines = [
        "From: Alice <alice@example.test>".to_owned(),
        "To: Bob <bob@example.test>".to_owned(),
        format!("Date: {}", message::date::rfc5322(now)),
        format!("Message-ID: <quickstart.{}@example.test>", now.as_millis()),
        "Subject: Hello from Postrider".to_owned(),
        String::new(),
        "This message came in by SMTP, was forced to disk before it was acknowledged,".to_owned(),
        "and was then put into your mailbox.".to_owned(),
    ];
    lines.join("\r\n")
}

struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    fn say(&mut self, line: &str) -> io::Result<()> {
        self.stream
            .get_mut()
            .write_all(format!("{line}\r\n").as_bytes())
    }

    /// The last line of a reply, which must have this code.
    fn expect(&mut self, code: u16) -> io::Result<String> {
        loop {
            let mut line = String::new();
            self.stream
                .by_ref()
                .take(REPLY_LINE_LEN_MAX)
                .read_line(&mut line)?;
            if !line.ends_with('\n') {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end();
            // `250-…` goes on, `250 …` ends. RFC 5321 §4.2.1
            if line.as_bytes().get(3) == Some(&b'-') {
                continue;
            }
            if line.starts_with(&code.to_string()) {
                return Ok(line.to_owned());
            }
            return Err(io::Error::other(format!(
                "wanted {code}, the server says `{line}`"
            )));
        }
    }
}

/// For each step.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// RFC 5321 §4.5.3.1.5
const REPLY_LINE_LEN_MAX: u64 = 512;
