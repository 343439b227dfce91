//! Runs a transcript against the SMTP server machine, without a socket.

use std::collections::BTreeMap;
use std::sync::Arc;

use mailtypes::{ForwardPath, Host, Timestamp};
use proto::smtp::{Event, Reply, Server, Settings};

use super::check::{expect_that, goes_on, holds, set, settings};
use super::{Line, Step};

/// One conversation with a server that knows some mailboxes and keeps what it gets.
pub struct Machine {
    settings: Settings,
    server: Option<Server>,
    now: Timestamp,
    /// What came to whom. Only those that are keys here get mail.
    mailboxes: BTreeMap<String, Vec<Vec<u8>>>,
    recipients: Vec<String>,
    body: Vec<u8>,
    /// Octets that the server has not taken yet.
    input: Vec<u8>,
    written: Vec<u8>,
    closed: bool,
}

impl Machine {
    /// Runs all lines; the error names the first one that went wrong.
    pub fn run(lines: &[Line]) -> Result<(), String> {
        let mut machine = Self {
            settings: settings(),
            server: None,
            now: Timestamp::EPOCH,
            mailboxes: BTreeMap::new(),
            recipients: Vec::new(),
            body: Vec::new(),
            input: Vec::new(),
            written: Vec::new(),
            closed: false,
        };
        for Line { number, step } in lines {
            machine
                .step(step)
                .map_err(|what| format!("line {number}: {what}"))?;
        }
        let rest = String::from_utf8_lossy(&machine.written);
        if rest.is_empty() {
            return Ok(());
        }
        Err(format!("at the end: the server also said {rest:?}"))
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Mailbox(address) => {
                self.mailboxes.insert(address.clone(), Vec::new());
            }
            Step::Set { key, value } => set(&mut self.settings, key, value)?,
            Step::Send(octets) => {
                self.input.extend_from_slice(octets);
                self.pump();
            }
            Step::Exactly(expect) => {
                let line = self.line()?;
                expect_that(line == *expect, expect, &line)?;
            }
            Step::Begins(expect) => {
                let line = self.line()?;
                expect_that(line.starts_with(expect.as_str()), expect, &line)?;
            }
            Step::Reply(code) => loop {
                let line = self.line()?;
                expect_that(line.starts_with(code.as_str()), code, &line)?;
                if !goes_on(&line, code) {
                    break;
                }
            },
            Step::After(span) => {
                self.now = self.now + *span;
                let now = self.now;
                let server = self.server();
                if server.deadline() <= now {
                    server.timed_out(now);
                }
                self.pump();
            }
            Step::Holds {
                mailbox,
                messages,
                last_line,
            } => {
                let missing = || format!("the world has no mailbox {mailbox}");
                let got = self.mailboxes.get(mailbox).ok_or_else(missing)?;
                let last = got.last().map(Vec::as_slice).unwrap_or_default();
                holds(got.len(), *messages, last, last_line.as_deref())?;
            }
            Step::Closed => {
                self.pump();
                if !self.closed {
                    return Err("the session goes on".to_owned());
                }
            }
        }
        Ok(())
    }

    fn server(&mut self) -> &mut Server {
        let settings = &self.settings;
        self.server
            .get_or_insert_with(|| Server::new(Arc::new(settings.clone()), Timestamp::EPOCH))
    }

    /// Does all that can be done with what the client has sent.
    fn pump(&mut self) {
        use proto::smtp::Step;
        while !self.closed {
            match self.server().next() {
                Step::Write(octets) => self.written.extend(octets),
                Step::Event(event) => {
                    if let Some(reply) = self.event(event) {
                        self.server().answer(reply);
                    }
                }
                Step::Read if self.input.is_empty() => return,
                Step::Read => {
                    let input = std::mem::take(&mut self.input);
                    let now = self.now;
                    let taken = self.server().input(&input, now);
                    self.input = input[taken..].to_vec();
                }
                Step::Close => self.closed = true,
            }
        }
    }

    fn event(&mut self, event: Event) -> Option<Reply> {
        match event {
            Event::Hello { client, .. } => Some(Reply::plain(250, format!("hello {client}"))),
            Event::Mail { .. } => {
                self.forget();
                Some(Reply::new(250, "2.1.0", "Sender noted"))
            }
            Event::Rcpt { path } => Some(self.recipient(&path)),
            Event::Data => Some(Reply::plain(354, "Go on; end with a line of one dot")),
            Event::Body(octets) => {
                self.body.extend(octets);
                None
            }
            Event::EndOfData(_) => {
                self.deliver();
                Some(Reply::new(250, "2.0.0", "Stored"))
            }
            Event::Discard => {
                self.forget();
                None
            }
            Event::Verify(_) => Some(Reply::new(252, "2.5.0", "Send it and see")),
            Event::Expand(_) => Some(Reply::new(502, "5.5.1", "Lists are not shown")),
            Event::Refused { .. } => None,
        }
    }

    fn recipient(&mut self, path: &ForwardPath) -> Reply {
        if let ForwardPath::Mailbox(mailbox) = path
            && matches!(mailbox.host, Host::Literal(_))
        {
            // As the policy of the real server has it: well-formed, and not ours.
            return Reply::new(550, "5.7.1", "Relaying refused");
        }
        let address = path.to_string();
        if !self.mailboxes.contains_key(&address) {
            return Reply::new(550, "5.1.1", "No such mailbox here");
        }
        self.recipients.push(address);
        Reply::new(250, "2.1.5", "Recipient noted")
    }

    fn deliver(&mut self) {
        for recipient in std::mem::take(&mut self.recipients) {
            self.mailboxes
                .entry(recipient)
                .or_default()
                .push(self.body.clone());
        }
        self.forget();
    }

    fn forget(&mut self) {
        self.body.clear();
        self.recipients.clear();
    }

    fn line(&mut self) -> Result<String, String> {
        self.pump();
        let Some(end) = self.written.windows(2).position(|two| two == b"\r\n") else {
            return Err("the server says nothing".to_owned());
        };
        let line: Vec<u8> = self.written.drain(..end + 2).take(end).collect();
        String::from_utf8(line).map_err(|e| e.to_string())
    }
}
