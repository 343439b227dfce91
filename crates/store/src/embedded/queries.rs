//! What readers ask the database, one file for each kind of question.

pub(crate) mod audit;
pub(crate) mod bodies;
pub(crate) mod census;
pub(crate) mod directory;
pub(crate) mod due;
pub(crate) mod mailbox;
pub(crate) mod queue;
pub(crate) mod segments;
pub(crate) mod story;
