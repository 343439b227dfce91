//! Nothing to change: whoever asks for it knows afterwards that all that came before is committed.

use crate::StoreError;
use crate::embedded::order::Order;
use crate::embedded::turn::Turn;

pub(crate) struct Settle;

impl Order for Settle {
    type Answer = ();
    type Error = StoreError;

    fn apply(&mut self, _: &mut Turn<'_>) -> Result<(), StoreError> {
        Ok(())
    }
}
