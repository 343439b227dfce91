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

use super::connection::Connection;
use super::job::Job;
use super::judge::{self, Circumstances, Next};
use super::message::Source;
use super::reach::{self, Nobody, Plan};
use super::trail::Trail;
use super::visit::{Bag, Watch};
use crate::limits::MESSAGES_PER_CONNECTION;
use crate::outcome::Ending;
use crate::route::next_hop::NextHop;
use crate::shared::Shared;

/// The hands of a worker: its connection, and the hosts that it may still try.
pub(crate) struct Handover<S, R, D: Dial> {
    shared: Arc<Shared<S, R, D>>,
    hop: NextHop,
    bag: Arc<Bag>,
    connection: Option<Connection<D::Stream>>,
    plan: Plan,
    rng: SmallRng,
}

/// A recipient whom the next host is to be asked about, and what the last one said.
struct Left {
    job: Job,
    status: Status,
    trail: Trail,
}

impl<S: Store, R: Dns, D: Dial> Handover<S, R, D> {
    pub(crate) fn new(
        shared: Arc<Shared<S, R, D>>,
        hop: NextHop,
        bag: Arc<Bag>,
        seed: u64,
    ) -> Self {
        Self {
            shared,
            hop,
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

    /// Takes leave of the host.
    pub(crate) async fn quit(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.quit().await;
        }
    }

    /// Works through the bag.
    pub(crate) async fn work(&mut self, watch: Watch) {
        let mut sources = self.begin(watch).await;
        let mut left = Vec::new();
        while let Some(job) = self.bag.next() {
            let source = sources.pop_front().flatten();
            let trail = Trail::new(self.hop.to_string(), job.reason.clone());
            left.extend(self.one(job, source, trail, false).await);
        }
        // What the first host has put off goes on to the next one.
        while !left.is_empty() {
            self.quit().await;
            let now = std::mem::take(&mut left);
            for Left { job, status, trail } in now {
                if self.is_connected() || self.plan.has_more() {
                    left.extend(self.one(job, None, trail, true).await);
                } else {
                    self.shared
                        .tell_all(&job.recipients, &Ending::Later(status), &trail)
                        .await;
                }
            }
        }
    }

    /// Marks the jobs as under way, drops what need not be done any more, and opens their messages.
    async fn begin(&mut self, watch: Watch) -> VecDeque<Option<Source>> {
        let jobs = self.bag.peek();
        let recipients: Vec<&Due> = jobs.iter().flat_map(|job| &job.recipients).collect();
        let marks = recipients.iter().map(|due| key(due)).collect();
        let (begun, sources) = tokio::join!(
            self.shared.begin(marks, watch == Watch::Yes),
            self.shared.open(&jobs)
        );
        let Some(begun) = begun else {
            self.bag.retain(|_| false);
            self.shared.let_go(recipients.into_iter());
            return VecDeque::new();
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
        self.bag.retain(|due| go.contains(&key(due)));
        let goes_on = |job: &Job| job.recipients.iter().any(|due| go.contains(&key(due)));
        let sources = jobs.iter().zip(sources);
        sources
            .filter_map(|(job, source)| goes_on(job).then_some(source))
            .collect()
    }

    /// Brings one job to a host: answers what the next one is to be asked about.
    async fn one(
        &mut self,
        job: Job,
        source: Option<Source>,
        mut trail: Trail,
        beyond: bool,
    ) -> Option<Left> {
        if let Err(nobody) = self.connect(&mut trail, beyond).await {
            self.nobody(&job, nobody, &trail).await;
            return None;
        }
        let source = match source {
            Some(source) => source,
            None => match self.shared.open(std::slice::from_ref(&job)).await.pop() {
                Some(Some(source)) => source,
                Some(None) | None => {
                    self.shared.done_with(job.recipients.iter());
                    return None;
                }
            },
        };
        let connection = self.connection.as_mut()?;
        let kept = connection.used > 0;
        let host = connection.name.clone();
        let answers = connection.transact(&job, source, &mut trail).await;
        if !connection.is_ready() {
            self.quit().await;
        }
        match answers {
            Ok(answers) => self.sort(job, &answers, &host, kept, trail).await,
            Err(error) => {
                self.unreadable(&job, &error, &trail).await;
                None
            }
        }
    }

    /// A connection that takes a message: the one at hand, or a new one. `beyond` goes on with the
    /// hosts that have not been tried.
    async fn connect(&mut self, trail: &mut Trail, beyond: bool) -> Result<(), Nobody> {
        if let Some(connection) = &self.connection
            && connection.is_ready()
            && connection.used < MESSAGES_PER_CONNECTION
        {
            trail.host(
                &connection.host,
                connection.address,
                None,
                connection.used > 0,
            );
            return Ok(());
        }
        self.quit().await;
        if !beyond {
            self.plan = reach::plan(&self.shared, &self.hop, &mut self.rng, trail).await?;
        }
        let connection = reach::reach(&self.shared, &mut self.plan, trail).await?;
        self.shared.sites().up(&self.hop);
        self.connection = Some(connection);
        Ok(())
    }

    /// Sorts what a host has answered.
    async fn sort(
        &mut self,
        job: Job,
        answers: &[RecipientAnswer],
        host: &str,
        kept: bool,
        mut trail: Trail,
    ) -> Option<Left> {
        let others_taken = answers
            .iter()
            .any(|answer| matches!(answer, RecipientAnswer::Accepted(_)));
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
            };
            self.shared.put_back(&self.hop, job);
        }
        last.map(|status| Left {
            job: Job {
                recipients: elsewhere,
                reason: job.reason,
            },
            status,
            trail,
        })
    }

    /// No host could be reached for a job: that goes for all that waits for this next hop.
    async fn nobody(&mut self, job: &Job, nobody: Nobody, trail: &Trail) {
        let ending = if nobody.status.code.class == 5 {
            Ending::Never(nobody.status.clone())
        } else {
            Ending::Later(nobody.status.clone())
        };
        self.shared.tell_all(&job.recipients, &ending, trail).await;
        if !nobody.is_down {
            return;
        }
        let waiting = self.shared.site_failed(&self.hop, &nobody.status);
        for job in &waiting {
            let trail = Trail::new(self.hop.to_string(), job.reason.clone());
            self.shared.tell_all(&job.recipients, &ending, &trail).await;
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

fn key(due: &Due) -> (ItemId, u32) {
    (due.item, due.recipient)
}
