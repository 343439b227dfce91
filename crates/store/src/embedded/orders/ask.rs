//! Questions about what the running transaction has: what the journal promises is in there at once.

use crate::StoreError;
use crate::embedded::order::{Lasting, Order};
use crate::embedded::turn::Turn;

/// A question. It changes nothing, and looks for messages without rows where they are.
pub(crate) struct Ask<F>(pub(crate) F);

impl<T, F> Order for Ask<F>
where
    T: Send + 'static,
    F: FnMut(&Turn<'_>) -> rusqlite::Result<T> + Send + 'static,
{
    type Answer = T;
    type Error = StoreError;

    fn lasting(&self) -> Lasting {
        Lasting::Nothing
    }

    fn knows_young(&self) -> bool {
        true
    }

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<T, StoreError> {
        Ok((self.0)(turn)?)
    }
}
