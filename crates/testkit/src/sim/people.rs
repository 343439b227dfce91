//! Those who send mail. They speak SMTP by hand, one command after the other, and give up when the
//! connection does not last: what nobody promised them is theirs still.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mailtypes::ItemId;
use net::Dial;
use rand::RngExt;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::task::JoinHandle;

use super::connection::Stream;
use super::host::{DEAD, Host, NAMES, USERS, addr, client_addr};
use super::journal::Journal;
use super::ledger::{Ledger, Letter, Promise};
use super::network::Dialer;
use super::{Sim, between, fork};

/// One person for each server.
pub(super) fn start(sim: &Sim, rng: &mut SmallRng) -> Vec<JoinHandle<anyhow::Result<()>>> {
    (0..)
        .zip(&sim.hosts)
        .map(|(number, host)| {
            let person = Person {
                number,
                host: Arc::clone(host),
                dial: sim.network.from(client_addr(number)),
                clock: sim.clock.clone(),
                ledger: sim.ledger.clone(),
                journal: sim.journal.clone(),
                rng: fork(rng),
            };
            tokio::spawn(person.send_all(sim.clear))
        })
        .collect()
}

struct Person {
    number: u8,
    host: Arc<Host>,
    dial: Dialer,
    clock: net::Clock,
    ledger: Ledger,
    journal: Journal,
    rng: SmallRng,
}

impl Person {
    async fn send_all(mut self, until: mailtypes::Timestamp) -> anyhow::Result<()> {
        let mut count = 0;
        while self.clock.now() < until && count < LETTERS_MAX {
            let pause = between(&mut self.rng, Duration::ZERO, PAUSE_MAX);
            self.clock.sleep_until(self.clock.now() + pause).await;
            let letter = self.write(count);
            count += 1;
            self.ledger.sent(&letter);
            let token = letter.token.clone();
            let sent = tokio::time::timeout(SESSION_MAX, self.send(letter)).await;
            let what = match sent {
                Ok(Ok(Some(id))) => format!("promised as {id}"),
                Ok(Ok(None)) => "not taken".to_owned(),
                Ok(Err(error)) => format!("lost: {error}"),
                Err(_) => "given up: too slow".to_owned(),
            };
            self.journal
                .note(&format!("{token} at {}: {what}", self.home()));
        }
        Ok(())
    }

    fn home(&self) -> &'static str {
        NAMES[usize::from(self.number)]
    }

    fn write(&mut self, count: u32) -> Letter {
        let token = format!("t-{}-{count}", self.number);
        let rng = &mut self.rng;
        // Now and then the sender is elsewhere, or nowhere: reports have a way to go, too.
        let domain = match rng.random_range(0..20) {
            0 => DEAD,
            1..6 => NAMES.choose(rng).copied().unwrap_or_default(),
            _ => NAMES[usize::from(self.number)],
        };
        let sender = format!("{}@{domain}", USERS.choose(rng).unwrap_or(&USERS[0]));
        let mut recipients: Vec<_> = (0..rng.random_range(1..=5)).map(|_| address(rng)).collect();
        recipients.sort();
        recipients.dedup();
        let mut text = format!(
            "From: <{sender}>\r\nSubject: {token}\r\nMessage-ID: <{token}@sim.example>\r\n\r\n"
        );
        let lines = match rng.random_range(0..LARGE_ONE_IN) {
            0 => LARGE_LINES,
            _ => rng.random_range(0..100),
        };
        for line in 0..lines {
            text += &format!("{line}: {}\r\n", ".".repeat(rng.random_range(0..30)));
        }
        text += &format!("end of {token}\r\n");
        Letter {
            token,
            host: usize::from(self.number),
            sender,
            recipients,
            octets: text.into_bytes(),
        }
    }

    /// Gives a message to the server; the queue id, when it is promised.
    async fn send(&self, letter: Letter) -> io::Result<Option<ItemId>> {
        let to = SocketAddr::new(addr(self.number), 25);
        let patience = self.clock.now() + Duration::from_secs(30);
        let stream = self.dial.dial(to, patience).await;
        let mut session = Session(BufReader::new(stream.map_err(io::Error::other)?));
        session.reply().await?;
        session.ask("EHLO client.example").await?;
        session
            .ask(&format!("MAIL FROM:<{}>", letter.sender))
            .await?;
        let mut taken = Vec::new();
        for recipient in &letter.recipients {
            let reply = session.ask(&format!("RCPT TO:<{recipient}>")).await?;
            if reply.starts_with("250") {
                taken.push(recipient.clone());
            }
        }
        if !session.ask("DATA").await?.starts_with("354") {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&letter.octets).replace("\r\n.", "\r\n..");
        let reply = session.ask(&format!("{text}.")).await?;
        let id = reply.strip_prefix("250 2.0.0 Ok: queued as ");
        let Some(id) = id.and_then(|id| ItemId::parse(id).ok()) else {
            return Ok(None);
        };
        self.ledger.promised(Promise { letter, id, taken });
        self.host.promised.notify_waiters();
        session.ask("QUIT").await?;
        Ok(Some(id))
    }
}

fn address(rng: &mut SmallRng) -> String {
    let domain = match rng.random_range(0..50) {
        0 => DEAD,
        1 => "nowhere.example",
        _ => NAMES.choose(rng).copied().unwrap_or_default(),
    };
    let user = match rng.random_range(0..10) {
        0 => "nobody",
        _ => USERS.choose(rng).copied().unwrap_or_default(),
    };
    format!("{user}@{domain}")
}

struct Session(BufReader<Stream>);

impl Session {
    async fn ask(&mut self, line: &str) -> io::Result<String> {
        self.0.write_all(format!("{line}\r\n").as_bytes()).await?;
        self.reply().await
    }

    /// The last line of a reply.
    async fn reply(&mut self) -> io::Result<String> {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) == Some(&b' ') {
                return Ok(line.trim_end().to_owned());
            }
        }
    }
}

/// One message in so many is too large to wait in memory, and becomes a file of its own.
const LARGE_ONE_IN: u32 = 20;
const LARGE_LINES: u32 = 14_000;
const LETTERS_MAX: u32 = 30;
const PAUSE_MAX: Duration = Duration::from_mins(90);
const SESSION_MAX: Duration = Duration::from_mins(30);
