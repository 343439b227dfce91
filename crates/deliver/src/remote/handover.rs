//! Hands jobs over to a host, and what one host puts off to the next one.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use mailtypes::{ItemId, Status};
use net::Dial;
use net::dns::Dns;
use proto::smtp::client::RecipientAnswer;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use store::{Begun, Due, Store};

use super::bag::{Bag, Left, Watch};
use super::connection::Connection;
use super::job::Job;
use super::judge::{self, Circumstances, Next};
use super::message::Source;
use super::reach::Plan;
use super::trail::Trail;
use crate::limits::{LAST_TRANSACTION, MESSAGES_WHILE_WANTED, TIME_WHILE_WANTED};
use crate::outcome::Ending;
use crate::route::next_hop::NextHop;
use crate::shared::Shared;
use crate::sites::WorkerId;
use crate::traces::{self, Attempt};

mod connecting;
mod nobody;

/// The hands of a worker: its connection, and the hosts that it may still try.
pub(crate) struct Handover<S, R, D: Dial> {
    shared: Arc<Shared<S, R, D>>,
    hop: NextHop,
    /// `None`: the job is watched, and nobody of the site.
    id: Option<WorkerId>,
    bag: Arc<Bag>,
    connection: Option<Connection<D::Stream>>,
    plan: Plan,
    rng: SmallRng,
}

impl<S: Store, R: Dns, D: Dial> Handover<S, R, D> {
    pub(crate) fn new(
        shared: Arc<Shared<S, R, D>>,
        hop: NextHop,
        id: Option<WorkerId>,
        bag: Arc<Bag>,
        seed: u64,
    ) -> Self {
        Self {
            shared,
            hop,
            id,
            bag,
            connection: None,
            plan: Plan::default(),
            rng: SmallRng::seed_from_u64(seed),
        }
    }

    /// Whether there is a connection that takes more.
    pub(crate) fn is_connected(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::is_ready)
    }

    /// Whether others wait for a connection to the host.
    pub(crate) fn is_wanted(&self) -> bool {
        let connection = self.connection.as_ref();
        connection.is_some_and(|c| self.shared.addresses.is_wanted(c.address.ip()))
    }

    /// Whether it is somebody else's turn at the host.
    pub(crate) fn has_had_its_turn(&self) -> bool {
        let connection = self.connection.as_ref();
        let now = self.shared.clock.now();
        let over = |c: &Connection<D::Stream>| {
            c.used >= MESSAGES_WHILE_WANTED || now.since(c.since) >= TIME_WHILE_WANTED
        };
        connection.is_some_and(over) && self.is_wanted()
    }

    /// Returns when the host has spoken unasked or gone.
    pub(crate) async fn disturbed(&mut self) {
        match &mut self.connection {
            Some(connection) => connection.disturbed().await,
            None => std::future::pending().await,
        }
    }

    /// Takes leave of the host.
    pub(crate) async fn quit(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.quit().await;
        }
    }

    /// Works through the bag. False when there is no more to be done here: nobody was reached, or
    /// nothing can begin.
    pub(crate) async fn work(&mut self, watch: Watch) -> bool {
        let mut found = None;
        if watch == Watch::No && !self.is_connected() {
            found = self.find_host().await;
            if found.is_none() {
                return false;
            }
        }
        let Some(mut sources) = self.begin(watch).await else {
            return false;
        };
        let mut goes_on = true;
        while let Some(job) = self.bag.next() {
            let source = sources.pop_front().flatten();
            if let Some(mut trail) = found.take()
                && self.is_connected()
            {
                trail.go_on_with(&job);
                self.one(job, source, trail).await;
                continue;
            }
            let mut trail = self.trail(&job);
            let began = self.shared.clock.now();
            let shared = Arc::clone(&self.shared);
            let Some(connected) = unless_stopped(&shared, self.connect(&mut trail)).await else {
                stopped(&shared, &job, &trail).await;
                continue;
            };
            match connected {
                Ok(()) => self.one(job, source, trail).await,
                Err(nobody) => {
                    self.nobody(job, &nobody, began, &trail).await;
                    goes_on = false;
                }
            }
        }
        self.go_on_with_others().await;
        goes_on
    }

    /// Connects before anything is begun: what finds no host was never in danger of arriving twice.
    /// `None` when there is no host, or it is time to stop.
    async fn find_host(&mut self) -> Option<Trail> {
        let job = self.bag.next()?;
        let mut trail = self.trail(&job);
        let began = self.shared.clock.now();
        let shared = Arc::clone(&self.shared);
        match unless_stopped(&shared, self.connect(&mut trail)).await? {
            Ok(()) => {
                self.bag.put_back(job);
                Some(trail)
            }
            Err(nobody) => {
                self.nobody(job, &nobody, began, &trail).await;
                None
            }
        }
    }

    fn trail(&self, job: &Job) -> Trail {
        let mut trail = Trail::new(self.hop.to_string(), job.reason.clone());
        trail.began = Some(self.shared.clock.now());
        trail.traced = Attempt::new(job, &trail.hop);
        trail.counting(&self.shared.metrics.phases)
    }

    /// What the first host has put off goes on to the next one. New mail does not: it begins at the
    /// first host that can be reached. RFC 5321 §5.1
    async fn go_on_with_others(&mut self) {
        let first = self.plan.rank();
        while self.bag.left_len() > 0 {
            self.quit().await;
            for _ in 0..self.bag.left_len() {
                let Some(Left {
                    job,
                    status,
                    mut trail,
                }) = self.bag.next_left()
                else {
                    break;
                };
                let shared = Arc::clone(&self.shared);
                let further = self.connect_further(&mut trail);
                let Some(connected) = unless_stopped(&shared, further).await else {
                    stopped(&shared, &job, &trail).await;
                    continue;
                };
                if connected {
                    self.one(job, None, trail).await;
                } else {
                    // The word of the host that was there counts, and it is not down.
                    let ending = Ending::Later(status);
                    self.shared.tell_all(&job.recipients, &ending, &trail).await;
                }
            }
        }
        if self.plan.rank() > first {
            self.quit().await;
        }
        self.bag.give_up();
    }

    /// Marks the jobs as under way, drops what need not be done any more, and opens their messages.
    /// `None` when that cannot be done: then all waits as it is.
    async fn begin(&mut self, watch: Watch) -> Option<VecDeque<Option<Source>>> {
        let jobs = self.bag.peek();
        let recipients: Vec<&Due> = jobs.iter().flat_map(|job| &job.recipients).collect();
        let marks = recipients.iter().map(|due| key(due)).collect();
        let (begun, sources) = tokio::join!(
            self.shared.begin(marks, watch == Watch::Yes),
            self.shared.open(&jobs)
        );
        let Some(begun) = begun else {
            // What is in the bag of one that is watched goes back to the queue.
            if self.id.is_some() {
                self.put_back(self.bag.give_up());
            }
            return None;
        };
        let mut go = HashSet::new();
        let mut off = Vec::new();
        for (due, begun) in recipients.iter().zip(&begun) {
            if *begun == Begun::Go {
                go.insert(key(due));
            } else {
                off.push((*due).clone());
            }
        }
        self.shared.done_with(off.iter());
        self.bag.begun(|due| go.contains(&key(due)));
        let goes_on = |job: &Job| job.recipients.iter().any(|due| go.contains(&key(due)));
        let sources = jobs.iter().zip(sources);
        let sources = sources.filter_map(|(job, source)| goes_on(job).then_some(source));
        Some(sources.collect())
    }

    /// Brings one job to the host that is connected; what that one puts off is kept for the next.
    async fn one(&mut self, job: Job, source: Option<Source>, mut trail: Trail) {
        let source = match source {
            Some(source) => source,
            None => match self.shared.open(std::slice::from_ref(&job)).await.pop() {
                Some(Some(source)) => source,
                Some(None) | None => {
                    self.shared.done_with(job.recipients.iter());
                    return;
                }
            },
        };
        let Some(connection) = self.connection.as_mut() else {
            return;
        };
        trail.began = Some(self.shared.clock.now());
        let kept = connection.used > 0;
        let host = connection.name.clone();
        let span = trail
            .traced
            .transaction(&connection.host, connection.address);
        let shared = Arc::clone(&self.shared);
        let answers = tokio::select! {
            biased;
            answers = connection.transact(&job, source, &mut trail) => answers,
            () = no_more_time(&shared) => Ok(connection.cut_short(&job, &mut trail).await),
        };
        match &answers {
            Ok(answers) => traces::answered(&span, answers),
            Err(error) => traces::failed(&span, error),
        }
        drop(span);
        if !connection.is_ready() {
            self.quit().await;
        }
        match answers {
            Ok(answers) => self.sort(job, &answers, &host, kept, trail).await,
            Err(error) => self.unreadable(&job, &error, &trail).await,
        }
    }

    /// Sorts what a host has answered.
    async fn sort(
        &mut self,
        job: Job,
        answers: &[RecipientAnswer],
        host: &str,
        kept: bool,
        mut trail: Trail,
    ) {
        let others_taken = answers
            .iter()
            .any(|answer| matches!(answer, RecipientAnswer::Accepted(_)));
        if others_taken {
            self.shared.handed_over(&self.hop);
        }
        let seen = Circumstances {
            host,
            kept,
            others_taken,
        };
        let mut at_once = Vec::new();
        let mut elsewhere = Vec::new();
        let mut last = None;
        for (due, answer) in job.recipients.into_iter().zip(answers) {
            trail.blame(answer);
            let ending = match judge::judge(answer, seen) {
                Next::Delivered(status) => Ending::Delivered(status),
                Next::Never(status) => Ending::Never(status),
                Next::Later(status) => Ending::Later(status),
                Next::Stopped(status) => Ending::Stopped(status),
                Next::OtherHost(status) if !self.plan.has_more() => Ending::Later(status),
                Next::OtherHost(status) => {
                    last = Some(status);
                    elsewhere.push(due);
                    continue;
                }
                Next::AtOnce(_) => {
                    at_once.push(due);
                    continue;
                }
            };
            self.shared.tell(due, ending, &trail).await;
        }
        if !at_once.is_empty() {
            let job = Job {
                recipients: at_once,
                reason: job.reason.clone(),
                begun: true,
            };
            self.again(job, &trail).await;
        }
        if let Some(status) = last {
            let job = Job {
                recipients: elsewhere,
                reason: job.reason,
                begun: true,
            };
            self.bag.leave(Left { job, status, trail });
        }
    }

    /// A job goes to whoever comes next. When nobody will, that is told: it was begun.
    async fn again(&mut self, job: Job, trail: &Trail) {
        let shared = Arc::clone(&self.shared);
        if shared.is_stopping() {
            stopped(&shared, &job, trail).await;
        } else {
            shared.put_back(&self.hop, job);
        }
    }

    /// Our own fault: never 5yz.
    async fn unreadable(&mut self, job: &Job, error: &store::ReadError, trail: &Trail) {
        tracing::error!(item = %job.item(), %error, "a message in the queue cannot be read");
        let status = Status::new(
            mailtypes::EnhancedCode::new(4, 3, 0),
            "the message could not be read on this server",
        );
        self.shared
            .tell_all(&job.recipients, &Ending::Later(status), trail)
            .await;
    }
}

/// Looks for a host as long as there is time for that.
async fn unless_stopped<S, R, D, T>(
    shared: &Shared<S, R, D>,
    looking: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        () = shared.stopped() => None,
        found = looking => Some(found),
    }
}

/// There is no time left to look for a host.
async fn stopped<S: Store, R, D>(shared: &Shared<S, R, D>, job: &Job, trail: &Trail) {
    let ending = Ending::Stopped(judge::stopped(None, false));
    shared.tell_all(&job.recipients, &ending, trail).await;
}

/// Returns when a transaction has lasted too long beyond the order to stop.
async fn no_more_time<S, R, D>(shared: &Shared<S, R, D>) {
    shared.stopped().await;
    let until = shared.clock.now() + LAST_TRANSACTION;
    shared.clock.sleep_until(until).await;
}

fn key(due: &Due) -> (ItemId, u32) {
    (due.item, due.recipient)
}
