//! The way from attempts to whoever writes down what came of them.
//!
//! There are two. What was tried before and goes on waiting has its own, and gives way: a mass of retries
//! changes as many rows as new mail does, all over the database, and nobody waits for it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::limits::{GIVE_WAY_EACH, GIVE_WAY_MAX, OUTCOMES_MAX};
use crate::outcome::{Ending, Told};

/// Both ways in.
pub(crate) struct Endings {
    prompt: mpsc::Sender<Told>,
    patient: mpsc::Sender<Told>,
    /// Recipients that were dealt with promptly since somebody asked.
    passed: AtomicU32,
}

/// Both ends.
pub(crate) struct Ends {
    pub(crate) prompt: mpsc::Receiver<Told>,
    pub(crate) patient: mpsc::Receiver<Told>,
}

impl Endings {
    pub(crate) fn new() -> (Self, Ends) {
        let (prompt, prompt_end) = mpsc::channel(OUTCOMES_MAX);
        let (patient, patient_end) = mpsc::channel(OUTCOMES_MAX);
        let ends = Ends {
            prompt: prompt_end,
            patient: patient_end,
        };
        let passed = AtomicU32::new(0);
        let endings = Self {
            prompt,
            patient,
            passed,
        };
        (endings, ends)
    }

    /// Waits when too many wait there already; an error when nobody records any more.
    pub(crate) async fn send(&self, told: Told) -> Result<(), mpsc::error::SendError<Told>> {
        let way = if is_patient(&told) {
            &self.patient
        } else {
            &self.prompt
        };
        way.send(told).await
    }

    /// Outcomes that wait to be recorded.
    pub(crate) fn len(&self) -> usize {
        let len = |way: &mpsc::Sender<Told>| way.max_capacity() - way.capacity();
        len(&self.prompt) + len(&self.patient)
    }

    /// So many recipients were dealt with promptly.
    pub(crate) fn passed(&self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.passed.fetch_add(count, Ordering::Relaxed);
    }

    /// How long what is patient makes room, having taken `took`, for what has passed meanwhile.
    pub(crate) fn way(&self, took: Duration) -> Duration {
        let passed = self.passed.swap(0, Ordering::Relaxed);
        let asked = GIVE_WAY_EACH.saturating_mul(passed);
        asked.min(took.saturating_mul(GIVE_WAY_MAX))
    }
}

/// Whether it was tried before, and waits on.
fn is_patient(told: &Told) -> bool {
    told.due.attempts > 0
        && match told.ending {
            Ending::Later(_) | Ending::Untried(..) => true,
            Ending::Delivered(_) | Ending::Never(_) | Ending::Stopped(_) | Ending::Crashed => false,
        }
}

#[cfg(test)]
mod tests {
    use mailtypes::{EnhancedCode, Status, Timestamp};
    use store::Due;

    use super::*;
    use crate::testing::due;

    fn status() -> Status {
        Status::new(EnhancedCode::new(4, 4, 1), "nobody there")
    }

    fn told(attempts: u32, ending: Ending) -> Told {
        Told {
            due: Due { attempts, ..due(0) },
            ending,
            detail: String::new(),
            trail: None,
        }
    }

    #[test]
    fn what_waits_on_is_patient() {
        for (attempts, ending, patient) in [
            (0, Ending::Later(status()), false),
            (1, Ending::Later(status()), true),
            (0, Ending::Untried(status(), Timestamp::EPOCH), false),
            (7, Ending::Untried(status(), Timestamp::EPOCH), true),
            (1, Ending::Delivered(status()), false),
            (1, Ending::Never(status()), false),
            (1, Ending::Stopped(status()), false),
            (1, Ending::Crashed, false),
        ] {
            let told = told(attempts, ending);
            assert_eq!(is_patient(&told), patient, "{told:?}");
        }
    }

    /// However many retries wait to be written down.
    #[tokio::test]
    async fn what_is_patient_takes_no_room_from_what_is_prompt() {
        let (endings, mut ends) = Endings::new();
        for _ in 0..OUTCOMES_MAX {
            endings
                .send(told(1, Ending::Later(status())))
                .await
                .unwrap();
        }
        assert!(
            tokio::time::timeout(
                Duration::ZERO,
                endings.send(told(1, Ending::Later(status())))
            )
            .await
            .is_err()
        );
        endings
            .send(told(0, Ending::Later(status())))
            .await
            .unwrap();
        endings
            .send(told(1, Ending::Delivered(status())))
            .await
            .unwrap();
        assert_eq!(endings.len(), OUTCOMES_MAX + 2);
        for attempts in [0, 1] {
            assert_eq!(ends.prompt.recv().await.unwrap().due.attempts, attempts);
        }
        assert_eq!(endings.len(), OUTCOMES_MAX);
    }

    #[test]
    fn way_is_given_for_what_has_passed_and_not_without_end() {
        let (endings, _ends) = Endings::new();
        let millis = Duration::from_millis;
        assert_eq!(endings.way(millis(20)), Duration::ZERO);
        endings.passed(3);
        endings.passed(4);
        assert_eq!(endings.way(millis(20)), millis(7));
        assert_eq!(endings.way(millis(20)), Duration::ZERO, "once");
        endings.passed(usize::MAX);
        assert_eq!(
            endings.way(millis(20)),
            millis(20 * u64::from(GIVE_WAY_MAX))
        );
    }
}
