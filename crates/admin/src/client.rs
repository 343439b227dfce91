//! Asks a running server by its control socket. Blocking: a command has nothing else to do.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::socket::short_path;
use crate::{Answer, Line, Refusal, Request, VERSION};

/// A connection to a running server.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the server of a data folder; `None` when none runs there.
    pub fn connect(data: &Path) -> io::Result<Option<Self>> {
        let folder = match std::fs::File::open(data) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            folder => folder?,
        };
        let stream = match UnixStream::connect(short_path(&folder)) {
            Ok(stream) => stream,
            // Nobody listens: the file is missing, or a dead server left it.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        stream.set_write_timeout(Some(WRITE_DEADLINE))?;
        stream.set_read_timeout(Some(ANSWER_DEADLINE))?;
        Ok(Some(Self {
            stream: BufReader::new(stream),
        }))
    }

    /// Asks one thing. Behind [`Answer::Message`] call [`Client::copy_body`] before the next.
    pub fn ask(&mut self, request: Request) -> io::Result<Result<Answer, Refusal>> {
        let mut line = serde_json::to_vec(&Line {
            version: VERSION,
            request,
        })?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line)?;
        let mut answer = Vec::new();
        self.stream
            .by_ref()
            .take(ANSWER_LEN_MAX)
            .read_until(b'\n', &mut answer)?;
        if answer.last() != Some(&b'\n') {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server broke off before its answer was complete",
            ));
        }
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Whether the server says that it is on its way out. One that says nothing, or does not know
    /// the question, stays.
    pub fn is_stopping(mut self) -> bool {
        let stream = self.stream.get_ref();
        let patient = stream
            .set_write_timeout(Some(LIFE_DEADLINE))
            .and_then(|()| stream.set_read_timeout(Some(LIFE_DEADLINE)));
        let answer = patient.and_then(|()| self.ask(Request::Stopping));
        matches!(answer, Ok(Ok(Answer::Stopping { stopping: true })))
    }

    /// Copies the `size` octets of the message that was just announced.
    pub fn copy_body(&mut self, size: u64, out: &mut impl Write) -> io::Result<()> {
        if io::copy(&mut self.stream.by_ref().take(size), out)? == size {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the server broke off within the message; its log says why",
        ))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // The server then sees the end at once instead of waiting for another request.
        let _ = self.stream.get_ref().shutdown(Shutdown::Both);
    }
}

/// Until the server has taken a request.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// Until the server has answered: a check of all bodies reads the whole disk.
const ANSWER_DEADLINE: Duration = Duration::from_hours(24);
/// Until a server has said whether it stays.
const LIFE_DEADLINE: Duration = Duration::from_secs(1);
/// Octets of an answer: a thousand rows with all their recipients stay far below.
const ANSWER_LEN_MAX: u64 = 256 * 1024 * 1024;
