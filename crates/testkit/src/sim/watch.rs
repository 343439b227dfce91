//! What must hold at every moment, looked at all the time.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use deliver::Schedule;
use mailtypes::Timestamp;
use store::limits::PAGE_MAX;
use store::{Action, QueueLine, RecipientState, RecipientView, Selection, Store};

use super::Sim;
use super::host::{CONNECTIONS, Host};

/// Looks at all servers again and again; returns what is not as it should be.
pub(super) async fn watch(sim: &Sim) -> anyhow::Error {
    loop {
        sim.clock.sleep_until(sim.clock.now() + LOOK_EVERY).await;
        for host in &sim.hosts {
            if let Err(error) = look(sim, host).await {
                return error.context(format!("at {}, {}", sim.clock.now(), host.name));
            }
        }
    }
}

async fn look(sim: &Sim, host: &Arc<Host>) -> anyhow::Result<()> {
    let Ok(store) = host.store() else {
        return Ok(());
    };
    if let Some(long) = store.kept().beyond() {
        bail!("{long}");
    }
    if let Some(long) = host.kept().and_then(|kept| kept.beyond(CONNECTIONS)) {
        bail!("{long}");
    }
    // A server that ends meanwhile, or whose disk is ill, need not answer.
    let Ok(report) = store.audit().await else {
        return Ok(());
    };
    ensure!(report.problems.is_empty(), "{:?}", report.problems);
    ensure!(report.totals.balance(), "{:?}", report.totals);
    let Ok(lines) = store.queue(&Selection::default(), None, PAGE_MAX).await else {
        return Ok(());
    };
    for line in lines {
        let held = waits(&line, &sim.schedule, sim.clock.now())
            .with_context(|| format!("{} in the queue", line.id))?;
        if held {
            sim.journal
                .note(&format!("{} is released by hand", line.id));
            // One that fails is tried again at the next look.
            let _ = store
                .operate(Action::Release, line.id, None, "operator")
                .await;
        }
    }
    Ok(())
}

/// Whether somebody has to release it; an error when somebody waits for ever.
fn waits(line: &QueueLine, schedule: &Schedule, now: Timestamp) -> anyhow::Result<bool> {
    // A report has a life of its own, and may wait as long as what it is about.
    let end = line.accepted + schedule.lifetime * 2 + SLACK;
    ensure!(now < end, "should have ended by {end}");
    let mut held = false;
    for recipient in &line.recipients {
        held |= recipient.state == RecipientState::Held;
        comes_again(recipient, schedule, now)
            .with_context(|| format!("{} is {}", recipient.address, recipient.state.as_str()))?;
    }
    Ok(held)
}

fn comes_again(
    recipient: &RecipientView,
    schedule: &Schedule,
    now: Timestamp,
) -> anyhow::Result<()> {
    if recipient.state == RecipientState::Held {
        return Ok(());
    }
    let due = recipient.due.context("waits for nothing")?;
    let latest = now + schedule.longest * 2 + SLACK;
    ensure!(due <= latest, "waits until {due}, longer than the schedule");
    Ok(())
}

const LOOK_EVERY: Duration = Duration::from_mins(13);
/// Pauses that the schedule does not know: of hosts, of reports, of a server that was down.
const SLACK: Duration = Duration::from_hours(2);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn schedule() -> Schedule {
        Schedule {
            longest: Duration::from_hours(1),
            lifetime: Duration::from_hours(5),
            ..Schedule::default()
        }
    }

    fn line(state: RecipientState, due: Option<Timestamp>) -> QueueLine {
        let address = crate::World::mailbox("ann@a.example").unwrap();
        let recipient = RecipientView {
            n: 0,
            original: address.to_string(),
            address,
            via: Vec::new(),
            destination: store::Destination::Remote,
            reason: String::new(),
            state,
            due,
            attempts: 1,
            status: None,
            told: false,
            in_hand: false,
        };
        QueueLine {
            id: mailtypes::ItemId::generate(NOW, 1),
            accepted: NOW,
            reverse_path: mailtypes::ReversePath::Null,
            size: 1,
            recipients: vec![recipient],
            open: 1,
        }
    }

    #[test]
    fn nobody_waits_without_an_end() {
        use RecipientState::{Held, Queued};
        let hours = |hours| Some(NOW + Duration::from_hours(hours));
        for (state, due, later, expected) in [
            (Queued, hours(1), 0, Some(false)),
            (Queued, hours(5), 0, None),
            (Queued, None, 0, None),
            (Held, None, 0, Some(true)),
            (Queued, hours(10), 9, Some(false)),
            (Queued, hours(13), 12, None),
        ] {
            let now = NOW + Duration::from_hours(later);
            let found = waits(&line(state, due), &schedule(), now).ok();
            assert_eq!(found, expected, "{state:?} {due:?} after {later} h");
        }
    }
}
