//! The scheduler and the ways out of the queue
