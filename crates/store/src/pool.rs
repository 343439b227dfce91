//! Blocking work for async callers: a few threads, each with a state of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use tokio::sync::{Semaphore, oneshot};

use crate::StoreError;

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// The threads end when the last clone goes.
pub(crate) struct Pool<S> {
    hands: Hands<S>,
    waiting: Arc<Semaphore>,
}

/// Who does the work.
enum Hands<S> {
    Threads(mpsc::Sender<Job<S>>),
    /// The caller, at once.
    Caller(Arc<Mutex<S>>),
}

impl<S> Clone for Pool<S> {
    fn clone(&self) -> Self {
        Self {
            hands: match &self.hands {
                Hands::Threads(jobs) => Hands::Threads(jobs.clone()),
                Hands::Caller(state) => Hands::Caller(Arc::clone(state)),
            },
            waiting: Arc::clone(&self.waiting),
        }
    }
}

impl<S: Send + 'static> Pool<S> {
    /// Starts one thread for each state.
    pub(crate) fn start(name: &str, states: Vec<S>) -> std::io::Result<Self> {
        let (jobs, inbox) = mpsc::channel::<Job<S>>();
        let inbox = Arc::new(Mutex::new(inbox));
        for mut state in states {
            let inbox = Arc::clone(&inbox);
            thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || {
                    loop {
                        let job = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        let Ok(job) = job else { break };
                        // The caller sees its answer dropped; the thread goes on for the others.
                        let _ = catch_unwind(AssertUnwindSafe(|| job(&mut state)));
                    }
                })?;
        }
        Ok(Self {
            hands: Hands::Threads(jobs),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
        })
    }

    /// Without threads: the callers work themselves, one at a time.
    pub(crate) fn without_threads(state: S) -> Self {
        Self {
            hands: Hands::Caller(Arc::new(Mutex::new(state))),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
        }
    }

    /// Has `work` done.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = Arc::clone(&self.waiting)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        let (answer, answered) = oneshot::channel();
        // The job takes the place along: it waits in the queue also when its caller has gone.
        let job: Job<S> = Box::new(move |state| {
            let done = work(state);
            drop(place);
            let _ = answer.send(done);
        });
        match &self.hands {
            Hands::Threads(jobs) => jobs.send(job).map_err(|_| StoreError::Closed)?,
            Hands::Caller(state) => job(&mut state.lock().unwrap_or_else(PoisonError::into_inner)),
        }
        answered
            .await
            .map_err(|_| StoreError::Disk("the work panicked".to_owned()))
    }
}

/// Jobs that may wait or run; further callers wait in front of the door.
const WAITING_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_costs_one_job_and_no_thread() {
        let pool = Pool::start("test", vec![0u32]).unwrap();
        assert!(pool.run(|_| panic!("as the test wants")).await.is_err());
        assert_eq!(
            pool.run(|n| {
                *n += 1;
                *n
            })
            .await,
            Ok(1)
        );
    }

    #[tokio::test]
    async fn without_threads_the_caller_works() {
        let pool = Pool::without_threads(0u32);
        let here = thread::current().id();
        let there = pool.run(|n| {
            *n += 1;
            (*n, thread::current().id())
        });
        assert_eq!(there.await, Ok((1, here)));
    }

    #[tokio::test]
    async fn a_caller_that_goes_leaves_its_place_taken() {
        let pool = Pool::start("test", vec![()]).unwrap();
        let (go, wait) = mpsc::channel::<()>();
        let work = move |(): &mut ()| {
            let _ = wait.recv();
        };
        let gone = tokio::time::timeout(std::time::Duration::from_millis(1), pool.run(work)).await;
        assert!(gone.is_err());
        assert_eq!(pool.waiting.available_permits(), WAITING_MAX - 1);
        drop(go);
        assert_eq!(pool.run(|()| ()).await, Ok(()));
        assert_eq!(pool.waiting.available_permits(), WAITING_MAX);
    }
}
