//! `trace`: where is my letter?

use admin::view::{EventView, RecipientView, StoryView, TraceView};
use admin::{Answer, Request};

use super::{say_more, show, unexpected};
use crate::failure::Failure;
use crate::global::Global;
use crate::output::Output;

mod trail;

/// What to trace.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A queue id, or an address.
    #[arg(value_name = "ID|ADDRESS")]
    what: String,
    /// For an address: only messages before this queue id.
    #[arg(long, value_name = "ID")]
    before: Option<String>,
    /// For an address: at most so many messages.
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = super::at_least_one)]
    limit: usize,
}

pub(crate) fn run(global: &Global, args: Args, out: &mut Output) -> Result<u8, Failure> {
    let request = Request::Trace {
        what: args.what,
        before: args.before,
        limit: args.limit,
    };
    show(global, request, out, |answer, out| match answer {
        Answer::Story(story) => Ok(tell(&story, out)?),
        Answer::Trace(trace) => Ok(list(&trace, out)?),
        _ => Err(unexpected()),
    })
}

/// The story of one message, in the order in which it happened.
pub(crate) fn tell(story: &StoryView, out: &mut Output) -> std::io::Result<()> {
    out.line(format!(
        "{}  {} octets from {}",
        story.id,
        story.size,
        sender(&story.from)
    ))?;
    let login = story
        .login
        .as_deref()
        .map(|login| format!(", login {login}"));
    let tls = story.tls.as_deref().map(|tls| format!(", {tls}"));
    let origin = match (&story.protocol, &story.client, &story.helo) {
        (Some(protocol), Some(client), Some(helo)) => {
            format!("accepted by {protocol} from {client} ({helo})")
        }
        _ => "made by this server".to_owned(),
    };
    out.line(format!(
        "{}  {origin}{}{}",
        story.accepted,
        login.unwrap_or_default(),
        tls.unwrap_or_default(),
    ))?;
    for event in story
        .events
        .iter()
        .filter(|event| event.recipient.is_none())
    {
        out.line(event_line(event))?;
    }
    for recipient in &story.recipients {
        tell_recipient(story, recipient, out)?;
    }
    Ok(())
}

fn tell_recipient(
    story: &StoryView,
    recipient: &RecipientView,
    out: &mut Output,
) -> std::io::Result<()> {
    out.line(format!("\n{}  {}", recipient.address, recipient.state))?;
    out.line(format!("  client wrote  {}", recipient.original))?;
    out.line(format!("  routed as     {}", recipient.reason))?;
    for event in &story.events {
        if event.recipient.as_deref() == Some(recipient.address.as_str()) {
            out.line(format!("  {}", event_line(event)))?;
            if let Some(trail) = &event.trail {
                trail::tell(trail, out)?;
            }
        }
    }
    let told = |event: &EventView| {
        event.recipient.as_deref() == Some(recipient.address.as_str()) && event.status.is_some()
    };
    // Who was not asked has no attempt that would tell why.
    if let Some(status) = &recipient.status
        && recipient.due.is_some()
        && !story.events.iter().any(told)
    {
        out.line(format!("  waits         {status}"))?;
    }
    match &recipient.due {
        Some(_) if recipient.in_hand => out.line(format!(
            "  in hand now   attempt {}",
            recipient.attempts + 1
        )),
        Some(due) => out.line(format!(
            "  {:<13} {due}, after {} so far",
            waits_for(due),
            recipient.attempts
        )),
        None => Ok(()),
    }
}

fn event_line(event: &EventView) -> String {
    let status = event.status.as_deref().map(|status| format!("  {status}"));
    let detail = Some(event.detail.as_str()).filter(|detail| !detail.is_empty());
    format!(
        "{}  {}{}{}",
        event.at,
        event.what,
        status.unwrap_or_default(),
        detail
            .map(|detail| format!("  ({detail})"))
            .unwrap_or_default(),
    )
}

fn list(trace: &TraceView, out: &mut Output) -> std::io::Result<()> {
    let rows: Vec<_> = trace
        .items
        .iter()
        .flat_map(|item| {
            item.recipients.iter().map(|recipient| {
                vec![
                    item.id.clone(),
                    item.accepted.clone(),
                    sender(&item.from).to_owned(),
                    recipient.address.clone(),
                    stands(&recipient.state, recipient.in_hand),
                ]
            })
        })
        .collect();
    out.table(&["QUEUE ID", "ACCEPTED", "FROM", "TO", "STATE"], &rows)?;
    if let Some(item) = trace.items.first() {
        out.line(format!(
            "\nthe whole story of one: postrider trace {}",
            item.id
        ))?;
    }
    say_more(trace.next.as_deref(), "before", out)
}

/// Where a recipient stands, in words.
pub(crate) fn stands(state: &str, in_hand: bool) -> String {
    match in_hand {
        true => "in hand now".to_owned(),
        false => state.to_owned(),
    }
}

/// What the time means at which a recipient is due: somebody may be looking for its host by now.
pub(crate) fn waits_for(due: &str) -> &'static str {
    let now = message::date::rfc3339(net::Clock::system().now());
    // Times of this form sort as they follow each other.
    if due > now.as_str() {
        "next try"
    } else {
        "due since"
    }
}

/// A sender for people. RFC 5321 §4.5.5
pub(crate) fn sender(from: &str) -> &str {
    if from.is_empty() { "<>" } else { from }
}
