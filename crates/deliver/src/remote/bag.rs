//! What a worker has taken and not told the end of: somebody else must know, should it panic.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mailtypes::Status;
use store::Due;

use super::job::Job;
use super::trail::Trail;

/// The jobs of a worker.
#[derive(Debug, Default)]
pub(crate) struct Bag(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    current: Vec<Due>,
    rest: VecDeque<Job>,
    /// What the next host is to be asked about.
    left: VecDeque<Left>,
}

/// Recipients that a host has put off, and what it said.
#[derive(Clone, Debug)]
pub(super) struct Left {
    pub(super) job: Job,
    pub(super) status: Status,
    pub(super) trail: Trail,
}

/// Whether a job is watched: should the process die, this job is blamed for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    Yes,
    No,
}

impl Bag {
    pub(crate) fn of(jobs: Vec<Job>) -> Self {
        let bag = Self::default();
        bag.put(jobs);
        bag
    }

    /// The next job; what it is made of counts as current.
    pub(super) fn next(&self) -> Option<Job> {
        let mut inside = self.lock();
        let job = inside.rest.pop_front();
        inside.current = job
            .as_ref()
            .map_or_else(Vec::new, |job| job.recipients.clone());
        job
    }

    /// Puts a job back to the front; nothing is current any more.
    pub(super) fn put_back(&self, job: Job) {
        let mut inside = self.lock();
        inside.current.clear();
        inside.rest.push_front(job);
    }

    /// Keeps some recipients for the next host.
    pub(super) fn leave(&self, left: Left) {
        self.lock().left.push_back(left);
    }

    /// How much is kept for the next host.
    pub(super) fn left_len(&self) -> usize {
        self.lock().left.len()
    }

    /// The next that is kept for the next host; it counts as current.
    pub(super) fn next_left(&self) -> Option<Left> {
        let mut inside = self.lock();
        let left = inside.left.pop_front();
        inside.current = left
            .as_ref()
            .map_or_else(Vec::new, |left| left.job.recipients.clone());
        left
    }

    /// What was being worked on, and what had not been begun or was to go on.
    pub(crate) fn empty(&self) -> (Vec<Due>, Vec<Due>) {
        let inside = std::mem::take(&mut *self.lock());
        let left = inside.left.into_iter().map(|left| left.job);
        let rest = inside.rest.into_iter().chain(left);
        (
            inside.current,
            rest.flat_map(|job| job.recipients).collect(),
        )
    }

    /// Takes out the jobs that wait; nothing is current any more.
    pub(super) fn give_up(&self) -> Vec<Job> {
        let mut inside = self.lock();
        inside.current.clear();
        inside.rest.drain(..).collect()
    }

    /// The jobs have been begun: keeps of them what `keep` says.
    pub(super) fn begun(&self, keep: impl Fn(&Due) -> bool) {
        let mut inside = self.lock();
        for job in &mut inside.rest {
            job.recipients.retain(&keep);
            job.begun = true;
        }
        inside.rest.retain(|job| !job.recipients.is_empty());
    }

    /// The jobs that wait.
    pub(super) fn peek(&self) -> Vec<Job> {
        self.lock().rest.iter().cloned().collect()
    }

    pub(super) fn put(&self, jobs: Vec<Job>) {
        self.lock().rest.extend(jobs);
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use mailtypes::EnhancedCode;

    use super::*;
    use crate::testing::due;

    fn job(n: u32) -> Job {
        Job::new(due(n), "test".to_owned())
    }

    fn numbers(all: &[Due]) -> Vec<u32> {
        all.iter().map(|due| due.recipient).collect()
    }

    fn emptied(bag: &Bag) -> (Vec<u32>, Vec<u32>) {
        let (current, rest) = bag.empty();
        (numbers(&current), numbers(&rest))
    }

    #[test]
    fn whatever_happens_the_bag_knows_all() {
        let bag = Bag::of(vec![job(1), job(2), job(3)]);
        let first = bag.next().unwrap();
        bag.leave(Left {
            job: first,
            status: Status::new(EnhancedCode::new(4, 0, 0), "later"),
            trail: Trail::default(),
        });
        bag.next().unwrap();
        assert_eq!(emptied(&bag), (vec![2], vec![3, 1]));

        let bag = Bag::of(vec![job(1)]);
        let job = bag.next().unwrap();
        bag.leave(Left {
            job,
            status: Status::new(EnhancedCode::new(4, 0, 0), "later"),
            trail: Trail::default(),
        });
        assert!(bag.next().is_none());
        assert_eq!(bag.left_len(), 1);
        bag.next_left().unwrap();
        assert_eq!(emptied(&bag), (vec![1], vec![]));
    }
}
