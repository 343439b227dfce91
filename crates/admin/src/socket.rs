//! The control socket of a running server: one line of JSON in, one line out, and behind the line
//! of a message its octets.
//!
//! Who asks is what the kernel says of the peer; only root and the owner of the data get answers.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::{Uid, User};
use store::{MessageReader, Store};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::{Answer, House, Kind, Line, Refusal, VERSION, answer};

/// The name of the socket in the data folder.
pub const NAME: &str = "control.sock";

/// A bound control socket. The file goes when this is dropped.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    owner: Uid,
}

impl ControlSocket {
    /// Binds `NAME` in the data folder. A socket that a dead server left is replaced: whoever
    /// calls this holds the lock of the data, so no living one can own it.
    pub fn bind(data: &Path) -> io::Result<Self> {
        let path = data.join(NAME);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let folder = std::fs::File::open(data)?;
        let listener = UnixListener::bind(short_path(&folder))?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        let owner = Uid::from_raw(folder.metadata()?.uid());
        Ok(Self {
            listener,
            path,
            owner,
        })
    }

    /// Answers until it is dropped. `house` is asked anew for each request: a reload may change it.
    pub async fn serve<S, H>(&self, store: S, house: H)
    where
        S: Store,
        H: Fn() -> House + Send + Sync + 'static,
    {
        let house = Arc::new(house);
        let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok(seat) = Arc::clone(&seats).acquire_owned().await else {
                return;
            };
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "control socket: accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let (store, house, owner) = (store.clone(), Arc::clone(&house), self.owner);
            tokio::spawn(async move {
                if let Err(error) = converse(stream, &store, &*house, owner).await {
                    tracing::debug!(%error, "control socket: a conversation broke off");
                }
                drop(seat);
            });
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // If it stays, the next server replaces it.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A socket address holds 107 octets; by way of the open folder any path fits.
pub(crate) fn short_path(folder: &std::fs::File) -> PathBuf {
    use std::os::fd::AsRawFd;
    PathBuf::from(format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd()))
}

/// One connection: requests in turn, until the peer goes or is silent for too long.
async fn converse<S: Store>(
    stream: UnixStream,
    store: &S,
    house: &(impl Fn() -> House + Sync),
    owner: Uid,
) -> io::Result<()> {
    let uid = Uid::from_raw(stream.peer_cred()?.uid());
    let by = name_of(uid).await;
    let mut stream = BufReader::new(stream);
    if !uid.is_root() && uid != owner {
        let text = format!("{by} may not ask here: only root and the owner of the data may");
        return write_line(&mut stream, &Err(Refusal::new(Kind::NoPerm, text))).await;
    }
    while let Some(line) = read_line(&mut stream).await? {
        match parse(&line) {
            Err(refusal) => write_line(&mut stream, &Err(refusal)).await?,
            Ok(request) => match answer(store, &house(), request, &by).await {
                Err(refusal) => write_line(&mut stream, &Err(refusal)).await?,
                Ok(reply) => {
                    write_line(&mut stream, &Ok(reply.answer)).await?;
                    if let Some(body) = reply.body {
                        write_body(&mut stream, body).await?;
                    }
                }
            },
        }
    }
    Ok(())
}

fn parse(line: &[u8]) -> Result<crate::Request, Refusal> {
    let refuse = |text: String| Refusal::new(Kind::Usage, text);
    let line: Line = serde_json::from_slice(line).map_err(|error| {
        refuse(format!(
            "the server does not understand the request: {error}"
        ))
    })?;
    if line.version == VERSION {
        Ok(line.request)
    } else {
        Err(refuse(format!(
            "the request has form {}, the server speaks form {VERSION}: program and server differ in version",
            line.version
        )))
    }
}

/// A line without its end; `None` when the peer has gone or is silent.
async fn read_line(stream: &mut BufReader<UnixStream>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut limited = stream.take(REQUEST_LEN_MAX);
    let Ok(read) = timeout(REQUEST_DEADLINE, limited.read_until(b'\n', &mut line)).await else {
        return Ok(None);
    };
    read?;
    if line.pop() == Some(b'\n') {
        return Ok(Some(line));
    }
    Ok(None)
}

async fn write_line(
    stream: &mut BufReader<UnixStream>,
    answer: &Result<Answer, Refusal>,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    write_all(stream, &line).await
}

async fn write_body(stream: &mut BufReader<UnixStream>, mut body: MessageReader) -> io::Result<()> {
    // A damaged body ends the connection early: the peer counts and sees that octets are missing.
    while let Some(chunk) = body.next().await.map_err(io::Error::other)? {
        write_all(stream, &chunk).await?;
    }
    Ok(())
}

async fn write_all(stream: &mut BufReader<UnixStream>, bytes: &[u8]) -> io::Result<()> {
    timeout(WRITE_DEADLINE, stream.write_all(bytes)).await?
}

/// The user's name, as it goes into the history; a user without one is its number.
async fn name_of(uid: Uid) -> String {
    // The user database may sit on the network: it must not stop others.
    let found = tokio::task::spawn_blocking(move || User::from_uid(uid)).await;
    match found {
        Ok(Ok(Some(user))) => user.name,
        _ => format!("uid {uid}"),
    }
}

/// Octets of a request line.
const REQUEST_LEN_MAX: u64 = 64 * 1024;
/// Conversations at a time; more wait at the door.
const CONNECTIONS_MAX: usize = 16;
/// Silence before a request, and the time that one may take to arrive.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
/// Until the peer has taken one piece of an answer.
const WRITE_DEADLINE: Duration = Duration::from_secs(60);
/// After a failed accept, so that an exhausted process does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
