//! Orders to items of the queue.

use futures_util::future::join_all;
use mailtypes::{Host, ItemId};
use store::{Action, OperateError, Store};

use super::{House, item_id, next_of, queue};
use crate::view::OrderView;
use crate::{Answer, Order, Refusal, Which};

/// Carries an order out for one page of what is selected.
pub(super) async fn carry_out(
    store: &impl Store,
    house: &House,
    order: Order,
    which: &Which,
    after: Option<&str>,
    by: &str,
) -> Result<Answer, Refusal> {
    let after = after.map(item_id).transpose()?;
    let selection = queue::selection(which, house)?;
    let ids: Vec<ItemId> = match selection.item {
        // Asked for by its id, one that is not there or has ended is a mistake to be told.
        Some(id) if which.names_one() => vec![id],
        _ => {
            let lines = store.queue(&selection, after, ITEMS_MAX).await?;
            lines.into_iter().map(|line| line.id).collect()
        }
    };
    let host = selection.host.as_ref();
    let hosts = match (host, &ids[..]) {
        (Some(host), _) => Some(vec![host.clone()]),
        (None, [id]) if is_for_now(order) => Some(hosts_of(store, *id).await?),
        (None, _) => None,
    };
    let try_at_once = || try_at_once(house, order, hosts.as_deref());
    // Also before: what is due at once must not meet a host that is still left alone.
    try_at_once();
    if let ([id], true) = (&ids[..], which.names_one()) {
        let count = store.operate(action(order), *id, host, by).await?;
        tracing::info!(target: "mail", %id, recipients = count, by, "{}", done(order));
        try_at_once();
        return Ok(told(*id, count, order));
    }
    let orders = ids
        .iter()
        .map(|id| store.operate(action(order), *id, host, by));
    let mut view = OrderView {
        items: 0,
        recipients: 0,
        next: next_of(&ids, ITEMS_MAX, ToString::to_string),
    };
    for (id, outcome) in ids.iter().zip(join_all(orders).await) {
        match outcome {
            Ok(count) => {
                tracing::info!(target: "mail", %id, recipients = count, by, "{}", done(order));
                view.items += 1;
                view.recipients += u64::from(count);
            }
            // It has changed since it was selected, or this order is not for its state.
            Err(OperateError::NoSuchItem | OperateError::NotApplicable(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    try_at_once();
    Ok(Answer::Order(view))
}

/// Where the mail of an item goes.
async fn hosts_of(store: &impl Store, id: ItemId) -> Result<Vec<Host>, Refusal> {
    let story = store.story(id).await?;
    let recipients = story.map_or_else(Vec::new, |story| story.recipients);
    Ok(recipients.into_iter().map(|one| one.address.host).collect())
}

fn try_at_once(house: &House, order: Order, hosts: Option<&[Host]>) {
    if let Some(delivery) = &house.delivery
        && is_for_now(order)
    {
        delivery.try_at_once(hosts);
    }
}

/// Whether something is to be delivered at once.
fn is_for_now(order: Order) -> bool {
    matches!(order, Order::Release | Order::Retry)
}

fn told(id: ItemId, count: u32, order: Order) -> Answer {
    let plural = if count == 1 { "" } else { "s" };
    let what = match order {
        Order::Hold => "held",
        Order::Release | Order::Retry => "due now",
        Order::Remove => "removed",
    };
    queue::done(format!("{id}: {count} recipient{plural} {what}"))
}

fn action(order: Order) -> Action {
    match order {
        Order::Hold => Action::Hold,
        Order::Release => Action::Release,
        Order::Retry => Action::Retry,
        Order::Remove => Action::Remove,
    }
}

/// The word of the log.
fn done(order: Order) -> &'static str {
    match order {
        Order::Hold => "held",
        Order::Release => "released",
        Order::Retry => "tried at once",
        Order::Remove => "removed",
    }
}

/// Items of one request: they share commits, and the queue goes on between two requests.
const ITEMS_MAX: usize = 500;
