//! Whom an address means: those who receive mail know, and those who deliver it ask, for the
//! senders that reports go to.

use std::pin::Pin;

use crate::NewRecipient;
use mailtypes::Mailbox;

/// Somebody who knows what addresses mean here.
pub trait Addressing: Send + Sync + 'static {
    /// The final recipients of mail for `address`, never none.
    fn recipients<'a>(
        &'a self,
        address: &'a Mailbox,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<NewRecipient>, NotAddressed>> + Send + 'a>>;
}

/// Why mail for an address goes nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAddressed {
    /// It is nobody's.
    #[error("{0}")]
    Nobody(String),
    /// It cannot be told now.
    #[error("{0}")]
    Later(String),
}
