//! Whose pauses an operator has ended.

use std::sync::{Arc, Mutex, PoisonError};

use mailtypes::Host;

use crate::limits::FORGIVEN_MAX;

/// An order that waits to be seen to. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forgive(Arc<Mutex<Whom>>);

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Whom {
    #[default]
    Nobody,
    /// The next hops of mail to these.
    Hosts(Vec<Host>),
    All,
}

impl Forgive {
    /// Some more hosts, or all; more than can be listed are all.
    pub(crate) fn add(&self, more: Option<&[Host]>) {
        let mut whom = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (&mut *whom, more) {
            (Whom::All, _) => {}
            (Whom::Hosts(hosts), Some(more)) if hosts.len() + more.len() <= FORGIVEN_MAX => {
                hosts.extend_from_slice(more);
            }
            (Whom::Nobody, Some(more)) if more.len() <= FORGIVEN_MAX => {
                *whom = Whom::Hosts(more.to_vec());
            }
            _ => *whom = Whom::All,
        }
    }

    pub(crate) fn take(&self) -> Whom {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_add_up_until_they_are_seen_to() {
        let forgive = Forgive::default();
        assert_eq!(forgive.take(), Whom::Nobody);
        let host = |text: &str| crate::testing::mailbox(&format!("x@{text}")).host;
        let (one, two) = (host("one.example"), host("two.example"));
        forgive.add(Some(std::slice::from_ref(&one)));
        forgive.add(Some(std::slice::from_ref(&two)));
        assert_eq!(forgive.take(), Whom::Hosts(vec![one.clone(), two]));
        forgive.add(None);
        forgive.add(Some(&[one]));
        assert_eq!(forgive.take(), Whom::All);
        assert_eq!(forgive.take(), Whom::Nobody);
    }

    #[test]
    fn more_hosts_than_can_be_listed_are_all() {
        let host = crate::testing::mailbox("x@one.example").host;
        let many = vec![host.clone(); FORGIVEN_MAX];
        let forgive = Forgive::default();
        forgive.add(Some(&many));
        assert_eq!(forgive.take(), Whom::Hosts(many.clone()));
        forgive.add(Some(&many));
        forgive.add(Some(std::slice::from_ref(&host)));
        assert_eq!(forgive.take(), Whom::All);
        forgive.add(Some(&[many, vec![host]].concat()));
        assert_eq!(forgive.take(), Whom::All);
    }
}
