//! Whatever is done in whatever order, the books balance and nothing is lost.

use proptest::prelude::*;

use super::*;
use crate::{Attempt, Outcome};

#[derive(Clone, Debug)]
enum Step {
    Accept { body: usize, local: bool },
    Deliver,
    Begin(usize),
    Arrive(usize),
    Look,
    Defer(usize),
    Fail(usize),
    Hold(usize),
    Release(usize),
    Remove(usize),
    FailWrite,
    FailSync,
    Housekeeping,
    PowerCut,
}

fn step() -> impl Strategy<Value = Step> {
    let nth = 0..50usize;
    prop_oneof![
        6 => (prop_oneof![0..2000usize, Just(DRAFT_MEMORY_MAX + 1)], any::<bool>())
            .prop_map(|(body, local)| Step::Accept { body, local }),
        3 => Just(Step::Deliver),
        2 => nth.clone().prop_map(Step::Begin),
        2 => nth.clone().prop_map(Step::Arrive),
        1 => Just(Step::Look),
        1 => nth.clone().prop_map(Step::Defer),
        1 => nth.clone().prop_map(Step::Fail),
        1 => nth.clone().prop_map(Step::Hold),
        1 => nth.clone().prop_map(Step::Release),
        2 => nth.prop_map(Step::Remove),
        1 => Just(Step::FailWrite),
        1 => Just(Step::FailSync),
        1 => Just(Step::Housekeeping),
        1 => Just(Step::PowerCut),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn the_books_balance_whatever_happens(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}

async fn run(steps: Vec<Step>) {
    let mut rig = Rig::with_short_segments();
    let ann = rig.account().await;
    // Each lease is a commit, behind which nobody is without rows.
    let mut lease = rig.leased().await;
    let mut accepted: Vec<(ItemId, Vec<u8>)> = Vec::new();
    for (n, step) in steps.into_iter().enumerate() {
        let pick = |nth: usize| accepted.get(nth % accepted.len().max(1)).map(|(id, _)| *id);
        match step {
            Step::Accept { body, local } => {
                let octets = vec![u8::try_from(n % 251).unwrap(); body];
                let to = if local {
                    Destination::Account(ann)
                } else {
                    Destination::Remote
                };
                // A planted fault may refuse it; then nobody was promised anything.
                if let Ok(id) = rig.try_accept(&octets, to).await {
                    accepted.push((id, octets));
                }
            }
            Step::Deliver => {
                let page = rig.store.due(&lease, Lane::Here, None, 100).await.unwrap();
                for due in page.due {
                    if due.destination != Destination::Remote {
                        rig.deliver_under(&lease, due.item, ann).await;
                    }
                }
            }
            Step::Begin(nth) => {
                if let Some(id) = pick(nth) {
                    // A planted fault may refuse it: then it does not begin.
                    let _ = rig.store.begin(&lease, vec![(id, 0)], false).await;
                }
            }
            Step::Arrive(nth) => {
                record(&rig, &lease, pick(nth), Outcome::Delivered(status(2))).await;
            }
            Step::Look => {
                let here = &address("ann@example.org").host;
                let all = rig.store.due(&lease, Lane::Fresh, None, 100).await;
                let at_host = rig.store.due_at(&lease, here, Lane::Fresh, None, 100).await;
                let items = |page: crate::DuePage| {
                    let items = page.due.into_iter().map(|due| due.item);
                    items.collect::<Vec<_>>()
                };
                assert_eq!(items(all.unwrap()), items(at_host.unwrap()));
            }
            Step::Defer(nth) => {
                let again = Timestamp::from_millis(i64::MAX / 4);
                record(&rig, &lease, pick(nth), Outcome::Deferred(status(4), again)).await;
            }
            Step::Fail(nth) => record(&rig, &lease, pick(nth), Outcome::Failed(status(4))).await,
            Step::Hold(nth) => drop(
                operate(pick(nth), |id| {
                    rig.store.operate(crate::Action::Hold, id, None, "x")
                })
                .await,
            ),
            Step::Release(nth) => drop(
                operate(pick(nth), |id| {
                    rig.store.operate(crate::Action::Release, id, None, "x")
                })
                .await,
            ),
            Step::Remove(nth) => drop(
                operate(pick(nth), |id| {
                    rig.store.operate(crate::Action::Remove, id, None, "x")
                })
                .await,
            ),
            Step::FailWrite => rig.disk.inject(Fault::Write(28)),
            Step::FailSync => rig.disk.inject(Fault::Sync(5)),
            Step::Housekeeping => {
                let keeper = rig.keeper();
                let _ = tokio::task::spawn_blocking(move || keeper.round(true))
                    .await
                    .unwrap();
            }
            Step::PowerCut => {
                rig = rig.crash(true);
                lease = rig.leased().await;
            }
        }
    }
    rig.disk.forget_faults();
    let rig = rig.crash(true);
    rig.assert_clean().await;
    let totals = rig.store.audit().await.unwrap().totals;
    assert_eq!(totals.accepted, accepted.len() as u64);
    for (id, octets) in accepted {
        let story = rig
            .store
            .story(id)
            .await
            .unwrap()
            .expect("the story of what was accepted");
        if !story.recipients[0].state.is_end() {
            assert!(
                rig.read(id).await.unwrap() == octets,
                "the body of {id} has changed"
            );
        }
    }
}

async fn operate<T, F: Future<Output = T>>(
    id: Option<ItemId>,
    order: impl FnOnce(ItemId) -> F,
) -> Option<T> {
    match id {
        Some(id) => Some(order(id).await),
        None => None,
    }
}

async fn record(rig: &Rig, lease: &Lease, id: Option<ItemId>, outcome: Outcome) {
    if let Some(item) = id {
        let detail = String::new();
        let attempt = Attempt {
            item,
            recipient: 0,
            since: rig.now(),
            at: rig.now(),
            outcome,
            detail,
            trail: None,
        };
        // A planted fault may hit it: the deliverer tells it again.
        for _ in 0..100 {
            match rig.store.record(lease, vec![attempt.clone()]).await {
                Ok(()) => return,
                Err(StoreError::Full | StoreError::Disk(_)) => {}
                Err(other) => panic!("{other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the store does not recover");
    }
}
