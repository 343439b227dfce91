//! Gathers what the choice of hosts asks for.

use futures_util::future::join_all;
use mailtypes::dns::{Answer, DnsError, Question};
use net::Clock;
use net::dns::Dns;
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};
use tracing::Span;

use super::trail::Trail;
use crate::route::mx::{self, Facts, Own, Verdict};
use crate::route::next_hop::NextHop;
use crate::traces;

/// Asks the DNS until there is a verdict, which is never [`Verdict::Ask`].
pub(crate) async fn resolve<R: Dns>(
    dns: &R,
    clock: &Clock,
    hop: &NextHop,
    own: &Own,
    visit: u32,
    rng: &mut impl Rng,
    trail: &mut Trail,
) -> Verdict {
    gather(dns, clock, hop, own, visit, rng, trail).await.0
}

/// As [`resolve`], with the answers that the verdict rests on.
pub(crate) async fn gather<R: Dns>(
    dns: &R,
    clock: &Clock,
    hop: &NextHop,
    own: &Own,
    visit: u32,
    rng: &mut impl Rng,
    trail: &mut Trail,
) -> (Verdict, Facts) {
    let mut facts = Facts::new();
    let seed = rng.random();
    // Ends: each round answers all its questions, and there are only so many.
    loop {
        let mut same = SmallRng::seed_from_u64(seed);
        let questions = match mx::decide(hop, own, &facts, visit, &mut same) {
            Verdict::Ask(questions) => questions,
            verdict => return (verdict, facts),
        };
        let began = clock.now();
        let asked = questions.iter().map(|question| {
            let span = trail.traced.dns(question);
            ask(dns, question.clone(), span)
        });
        let answers = join_all(asked).await;
        for (question, answer) in questions.into_iter().zip(answers) {
            trail.asked(&question, &answer, began, clock.now());
            facts.insert(question, answer);
        }
    }
}

async fn ask<R: Dns>(dns: &R, question: Question, span: Span) -> Result<Answer, DnsError> {
    let answer = dns.lookup(question).await;
    if let Err(error) = &answer {
        traces::failed(&span, error);
    }
    answer
}
