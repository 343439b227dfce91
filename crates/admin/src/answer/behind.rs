//! People ask where their mail is just when nothing can be written: then answers are from the last
//! commit, and say so.

use store::{Store, StoreError};

use crate::{Answer, Kind, Refusal};

/// Asks about the queue: all that was answered before is committed first, when it can be.
pub(super) async fn look<S: Store, F: Future<Output = Result<Answer, Refusal>>>(
    store: &S,
    ask: impl FnOnce(S) -> F,
) -> Result<Answer, Refusal> {
    let settled = store.settle().await;
    if settled == Err(StoreError::Closed) {
        return Err(StoreError::Closed.into());
    }
    told_behind(settled.err(), ask(store.last_commit()).await)
}

/// Says when what an answer tells, or does not find, is from the last commit, and why.
fn told_behind(
    why: Option<StoreError>,
    mut answer: Result<Answer, Refusal>,
) -> Result<Answer, Refusal> {
    let Some(why) = why else {
        return answer;
    };
    let text = format!(
        "this is from the last commit, because {why}; what was accepted and done since then is safe \
         on the disk, and is shown when that is over"
    );
    match &mut answer {
        Ok(answer) => answer.set_behind(text),
        // It may be there all the same.
        Err(refusal) if refusal.kind == Kind::NotFound => {
            refusal.kind = Kind::TempFail;
            refusal.message = format!("{}; {text}", refusal.message);
        }
        Err(_) => {}
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::QueueView;

    fn queue() -> Result<Answer, Refusal> {
        Ok(Answer::Queue(QueueView {
            items: Vec::new(),
            next: None,
            behind: None,
        }))
    }

    #[test]
    fn what_is_found_says_why_there_may_be_more() {
        let answer = told_behind(Some(StoreError::Full), queue()).unwrap();
        let text = answer.behind().unwrap();
        assert!(text.contains(&StoreError::Full.to_string()), "{text}");
        assert_eq!(told_behind(None, queue()), queue());
    }

    #[test]
    fn what_is_not_found_may_be_there() {
        let refused = |kind| Err(Refusal::new(kind, "no message is known"));
        let told = |kind| told_behind(Some(StoreError::Full), refused(kind)).unwrap_err();
        let unsure = told(Kind::NotFound);
        assert_eq!(unsure.kind, Kind::TempFail);
        assert!(unsure.message.starts_with("no message is known; this is"));
        assert_eq!(Err(told(Kind::Data)), refused(Kind::Data));
        assert_eq!(
            told_behind(None, refused(Kind::NotFound)),
            refused(Kind::NotFound)
        );
    }
}
