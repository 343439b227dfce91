//! A next host that takes everything and notes when: `smtp-sink` counts, but tells no times.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use anyhow::Context;

use super::arrivals::Arrivals;

/// It serves until this process ends.
pub(super) struct Sink {
    pub(super) port: u16,
    /// By the local part of the recipient.
    pub(super) arrivals: Arrivals,
}

impl Sink {
    pub(super) fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("binding the sink")?;
        let port = listener.local_addr()?.port();
        let arrivals = Arrivals::default();
        let noted = arrivals.clone();
        std::thread::spawn(move || {
            for peer in listener.incoming().flatten() {
                let noted = noted.clone();
                // A peer that goes away in the middle has brought nothing.
                std::thread::spawn(move || drop(serve(&peer, &noted)));
            }
        });
        Ok(Self { port, arrivals })
    }
}

/// One connection to its end. A message counts when its final dot is there.
fn serve(peer: &TcpStream, arrivals: &Arrivals) -> std::io::Result<()> {
    peer.set_nodelay(true)?;
    let mut lines = BufReader::new(peer);
    let mut replies = peer;
    replies.write_all(b"220 sink.test ESMTP\r\n")?;
    let mut recipients = Vec::new();
    let mut line = Vec::new();
    while next_line(&mut lines, &mut line)? {
        match line.get(..4) {
            Some(b"EHLO") => {
                replies.write_all(b"250-sink.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n")?;
            }
            Some(b"RCPT") => {
                recipients.push(local_part(&String::from_utf8_lossy(&line)).to_owned());
                replies.write_all(b"250 2.1.5 Ok\r\n")?;
            }
            Some(b"DATA") => {
                replies.write_all(b"354 Go on\r\n")?;
                while line != b".\r\n" {
                    if !next_line(&mut lines, &mut line)? {
                        return Ok(());
                    }
                }
                recipients.drain(..).for_each(|to| arrivals.note(to));
                replies.write_all(b"250 2.0.0 Taken\r\n")?;
            }
            Some(b"QUIT") => return replies.write_all(b"221 2.0.0 Bye\r\n"),
            _ => replies.write_all(b"250 2.0.0 Ok\r\n")?,
        }
    }
    Ok(())
}

/// False at the end of the connection.
fn next_line(lines: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    Ok(lines.read_until(b'\n', line)? > 0)
}

/// `m7` of `RCPT TO:<m7@sink.test>`.
fn local_part(command: &str) -> &str {
    let address = command.split_once('<').map_or("", |(_, address)| address);
    address.split_once('@').map_or("", |(local, _)| local)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::session::{Session, message};

    #[test]
    fn what_is_sent_is_noted() {
        let sink = Sink::start().unwrap();
        let mut session = Session::open(sink.port).unwrap();
        session.deliver("m7@sink.test", &message(300)).unwrap();
        session.deliver("m8@sink.test", &message(300)).unwrap();
        session.quit().unwrap();
        let noted = sink.arrivals.take(2).unwrap();
        let names: Vec<&str> = noted.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["m7", "m8"]);
    }
}
