//! New mail and other: they wait side by side, so that neither keeps the other waiting.

use std::ops::{Index, IndexMut};

use store::{Due, Lane};

/// Whether something was tried or put off before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    /// Never.
    Fresh,
    /// Yes.
    Again,
}

impl Age {
    pub(crate) const ALL: [Self; 2] = [Self::Fresh, Self::Again];

    pub(crate) fn of(due: &Due) -> Self {
        match due.lane {
            Lane::Fresh => Self::Fresh,
            Lane::Again | Lane::Here => Self::Again,
        }
    }

    /// Where the store has it.
    pub(crate) fn lane(self) -> Lane {
        match self {
            Self::Fresh => Lane::Fresh,
            Self::Again => Lane::Again,
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Fresh => Self::Again,
            Self::Again => Self::Fresh,
        }
    }
}

/// One value for each age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ByAge<T> {
    fresh: T,
    again: T,
}

impl<T> Index<Age> for ByAge<T> {
    type Output = T;

    fn index(&self, age: Age) -> &T {
        match age {
            Age::Fresh => &self.fresh,
            Age::Again => &self.again,
        }
    }
}

impl<T> IndexMut<Age> for ByAge<T> {
    fn index_mut(&mut self, age: Age) -> &mut T {
        match age {
            Age::Fresh => &mut self.fresh,
            Age::Again => &mut self.again,
        }
    }
}
