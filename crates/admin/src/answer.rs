//! From a request to an answer: the same for the socket and for the files of a stopped server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mailtypes::{Domain, Host, ItemId, Mailbox, Timestamp};
use store::{Addressing, MessageReader, Store};

use crate::view::{AuditView, CheckView, ProblemView, StatusView};
use crate::{Answer, Kind, Refusal, Request};

mod address;
mod alias;
mod behind;
mod delivery;
mod directory;
mod mail;
mod maildir;
mod order;
mod queue;

use behind::look;

/// What an answer depends on besides the store.
#[derive(Clone, Debug)]
pub struct House {
    /// The data folder.
    pub data: PathBuf,
    /// Domains whose mail is ours; `None` when no configuration is at hand to tell.
    pub domains: Option<Vec<Domain>>,
    /// How long the server runs; `None` when it does not.
    pub uptime: Option<Duration>,
    /// Whether it is on its way out.
    pub stopping: bool,
    /// The program's version.
    pub version: &'static str,
    /// The time.
    pub now: Timestamp,
    /// What delivers; `None` when nothing does.
    pub delivery: Option<Arc<dyn Delivery>>,
    /// Who knows what addresses mean.
    pub addressing: Option<Addresses>,
}

/// Who knows what addresses mean.
#[derive(Clone)]
pub struct Addresses(pub Arc<dyn Addressing>);

impl std::fmt::Debug for Addresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Addresses")
    }
}

/// What an operator may ask of delivery.
pub trait Delivery: std::fmt::Debug + Send + Sync {
    /// Something is due now for these hosts, or for any, also where nobody could be reached a moment
    /// ago.
    fn try_at_once(&self, hosts: Option<&[Host]>);
}

/// An answer, and the octets that belong to it.
pub struct Reply {
    /// The answer.
    pub answer: Answer,
    /// The message of [`Answer::Message`].
    pub body: Option<MessageReader>,
}

/// Does what is asked, in the name of `by`.
pub async fn answer(
    store: &impl Store,
    house: &House,
    request: Request,
    by: &str,
) -> Result<Reply, Refusal> {
    let answer = match request {
        Request::MailShow { account, uid } => return mail::show(store, &account, uid).await,
        Request::Status => look(store, |store| async move { status(&store, house).await }).await,
        Request::Stopping => Ok(Answer::Stopping {
            stopping: house.stopping,
        }),
        Request::Trace {
            what,
            before,
            limit,
        } => {
            let trace = |store| async move {
                queue::trace(&store, house, &what, before.as_deref(), page(limit)).await
            };
            look(store, trace).await
        }
        Request::QueueList {
            which,
            after,
            limit,
        } => {
            let list = |store| async move {
                queue::list(&store, house, &which, after.as_deref(), page(limit)).await
            };
            look(store, list).await
        }
        Request::QueueShow { id } => {
            let id = item_id(&id)?;
            look(store, |store| async move {
                queue::show(&store, house, id).await
            })
            .await
        }
        Request::Order {
            order,
            which,
            after,
        } => order::carry_out(store, house, order, &which, after.as_deref(), by).await,
        Request::Address { address } => address::explain(store, house, &address).await,
        Request::Audit => audit(store).await,
        Request::Check => check(store).await,
        Request::AccountAdd {
            address,
            password_hash,
        } => directory::add(store, house, &address, password_hash.0.expose()).await,
        Request::AccountList { after, limit } => {
            directory::list(store, after.as_deref(), page(limit)).await
        }
        Request::AccountRemove { address } => directory::remove(store, &address).await,
        Request::AccountPasswd {
            address,
            password_hash,
        } => directory::passwd(store, &address, password_hash.0.expose()).await,
        Request::AccountDeliver {
            address,
            maildir,
            forward,
            keep,
        } => delivery::set(store, house, &address, maildir, &forward, keep).await,
        Request::AliasSet { address, targets } => {
            alias::set(store, house, &address, &targets).await
        }
        Request::AliasList { after, limit } => {
            alias::list(store, after.as_deref(), page(limit)).await
        }
        Request::AliasRemove { address } => alias::remove(store, &address).await,
        Request::MailList {
            account,
            after,
            limit,
        } => mail::list(store, &account, after, page(limit)).await,
    }?;
    Ok(Reply { answer, body: None })
}

async fn status(store: &impl Store, house: &House) -> Result<Answer, Refusal> {
    let open = store.open_recipients().await?;
    Ok(Answer::Status(StatusView {
        version: house.version.to_owned(),
        running: house.uptime.is_some(),
        uptime_secs: house.uptime.map(|uptime| uptime.as_secs()),
        open,
        behind: None,
    }))
}

async fn audit(store: &impl Store) -> Result<Answer, Refusal> {
    let report = store.audit().await?;
    let totals = report.totals;
    Ok(Answer::Audit(AuditView {
        balanced: totals.balance() && report.problems.is_empty(),
        accepted: totals.accepted,
        delivered: totals.delivered,
        bounced: totals.bounced,
        suppressed: totals.suppressed,
        removed: totals.removed,
        open: totals.open,
        problems: report.problems.iter().map(problem).collect(),
    }))
}

async fn check(store: &impl Store) -> Result<Answer, Refusal> {
    let report = store.check().await?;
    Ok(Answer::Check(CheckView {
        bodies: report.bodies,
        octets: report.octets,
        problems: report.problems.iter().map(problem).collect(),
    }))
}

fn problem(problem: &store::Problem) -> ProblemView {
    ProblemView {
        id: problem.item.map(|id| id.to_string()),
        text: problem.text.clone(),
    }
}

/// An address from outside.
fn mailbox(text: &str) -> Result<Mailbox, Refusal> {
    Mailbox::parse(text)
        .map_err(|why| Refusal::new(Kind::Data, format!("`{text}` is no address: {why}")))
}

fn item_id(text: &str) -> Result<ItemId, Refusal> {
    ItemId::parse(text)
        .map_err(|why| Refusal::new(Kind::Data, format!("`{text}` is no queue id: {why}")))
}

/// Rows of one answer: at least one, at most what the store gives.
fn page(limit: usize) -> usize {
    limit.clamp(1, store::limits::PAGE_MAX)
}

/// Where a list goes on: behind its last row, when the page was full.
fn next_of<T, N>(rows: &[T], limit: usize, cursor: impl Fn(&T) -> N) -> Option<N> {
    (rows.len() >= limit)
        .then(|| rows.last().map(cursor))
        .flatten()
}
