//! The way from attempts to whoever writes down what came of them.
//!
//! There are two. What is new no more and waits on has its own, and gives way: a mass of retries changes
//! as many rows as new mail does, all over the database, and nobody waits for it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use store::Lane;
use tokio::sync::mpsc;

use crate::limits::{
    GIVE_WAY_EACH, GIVE_WAY_LONGEST, GIVE_WAY_TIMES, OUTCOMES_MAX, RECORD_AT_ONCE,
    RECORD_GIVING_WAY,
};
use crate::outcome::{Ending, Told};
use crate::sites::age::Age;

/// Both ways in.
pub(crate) struct Endings {
    prompt: mpsc::Sender<Told>,
    patient: mpsc::Sender<Told>,
    /// Recipients that were done with promptly since the patient last made room.
    passed: AtomicU32,
}

/// Both ends.
pub(crate) struct Ends {
    pub(crate) prompt: mpsc::Receiver<Told>,
    pub(crate) patient: mpsc::Receiver<Told>,
}

impl Endings {
    /// With room for as many as can be in hand where it is patient: a worker that has new mail too does not
    /// wait there. Whoever takes retries out of the queue looks for [`Endings::room`] first. (Should more
    /// connections be allowed later than there were then, it may wait.)
    pub(crate) fn new(in_hand_max: usize) -> (Self, Ends) {
        let (prompt, prompt_end) = mpsc::channel(OUTCOMES_MAX);
        let (patient, patient_end) = mpsc::channel(in_hand_max);
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

    /// Waits when too many wait already, unless it is patient; an error when nobody records any more.
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
        len(&self.prompt) + len(&self.patient)
    }

    /// How many recipients of an age may be taken out of the queue and put off at once. New mail is not
    /// kept waiting.
    pub(crate) fn room(&self, age: Age) -> usize {
        match age {
            Age::Fresh => usize::MAX,
            Age::Again => OUTCOMES_MAX.saturating_sub(len(&self.patient)),
        }
    }

    /// So many recipients were done with promptly.
    pub(crate) fn count_prompt(&self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.passed.fetch_add(count, Ordering::Relaxed);
    }

    /// How long what is patient makes room, having taken `took`, for what was prompt since the last time,
    /// and how many come then.
    pub(crate) fn give_way(&self, took: Duration) -> (Duration, usize) {
        let passed = self.passed.swap(0, Ordering::Relaxed);
        if passed == 0 {
            return (Duration::ZERO, RECORD_AT_ONCE);
        }
        let asked = GIVE_WAY_EACH.saturating_mul(passed);
        let most = took.saturating_mul(GIVE_WAY_TIMES).min(GIVE_WAY_LONGEST);
        (asked.min(most), RECORD_GIVING_WAY)
    }
}

fn len(way: &mpsc::Sender<Told>) -> usize {
    way.max_capacity() - way.capacity()
}

/// Whether it goes elsewhere, is new no more, and waits on.
fn is_patient(told: &Told) -> bool {
    told.due.lane == Lane::Again && matches!(told.ending, Ending::Later(_) | Ending::Untried(..))
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

    fn told(lane: Lane, ending: Ending) -> Told {
        Told {
            due: Due { lane, ..due(0) },
            began: None,
            at: Timestamp::EPOCH,
            ending,
            detail: String::new(),
            trail: None,
        }
    }

    #[test]
    fn what_is_new_no_more_and_waits_on_is_patient() {
        for (lane, ending, patient) in [
            (Lane::Fresh, Ending::Later(status()), false),
            (Lane::Again, Ending::Later(status()), true),
            (
                Lane::Fresh,
                Ending::Untried(status(), Timestamp::EPOCH),
                false,
            ),
            (
                Lane::Again,
                Ending::Untried(status(), Timestamp::EPOCH),
                true,
            ),
            (Lane::Again, Ending::Delivered(status()), false),
            (Lane::Again, Ending::Never(status()), false),
            (Lane::Again, Ending::Stopped(status()), false),
            (Lane::Again, Ending::Crashed, false),
            (Lane::Here, Ending::Later(status()), false),
        ] {
            let told = told(lane, ending);
            assert_eq!(is_patient(&told), patient, "{told:?}");
        }
    }

    /// However many retries wait to be written down; whoever takes more of them in hand looks for room.
    #[tokio::test]
    async fn what_is_patient_keeps_nobody_waiting() {
        let (endings, mut ends) = Endings::new(OUTCOMES_MAX + 3);
        let send = async |lane, ending| {
            let sent = endings.send(told(lane, ending));
            let sent = tokio::time::timeout(Duration::ZERO, sent).await;
            assert!(sent.expect("it waits for nothing").is_ok());
        };
        assert_eq!(endings.room(Age::Again), OUTCOMES_MAX);
        for _ in 0..OUTCOMES_MAX + 2 {
            send(Lane::Again, Ending::Later(status())).await;
        }
        assert_eq!(endings.room(Age::Again), 0);
        assert_eq!(endings.room(Age::Fresh), usize::MAX);
        let prompt = [Lane::Fresh, Lane::Again];
        for lane in prompt {
            send(lane, Ending::Delivered(status())).await;
        }
        assert_eq!(endings.len(), OUTCOMES_MAX + 4);
        for lane in prompt {
            assert_eq!(ends.prompt.recv().await.unwrap().due.lane, lane);
        }
        assert_eq!(endings.len(), OUTCOMES_MAX + 2);
    }

    #[test]
    fn way_is_given_for_what_has_passed_and_not_without_end() {
        let (endings, _ends) = Endings::new(1);
        let millis = Duration::from_millis;
        let none = (Duration::ZERO, RECORD_AT_ONCE);
        assert_eq!(endings.give_way(millis(20)), none);
        endings.count_prompt(3);
        endings.count_prompt(4);
        assert_eq!(endings.give_way(millis(20)), (millis(7), RECORD_GIVING_WAY));
        assert_eq!(endings.give_way(millis(20)), none, "once");
        let much = usize::try_from(u32::MAX).unwrap();
        for (took, gives) in [
            (millis(20), millis(20 * u64::from(GIVE_WAY_TIMES))),
            (Duration::from_secs(600), GIVE_WAY_LONGEST),
        ] {
            endings.count_prompt(much);
            assert_eq!(endings.give_way(took), (gives, RECORD_GIVING_WAY));
        }
    }
}
