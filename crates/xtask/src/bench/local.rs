//! `cargo xtask bench local`: from the first message until the last one is in its mailbox.
//!
//! Postrider delivers into its own mailboxes, Exim and Postfix into Maildirs. A slow server is sent
//! fewer messages, so that a round takes about as long for each.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use super::arrivals::{self, Arrivals, Maildirs};
use super::form::Form;
use super::load::Connections;
use super::mailing::Mailing;
use super::peer::Peer;
use super::postrider::{FILES_MAX, LOOPBACK, Postrider};
use super::table::{self, Row, Sample};
use super::users::{USERS_MAX, address, users};
use super::{ROUNDS, SETTLE_MAX, empty_folder, exim, peer, postfix};
use crate::process;

const SESSIONS: u32 = 20;
/// Of one message.
const OCTETS: usize = 4096;
/// Between two looks into the log, which costs nothing; at half of this a message is late on average.
const LOG_EVERY: Duration = Duration::from_millis(5);
/// Between two looks into the Maildirs, which costs some.
const MAILDIRS_EVERY: Duration = Duration::from_millis(50);

/// A server, what tells that mail is in its mailboxes, and what it is sent in one round.
struct Place {
    server: Peer,
    told: Told,
    messages: u64,
}

enum Told {
    ByLog(Arrivals),
    ByMaildirs(Maildirs),
}

/// Prints a table for `docs/benchmarks.md`.
pub(super) fn run(form: Form) -> anyhow::Result<bool> {
    let folder = empty_folder()?;
    let users = [1, form.choose(USERS_MAX, 10)];
    let mut places = vec![ours(&folder, form, users[1])?];
    match exim::start(&folder) {
        Ok(server) => places.push(theirs(
            server,
            folder.join("exim/mail"),
            form.choose(250, 50),
        )),
        Err(error) => println!("WITHOUT Exim: {error:#}"),
    }
    match postfix::start(&folder, peer::free_port()?, postfix::PROCESSES) {
        Ok(server) => places.push(theirs(
            server,
            folder.join("postfix/mail"),
            form.choose(1_000, 100),
        )),
        Err(error) => println!("WITHOUT Postfix: {error:#}"),
    }
    let rounds = form.choose(ROUNDS, 1);
    let mut rows = Vec::new();
    for connections in [Connections::New, Connections::Kept] {
        for count in users {
            let label = format!("mailboxes: {count}, {connections}");
            println!("{label}, {rounds} rounds");
            let results = measure(&places, count, connections, rounds)?;
            rows.push(Row { label, results });
        }
    }
    let names: Vec<&str> = places.iter().map(|place| place.server.name).collect();
    println!("\n{}", table::render("delivered/s", &names, &rows));
    Ok(true)
}

fn ours(folder: &std::path::Path, form: Form, count: usize) -> anyhow::Result<Place> {
    let postrider = Postrider::start(folder, form, LOOPBACK, FILES_MAX)?;
    for user in users(count) {
        postrider.add_account(&format!("{user}@example.test"))?;
    }
    Ok(Place {
        told: Told::ByLog(arrivals::follow_log(&postrider.log, LOG_EVERY)?),
        server: postrider.peer,
        messages: form.choose(5_000, 400),
    })
}

fn theirs(server: Peer, maildirs: PathBuf, messages: u64) -> Place {
    Place {
        server,
        told: Told::ByMaildirs(Maildirs(maildirs)),
        messages,
    }
}

fn measure(
    places: &[Place],
    users: usize,
    connections: Connections,
    rounds: usize,
) -> anyhow::Result<Vec<Vec<Sample>>> {
    let mut results = vec![Vec::new(); places.len()];
    for _ in 0..rounds {
        for (place, samples) in places.iter().zip(&mut results) {
            let sample = sample(place, users, connections);
            samples.push(sample.with_context(|| format!("into {}", place.server.name))?);
        }
    }
    Ok(results)
}

fn sample(place: &Place, users: usize, connections: Connections) -> anyhow::Result<Sample> {
    let to = |number| address(number, users);
    let mailing = Mailing {
        port: place.server.port,
        sessions: SESSIONS,
        messages: place.messages,
        octets: OCTETS,
        connections,
        rate: None,
        to: &to,
    };
    let before = place.server.usage();
    let start = process::now();
    mailing.send()?;
    let count = usize::try_from(place.messages)?;
    match &place.told {
        Told::ByLog(arrivals) => drop(arrivals.take(count)?),
        Told::ByMaildirs(maildirs) => {
            arrivals::wait_for(count, MAILDIRS_EVERY, || maildirs.count())?;
        }
    }
    let took = start.elapsed();
    let after = place.server.settled_usage(SETTLE_MAX);
    if let Told::ByMaildirs(maildirs) = &place.told {
        maildirs.empty()?;
    }
    Ok(Sample::of(
        place.messages,
        OCTETS as u64,
        took,
        &before,
        &after,
    ))
}
