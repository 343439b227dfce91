//! Asks the running server, or the files when none runs. The answer is the same.

use std::path::Path;
use std::sync::Arc;

use admin::client::Client;
use admin::{Answer, House, Reply, Request};
use net::clock::Clock;
use store::{Embedded, Options};

use crate::cli::Global;
use crate::failure::{Failure, code};
use crate::output::Output;
use crate::place::{self, Place};
use crate::{open, privileges};

/// Asks, and gives what a program or a person gets to see. A message goes to `out` at once.
pub(crate) fn ask(global: &Global, request: Request, out: &mut Output) -> Result<Answer, Failure> {
    let place = place::place(global)?;
    if !place.data.is_dir() {
        let cause = format!("there is no data folder {}", place.data.display());
        let way_out = "`postrider serve` makes it at its first start; --data names another";
        return Err(Failure::new(code::UNAVAILABLE, cause, way_out));
    }
    match Client::connect(&place.data) {
        Ok(Some(client)) => by_socket(client, request, out),
        Ok(None) => on_files(&place, request, out),
        Err(error) => Err(not_reached(&place.data, &error)),
    }
}

fn by_socket(mut client: Client, request: Request, out: &mut Output) -> Result<Answer, Failure> {
    let broken = |error: std::io::Error| {
        let cause = format!("the server did not answer: {error}");
        Failure::new(code::TEMPFAIL, cause, "look at its log, then try again")
    };
    let answer = client.ask(request).map_err(broken)??;
    if let Answer::Message(message) = &answer {
        client.copy_body(message.size, out).map_err(broken)?;
    }
    Ok(answer)
}

fn on_files(place: &Place, request: Request, out: &mut Output) -> Result<Answer, Failure> {
    // As root we would leave files that the server's user cannot write.
    let by = privileges::invoking_user();
    privileges::become_owner_of(&place.data)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let clock = Clock::system();
        let options = Options::new(Arc::new(move || clock.now()));
        let store = Embedded::open(&place.data, options)
            .map_err(|error| open::failure(&place.data, &error))?;
        let house = House {
            domains: place.domains.clone(),
            uptime: None,
            version: env!("CARGO_PKG_VERSION"),
        };
        let result = admin::answer(&store, &house, request, &by).await;
        let answer = match result {
            Ok(Reply { answer, body }) => copy(body, out).await.map(|()| answer),
            Err(refusal) => Err(refusal.into()),
        };
        store.close();
        answer
    })
}

async fn copy(body: Option<store::MessageReader>, out: &mut Output) -> Result<(), Failure> {
    use std::io::Write;
    let Some(mut body) = body else { return Ok(()) };
    while let Some(chunk) = body
        .next()
        .await
        .map_err(|error| Failure::from(admin::Refusal::from(error)))?
    {
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
