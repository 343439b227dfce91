//! Ways that the configuration names.

use rand::SeedableRng;
use rand::rngs::SmallRng;
use store::RecipientState;

use super::REMOTE;
use crate::testing::{World, mailbox};
use crate::{NextHop, Pattern, Settings, explain_route};

#[tokio::test]
async fn a_route_that_leads_nowhere_fails_no_mail_and_explain_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    let mut settings = Settings::clone(&world.settings.load());
    let lapsed = NextHop::parse("lapsed.example").unwrap();
    settings.routes.add(Pattern::Default, lapsed);
    let address = mailbox("x@far.example");
    let mut rng = SmallRng::seed_from_u64(1);
    let explained = explain_route(&world.dns, &world.clock, &settings, &address, &mut rng).await;
    world.settings.store(settings.into());
    let task = world.start();
    let item = world.accept(&[("x@far.example", REMOTE)]).await;
    world.wait_for(item, 0, RecipientState::Queued, 1).await;
    let status = world.story(item).await.recipients[0].status.clone();
    let wanted = "4.4.3 the configured route by lapsed.example leads nowhere: \
                  the domain lapsed.example does not exist";
    assert_eq!(status.unwrap().to_string(), wanted);
    assert_eq!(explained.status.as_deref(), Some(wanted));
    world.end(task).await;
}
