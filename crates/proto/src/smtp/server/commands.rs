//! What each command does.

use mailtypes::{Envelope, Timestamp};

use super::{Flow, Pending, Phase, Server, Verb, texts};
use crate::smtp::extensions::{self, MailRequest, RcptRequest};
use crate::smtp::line::Line;
use crate::smtp::{Command, Event, Parameters, Problem, Reply};

impl Server {
    /// Takes octets up to the end of one command. Tells how many.
    pub(super) fn take_command(&mut self, bytes: &[u8], now: Timestamp) -> usize {
        let Phase::Commands(reader) = &mut self.phase else {
            return 0;
        };
        let (taken, line) = reader.feed(bytes);
        match line {
            Line::Part => {}
            Line::Whole(line) => {
                self.waiting_since = now;
                self.command(&line);
            }
            Line::TooLong => {
                self.waiting_since = now;
                self.refuse("command", texts::line_too_long());
            }
            Line::Bare(which) => {
                self.close();
                self.refuse("command", texts::bare_in_command(which));
            }
        }
        taken
    }

    fn command(&mut self, line: &[u8]) {
        let parsed = Command::parse(line);
        let verb = match &parsed {
            Ok(command) => command.verb(),
            Err(e) => e.verb,
        };
        // Who says the wrong thing at the wrong time is told of the time first.
        if let Some(reply) = self.out_of_turn(verb) {
            return self.refuse(verb.as_str(), reply);
        }
        match parsed {
            Ok(command) => self.run(command),
            Err(e) => {
                self.refuse(verb.as_str(), e.reply());
                // A browser sends what a stranger's page made it send: listen no further.
                if e.problem == Problem::Http {
                    self.close();
                }
            }
        }
    }

    // RFC 5321 §4.1.4, §3.3
    fn out_of_turn(&self, verb: Verb) -> Option<Reply> {
        match (verb, &self.transaction) {
            (Verb::Mail | Verb::Rcpt | Verb::Data, _) if !self.greeted => {
                Some(texts::hello_first())
            }
            (Verb::Mail, Some(_)) => Some(texts::mail_twice()),
            (Verb::Rcpt | Verb::Data, None) => Some(texts::mail_first()),
            (Verb::Data, Some(transaction)) if transaction.accepted == 0 => {
                let all_refused = transaction.refused > 0;
                Some(if all_refused {
                    texts::no_valid_recipients()
                } else {
                    texts::rcpt_first()
                })
            }
            _ => None,
        }
    }

    fn run(&mut self, command: Command) {
        match command {
            Command::Helo(client) => {
                let event = Event::Hello {
                    client,
                    extended: false,
                };
                self.ask(Pending::Hello { extended: false }, event);
            }
            Command::Ehlo(client) => {
                let event = Event::Hello {
                    client,
                    extended: true,
                };
                self.ask(Pending::Hello { extended: true }, event);
            }
            Command::Mail(path, parameters) => self.mail(Envelope::from(path), &parameters),
            Command::Rcpt(path, parameters) => match self.recipient(&parameters) {
                Ok(RcptRequest {}) => self.ask(Pending::Rcpt, Event::Rcpt { path }),
                Err(reply) => {
                    if let Some(transaction) = &mut self.transaction {
                        transaction.refused += 1;
                    }
                    self.refuse("RCPT", reply);
                }
            },
            Command::Data => self.ask(Pending::Data, Event::Data),
            Command::Vrfy(text) => self.ask(Pending::Lookup, Event::Verify(text)),
            Command::Expn(text) => self.ask(Pending::Lookup, Event::Expand(text)),
            Command::Rset => {
                self.drop_transaction();
                self.say(&texts::reset(), Flow::Gather);
            }
            Command::Help => self.say(&texts::help(&self.settings.hostname), Flow::Flush),
            Command::Noop => self.say(&texts::noop(), Flow::Flush),
            Command::Quit => self.quit(),
        }
    }

    fn mail(&mut self, envelope: Envelope, parameters: &Parameters) {
        let mut request = MailRequest {
            envelope,
            size: None,
        };
        match extensions::take_mail(parameters, &mut request, &self.settings) {
            Ok(()) => {
                let MailRequest { envelope, size } = request;
                self.ask(Pending::Mail, Event::Mail { envelope, size });
            }
            Err(reply) => self.refuse("MAIL", reply),
        }
    }

    fn recipient(&self, parameters: &Parameters) -> Result<RcptRequest, Reply> {
        let accepted = self
            .transaction
            .as_ref()
            .map_or(0, |transaction| transaction.accepted);
        if accepted >= self.settings.recipients_max {
            return Err(texts::too_many_recipients());
        }
        let mut request = RcptRequest::default();
        extensions::take_rcpt(parameters, &mut request, &self.settings)?;
        Ok(request)
    }
}
