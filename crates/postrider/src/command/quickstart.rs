//! `quickstart`: a whole mail system on loopback, with no configuration.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use admin::{House, Request};
use mailtypes::{Domain, ItemId};
use net::Clock;
use net::activation::Given;
use net::listen::BindError;
use store::{Embedded, RecipientState, Store};

use super::serve::raise_file_limit;
use super::trace::tell;
use crate::config::{Config, Listen, LogForm};
use crate::failure::{Failure, code};
use crate::global::Global;
use crate::output::Output;
use crate::place::{QUICKSTART_DATA, QUICKSTART_DOMAIN};
use crate::server::{Orders, Server, Sockets, open_store_to_serve};
use crate::{logging, privileges, sandbox};

mod accounts;
mod first_message;
mod words;

/// How to try it out.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where SMTP is spoken.
    #[arg(long, default_value = "127.0.0.1:2525", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
}

pub(crate) fn run(global: &Global, args: &Args, out: &mut Output) -> Result<u8, Failure> {
    let data = match &global.data {
        Some(Some(data)) => data.clone(),
        Some(None) | None => PathBuf::from(QUICKSTART_DATA),
    };
    // Before anything is made: a port that is taken ends it here.
    let socket = bind(args.listen)?;
    let config = config(data, socket.addr)?;
    if privileges::is_root() {
        out.line(
            "(You are root: for a try-out that is fine, the server stays root on loopback.)\n",
        )?;
    }
    raise_file_limit();
    // Nobody reads a log yet, and a try-out runs on a kernel of any age.
    let _in_force = sandbox::enter(&config, None);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(show_and_serve(global, config, socket, out))
}

fn bind(listen: SocketAddr) -> Result<Given, Failure> {
    let listener = net::listen::bind(listen).map_err(|error| match error {
        BindError::InUse(_) => {
            let way_out = "stop it, or choose another port: quickstart --listen 127.0.0.1:2526";
            Failure::new(
                code::UNAVAILABLE,
                format!("another program listens on {listen}"),
                way_out,
            )
        }
        other => Failure::new(code::UNAVAILABLE, other.to_string(), ""),
    })?;
    Ok(Given {
        addr: listener.local_addr()?,
        dual_stack: false,
        listener,
    })
}

fn config(data: PathBuf, listen: SocketAddr) -> Result<Config, Failure> {
    let domain = Domain::parse(QUICKSTART_DOMAIN)
        .map_err(|why| Failure::new(code::CONFIG, why.to_string(), ""))?;
    Ok(Config {
        hostname: domain.clone(),
        domains: vec![domain],
        data,
        listen: vec![Listen::plain(listen)],
        log: LogForm::Text,
        ..Config::default()
    })
}

async fn show_and_serve(
    global: &Global,
    config: Config,
    socket: Given,
    out: &mut Output,
) -> Result<u8, Failure> {
    let orders = Orders::listen(None)?;
    let clock = Clock::system();
    let store = open_store_to_serve(&config.data, &clock).await?;
    if let Some(upgraded) = store.upgraded() {
        out.line(format!(
            "The data was of an older version and has been upgraded. As it was: {}\n",
            upgraded.backup.display()
        ))?;
    }
    let words = words::Words::new(&config.data, global);
    let is_new = accounts::welcome(&store, &config, &words, out).await?;
    // A reader of our output may wait for the passwords before it knocks at the port.
    out.flush()?;
    let address = socket.addr;
    let sockets = Sockets::Own(vec![socket]);
    let data = config.data.clone();
    let server = Server::start(store.clone(), clock.clone(), config, None, sockets).await?;
    words.telnet(address, out)?;
    if is_new {
        show_first_message(&store, data, &clock, address, &words, out).await?;
    }
    out.line(format!("\nServing SMTP on {address} until Ctrl-C."))?;
    out.flush()?;
    // From here on the log belongs to what others send.
    logging::start(LogForm::Text, None);
    server.run(orders).await?;
    Ok(code::DONE)
}

/// Sends through our own port, as anybody would, and shows where it landed.
async fn show_first_message(
    store: &Embedded,
    data: PathBuf,
    clock: &Clock,
    address: SocketAddr,
    words: &words::Words,
    out: &mut Output,
) -> Result<(), Failure> {
    let now = clock.now();
    let id = tokio::task::spawn_blocking(move || first_message::send(address, now))
        .await
        .map_err(std::io::Error::other)??;
    wait_for_end(store, clock, id).await?;
    let house = House {
        data,
        domains: None,
        uptime: None,
        stopping: false,
        version: env!("CARGO_PKG_VERSION"),
        now: clock.now(),
        delivery: None,
        addressing: None,
    };
    let request = Request::Trace {
        what: id.to_string(),
        before: None,
        limit: 1,
    };
    let reply = admin::answer(store, &house, request, "quickstart").await?;
    out.line("\nA first message was sent that way just now. This became of it:\n")?;
    out.line(format!("  {}", words.command(&format!("trace {id}"))))?;
    if let admin::Answer::Story(story) = reply.answer {
        tell(&story, out)?;
    }
    words.next_steps(out)?;
    Ok(())
}

async fn wait_for_end(store: &Embedded, clock: &Clock, id: ItemId) -> Result<(), Failure> {
    let late = clock.now() + DELIVERY_MAX;
    while clock.now() < late {
        let story = store.story(id).await.map_err(admin::Refusal::from)?;
        let recipients = story.map(|item| item.recipients).unwrap_or_default();
        let waits = recipients.iter().any(|r| r.state == RecipientState::Queued);
        if !waits && !recipients.is_empty() {
            return Ok(());
        }
        clock.sleep_until(clock.now() + LOOK_AGAIN).await;
    }
    let cause = format!("the first message ({id}) was accepted but not delivered in time");
    Err(Failure::new(
        code::TEMPFAIL,
        cause,
        format!("postrider trace {id} tells more"),
    ))
}

/// Until the first message lies in its mailbox.
const DELIVERY_MAX: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
