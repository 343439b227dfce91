//! Messages go into Maildirs: one at a time into each, several in all, and none keeps another one
//! waiting. A Maildir that hangs gets no more until its thread has come back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};

use mailtypes::{EnhancedCode, Status};
use store::{Begun, Due, Store};

use super::Here;
use super::under_way::{Left, Work};
use crate::limits::{
    MAILDIR_LINE_MAX, MAILDIR_LINES_MAX, MAILDIR_TIMEOUT, MAILDIRS_AT_ONCE, STOP_WAIT,
};
use crate::local;
use crate::outcome::Ending;
use crate::shared::Shared;
use crate::traces;

/// What is to go into Maildirs, and who writes there. All that waits here is held.
#[derive(Debug, Default)]
pub(super) struct Maildirs {
    lines: BTreeMap<String, VecDeque<Due>>,
    /// Recipients in all lines.
    waiting: usize,
    /// Whose turn it is.
    turns: VecDeque<String>,
    /// The store has more, for which there was no room.
    more: bool,
    writers: BTreeMap<String, Writer>,
    /// One at a time of those that were in hand when a process died.
    suspect: Weak<()>,
}

/// Somebody who writes, for as long as the thread holds its half.
#[derive(Debug)]
struct Writer {
    thread: Weak<()>,
    overdue: bool,
}

/// Held by a thread as long as it may touch a Maildir.
pub(crate) type Pass = Arc<()>;

impl Maildirs {
    /// Whether there is room for one more.
    fn has_room(&self, path: &str) -> bool {
        let line = self.lines.get(path).map_or(0, VecDeque::len);
        line < MAILDIR_LINE_MAX && self.waiting < MAILDIR_LINES_MAX
    }

    /// Whether nothing can be brought there: somebody hangs.
    fn is_stuck(&mut self, path: &str) -> bool {
        self.writers
            .retain(|_, writer| writer.thread.strong_count() > 0);
        let overdue = self.writers.values().filter(|writer| writer.overdue);
        overdue.count() >= MAILDIRS_AT_ONCE
            || self.writers.get(path).is_some_and(|writer| writer.overdue)
    }

    fn add(&mut self, path: &str, due: Due) {
        let line = self.lines.entry(path.to_owned()).or_default();
        if line.is_empty() {
            self.turns.push_back(path.to_owned());
        }
        line.push_back(due);
        self.waiting += 1;
    }

    /// The next one to deliver.
    fn next(&mut self) -> Option<(Due, Pass)> {
        self.writers
            .retain(|_, writer| writer.thread.strong_count() > 0);
        if self.writers.len() >= MAILDIRS_AT_ONCE {
            return None;
        }
        for _ in 0..self.turns.len() {
            let path = self.turns.pop_front()?;
            let first = self.lines.get(&path).and_then(VecDeque::front);
            let waits = first.is_some_and(|due| due.suspect && self.suspect.strong_count() > 0);
            if waits || self.writers.contains_key(&path) {
                self.turns.push_back(path);
                continue;
            }
            return self.pop(path);
        }
        None
    }

    fn pop(&mut self, path: String) -> Option<(Due, Pass)> {
        let line = self.lines.get_mut(&path)?;
        let due = line.pop_front()?;
        self.waiting -= 1;
        if line.is_empty() {
            self.lines.remove(&path);
        } else {
            self.turns.push_back(path.clone());
        }
        let pass = Pass::new(());
        let thread = Arc::downgrade(&pass);
        if due.suspect {
            self.suspect = Weak::clone(&thread);
        }
        let overdue = false;
        self.writers.insert(path, Writer { thread, overdue });
        Some((due, pass))
    }

    /// A writer did not come back in time; answers what waited behind it.
    fn overdue(&mut self, path: &str) -> Vec<Due> {
        if let Some(writer) = self.writers.get_mut(path) {
            writer.overdue = true;
        }
        let stuck: Vec<String> = self.lines.keys().cloned().collect();
        let stuck = stuck.into_iter().filter(|path| self.is_stuck(path));
        let stuck: Vec<String> = stuck.collect();
        self.turns.retain(|path| !stuck.contains(path));
        let lines = stuck.iter().filter_map(|path| self.lines.remove(path));
        let left: Vec<Due> = lines.flatten().collect();
        self.waiting -= left.len();
        left
    }

    /// All that waits.
    fn empty(&mut self) -> Vec<Due> {
        self.turns.clear();
        self.waiting = 0;
        let lines = std::mem::take(&mut self.lines);
        lines.into_values().flatten().collect()
    }
}

impl<S: Store, R: Send + Sync + 'static, D: Send + Sync + 'static> Here<S, R, D> {
    /// Lines one up. Without room it stays in the store, and is found at a later walk.
    pub(super) async fn offer_to_maildir(&mut self, due: Due) {
        let Some(path) = due.maildir.clone() else {
            return;
        };
        if self.maildirs.is_stuck(&path) {
            return self.tell(due, hangs(), &detail(&path)).await;
        }
        if !self.maildirs.has_room(&path) {
            self.maildirs.more = true;
        } else if self.shared.sites().hold(&due) {
            self.maildirs.add(&path, due);
        }
    }

    /// Begins as many as may go at a time.
    pub(super) async fn begin_maildirs(&mut self) {
        while let Some((due, pass)) = self.maildirs.next() {
            let shared = Arc::clone(&self.shared);
            self.under_way.begin(due.clone(), one(shared, due, pass));
        }
    }

    /// Looks after those that have ended.
    pub(super) async fn look_at_maildirs(&mut self) {
        while let Some(left) = self.under_way.try_next() {
            self.maildir_left(left).await;
        }
    }

    pub(super) async fn maildir_left(&mut self, (due, work): Left) {
        let path = due.maildir.clone().unwrap_or_default();
        match work {
            Ok(Work::Done) => {}
            Ok(Work::Overdue) => {
                for due in self.maildirs.overdue(&path) {
                    self.shared.tell_here(due, hangs(), &detail(&path)).await;
                }
            }
            Err(error) => {
                tracing::error!(item = %due.item, to = %due.address, %error, "a delivery came to grief");
                let detail = detail(&path);
                self.shared.tell_here(due, Ending::Crashed, &detail).await;
            }
        }
        if self.maildirs.more && self.maildirs.waiting < MAILDIR_LINE_MAX / 2 {
            self.maildirs.more = false;
            self.front_at = self.shared.clock.now();
        }
        self.begin_maildirs().await;
    }

    /// Ends what was begun, and lets go of the rest.
    pub(super) async fn end_maildirs(&mut self) {
        self.shared.let_go(self.maildirs.empty().iter());
        for left in self.under_way.end(STOP_WAIT).await {
            self.maildir_left(left).await;
        }
    }
}

/// Brings one message into a Maildir. The mark of it is durable before anything is written.
async fn one<S: Store, R, D>(shared: Arc<Shared<S, R, D>>, due: Due, pass: Pass) -> Work {
    let marked = shared.begin(vec![(due.item, due.recipient)], due.suspect);
    match marked.await.as_deref() {
        Some([Begun::Go]) => {}
        Some(_) => {
            shared.done_with(std::iter::once(&due));
            return Work::Done;
        }
        None => {
            shared.let_go(std::iter::once(&due));
            return Work::Done;
        }
    }
    let span = traces::mailbox(&due);
    let hostname = shared.settings.load().own.hostname.clone();
    let until = shared.clock.now() + MAILDIR_TIMEOUT;
    let (ending, work) = tokio::select! {
        biased;
        ending = local::maildir(&shared.store, &due, &hostname, pass) => (ending, Work::Done),
        () = shared.clock.sleep_until(until) => (hangs(), Work::Overdue),
    };
    traces::ended(&span, &ending);
    drop(span);
    let path = due.maildir.clone().unwrap_or_default();
    shared.tell_here(due, ending, &detail(&path)).await;
    work
}

fn hangs() -> Ending {
    let minutes = MAILDIR_TIMEOUT.as_secs() / 60;
    let text = format!("the Maildir hangs: a delivery into it took more than {minutes} min");
    Ending::Later(Status::new(EnhancedCode::new(4, 3, 0), text))
}

fn detail(path: &str) -> String {
    format!("Maildir {path}")
}

#[cfg(test)]
mod tests;
