//! Asks the running server, or the files when none runs. The answer is the same.

use std::io::Write;
use std::path::Path;

use admin::client::Client;
use admin::{Answer, House, Reply, Request};
use net::Clock;
use store::{DATABASE, Embedded, MessageReader};
use tokio::runtime::Runtime;

use crate::failure::{Failure, code};
use crate::global::Global;
use crate::place::{self, Place};
use crate::privileges;
use crate::server::{OPEN_PAUSE, OPEN_TRIES, addresses, open_store};

/// Asks, and gives what a program or a person gets to see.
pub(crate) fn ask(global: &Global, request: Request) -> Result<Answer, Failure> {
    ask_for_body(global, request, &mut std::io::sink())
}

/// Asks for a message: its octets go to `body` as they come, before the answer is given.
pub(crate) fn ask_for_body(
    global: &Global,
    request: Request,
    body: &mut impl Write,
) -> Result<Answer, Failure> {
    let place = place::place(global)?;
    if !has_data(&place.data) {
        make_data(&place, &request)?;
    }
    // On the files as root we would leave some that the server's user cannot write. The name
    // that goes into the history is the one before.
    let by = privileges::invoking_user();
    match reach(&place)? {
        Reached::Server(client) => by_socket(client, request, body),
        Reached::Files(runtime, store) => {
            let house = House {
                data: place.data.clone(),
                domains: place.domains,
                uptime: None,
                stopping: false,
                version: env!("CARGO_PKG_VERSION"),
                now: Clock::system().now(),
                delivery: None,
                addressing: place
                    .named_by
                    .as_deref()
                    .map(|config| addresses(&store, config)),
            };
            let answer = runtime.block_on(on_files(&store, &house, request, &by, body));
            store.close();
            answer
        }
    }
}

/// Whether there is anything to ask about. Where we may not look, opening tells why.
fn has_data(data: &Path) -> bool {
    let is_there = |name: &str| data.join(name).try_exists().unwrap_or(true);
    is_there(DATABASE) || is_there("bodies")
}

/// The first account may come before the first start: it makes the folder that a configuration
/// names. A question about a folder that is not there is a mistake.
fn make_data(place: &Place, request: &Request) -> Result<(), Failure> {
    let keeps = matches!(
        request,
        Request::AccountAdd { .. } | Request::AliasSet { .. }
    );
    match &place.named_by {
        Some(config) if keeps && privileges::is_root() => {
            let user = privileges::server_user(config.user.as_deref())?;
            privileges::prepare_data(&place.data, &user)
        }
        Some(_) if keeps => Ok(()), // the store makes it as the user that we are
        None if keeps && place.data.is_dir() => Ok(()),
        _ => {
            let name = place.data.display();
            let cause = if place.data.exists() {
                format!("{name} holds no data of Postrider")
            } else {
                format!("there is no data folder {name}")
            };
            let way_out = "`postrider serve` makes it at its first start; --data names another";
            Err(Failure::new(code::UNAVAILABLE, cause, way_out))
        }
    }
}

enum Reached {
    Server(Client),
    Files(Runtime, Embedded),
}

/// The server when one runs, else the files. Another command may hold these for a moment, and a
/// server that starts has the lock before it has its socket.
fn reach(place: &Place) -> Result<Reached, Failure> {
    let mut tries = OPEN_TRIES;
    loop {
        let connected = Client::connect(&place.data);
        if let Some(client) = connected.map_err(|error| not_reached(&place.data, &error))? {
            return Ok(Reached::Server(client));
        }
        privileges::become_owner_of(&place.data)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let opened = runtime.block_on(async { open_store(&place.data, &Clock::system()) });
        match opened {
            Ok(store) => return Ok(Reached::Files(runtime, store)),
            Err(in_use) if in_use.code == code::TEMPFAIL && tries > 0 => {
                tries -= 1;
                std::thread::sleep(OPEN_PAUSE);
            }
            Err(failure) => return Err(failure),
        }
    }
}

fn by_socket(
    mut client: Client,
    request: Request,
    body: &mut impl Write,
) -> Result<Answer, Failure> {
    let broken = |error: std::io::Error| {
        let cause = format!("the server did not answer: {error}");
        Failure::new(code::TEMPFAIL, cause, "look at its log, then try again")
    };
    let answer = client.ask(request).map_err(broken)??;
    if let Answer::Message(message) = &answer {
        client.copy_body(message.size, body).map_err(broken)?;
    }
    Ok(answer)
}

async fn on_files(
    store: &Embedded,
    house: &House,
    request: Request,
    by: &str,
    out: &mut impl Write,
) -> Result<Answer, Failure> {
    let Reply { answer, body } = admin::answer(store, house, request, by).await?;
    if let Some(body) = body {
        copy(body, out).await?;
    }
    Ok(answer)
}

async fn copy(mut body: MessageReader, out: &mut impl Write) -> Result<(), Failure> {
    while let Some(chunk) = body.next().await.map_err(admin::Refusal::from)? {
        out.write_all(&chunk)?;
    }
    Ok(())
}

fn not_reached(data: &Path, error: &std::io::Error) -> Failure {
    let name = data.display();
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        let cause = format!("may not look into the data folder {name}");
        let way_out = "run the command as its owner or as root";
        return Failure::new(code::NOPERM, cause, way_out);
    }
    let cause = format!("cannot reach the server of {name}: {error}");
    Failure::new(code::IOERR, cause, "")
}
