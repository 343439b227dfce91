//! Runs a transcript over TCP, against a whole server with a store and a deliverer.

use std::future::Future;
use std::time::Duration;

use store::{AuditReport, Listing, Store};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::check::{expect_that, goes_on, holds, set, settings};
use super::{Line, Step};
use crate::World;

/// One connection to a server of its own.
pub struct Wire<'a> {
    world: &'a World,
    stream: BufReader<TcpStream>,
}

impl Wire<'_> {
    /// Runs all lines; the error names the first one that went wrong.
    ///
    /// At the end the server must have said nothing more, and must have delivered all that it took.
    /// Answers its books.
    pub async fn run(lines: &[Line]) -> Result<AuditReport, String> {
        let (scene, talk) = lines.split_at(lines.iter().position(is_talk).unwrap_or(lines.len()));
        let world = build(scene).await?;
        let talked = converse(&world, talk).await;
        let stopped = world.stop().await.map_err(|e| format!("the stop: {e:#}"));
        talked.and(stopped)
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Mailbox(_) | Step::Set { .. } => {
                return Err("`world` comes before the first octet".to_owned());
            }
            Step::Send(octets) => self.send(octets).await?,
            Step::Exactly(expect) => {
                let line = self.line().await?;
                expect_that(line == *expect, expect, &line)?;
            }
            Step::Begins(expect) => {
                let line = self.line().await?;
                expect_that(line.starts_with(expect.as_str()), expect, &line)?;
            }
            Step::Reply(code) => loop {
                let line = self.line().await?;
                expect_that(line.starts_with(code.as_str()), code, &line)?;
                if !goes_on(&line, code) {
                    break;
                }
            },
            Step::After(span) => self.world.clock.advance(*span),
            Step::Holds {
                mailbox,
                messages,
                last_line,
            } => {
                let (count, last) = in_mailbox(self.world, mailbox).await?;
                holds(count, *messages, &last, last_line.as_deref())?;
            }
            Step::Closed => self.nothing_more().await?,
        }
        Ok(())
    }

    async fn send(&mut self, octets: &[u8]) -> Result<(), String> {
        in_time(self.stream.get_mut().write_all(octets)).await
    }

    async fn line(&mut self) -> Result<String, String> {
        let mut line = Vec::new();
        in_time(self.stream.read_until(b'\n', &mut line)).await?;
        if line.is_empty() {
            return Err("the server has ended the session".to_owned());
        }
        let line = String::from_utf8(line).map_err(|e| e.to_string())?;
        let end = line.strip_suffix("\r\n");
        end.map(str::to_owned)
            .ok_or_else(|| format!("no line: {line:?}"))
    }

    /// Reads to the end of the session.
    async fn nothing_more(&mut self) -> Result<(), String> {
        let mut rest = Vec::new();
        in_time(self.stream.read_to_end(&mut rest)).await?;
        expect_that(rest.is_empty(), "", &String::from_utf8_lossy(&rest))
    }
}

fn is_talk(line: &Line) -> bool {
    !matches!(line.step, Step::Mailbox(_) | Step::Set { .. })
}

/// The world as the first lines want it.
async fn build(scene: &[Line]) -> Result<World, String> {
    let mut smtp = settings();
    for Line { number, step } in scene {
        if let Step::Set { key, value } = step {
            set(&mut smtp, key, value).map_err(|what| format!("line {number}: {what}"))?;
        }
    }
    let world = World::start(smtp)
        .await
        .map_err(|e| format!("the start: {e:#}"))?;
    for Line { number, step } in scene {
        if let Step::Mailbox(address) = step {
            let added = world.add_account(address).await;
            added.map_err(|e| format!("line {number}: {e:#}"))?;
        }
    }
    Ok(world)
}

async fn converse(world: &World, talk: &[Line]) -> Result<(), String> {
    let stream = in_time(TcpStream::connect(world.addr)).await?;
    let stream = BufReader::new(stream);
    let mut wire = Wire { world, stream };
    for Line { number, step } in talk {
        let done = wire.step(step).await;
        done.map_err(|what| format!("line {number}: {what}"))?;
    }
    // Whether the server has ended the session or learns only now that we have: it is silent.
    let _ = wire.stream.get_mut().shutdown().await;
    let silent = wire.nothing_more().await;
    silent.map_err(|what| format!("at the end: {what}"))?;
    world.settled().await.map_err(|e| format!("{e:#}"))
}

/// How many messages an address has, and what a client sent as the latest.
async fn in_mailbox(world: &World, address: &str) -> Result<(usize, Vec<u8>), String> {
    let text = |e: store::ReadError| e.to_string();
    world.settled().await.map_err(|e| format!("{e:#}"))?;
    let mailbox = World::mailbox(address).map_err(|e| format!("{e:#}"))?;
    let listing = world.store.lookup(&mailbox).await;
    let Some(Listing::Account(account)) = listing.map_err(|e| e.to_string())? else {
        return Err(format!("the world has no mailbox {address}"));
    };
    let entries = world.store.entries(account, "INBOX", 0, ENTRIES_MAX);
    let entries = entries.await.map_err(text)?;
    let Some(last) = entries.last() else {
        return Ok((0, Vec::new()));
    };
    let reader = world.store.open_message(account, "INBOX", last.uid);
    let reader = reader.await.map_err(text)?.ok_or("a message is gone")?;
    let message = reader.read_all().await.map_err(text)?;
    Ok((entries.len(), without_trace(&message)?.to_vec()))
}

/// What is left without the fields that a server adds, each of which must be there. RFC 5321 §4.4
fn without_trace(message: &[u8]) -> Result<&[u8], String> {
    let mut rest = message;
    for name in ["Return-Path: ", "Delivered-To: ", "Received: "] {
        if !rest.starts_with(name.as_bytes()) {
            return Err(format!("{name:?} is missing"));
        }
        let end = (0..rest.len()).find(|&at| {
            rest[at..].starts_with(b"\r\n") && !matches!(rest.get(at + 2), Some(b' ' | b'\t'))
        });
        rest = &rest[end.ok_or_else(|| format!("{name:?} does not end"))? + 2..];
    }
    Ok(rest)
}

async fn in_time<T>(work: impl Future<Output = std::io::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done.map_err(|e| e.to_string()),
        Err(_) => Err("the server says nothing".to_owned()),
    }
}

/// For a server that is stuck; one that works answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// More messages than any transcript sends.
const ENTRIES_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_sent_is_behind_the_trace() {
        let trace = "Return-Path: <>\r\nDelivered-To: a@b\r\nReceived: from x\r\n\tby y\r\n";
        for sent in ["", "x\r\n", "a: b\r\n\r\n c\r\n"] {
            let message = format!("{trace}{sent}");
            assert_eq!(without_trace(message.as_bytes()), Ok(sent.as_bytes()));
        }
        for message in ["x\r\n", "Return-Path: <>\r\nx\r\n", "Return-Path: <>"] {
            assert!(without_trace(message.as_bytes()).is_err(), "{message}");
        }
    }
}
