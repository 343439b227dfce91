//! How much of the memory one next hop may have.

use crate::limits::{SITE_WAITING_MAX, SITE_WAITING_MIN, WAITING_SHARED};

/// What may wait for one next hop while `others` wait for others: a part of what is free. So it
/// shrinks as the lane fills, and a next hop that comes late finds room too.
pub(super) fn share(others: usize) -> usize {
    let free = WAITING_SHARED.saturating_sub(others);
    (free / SITE_PART).clamp(SITE_WAITING_MIN, SITE_WAITING_MAX)
}

/// Whether so little is left of a share that more is to be fetched.
pub(super) fn is_hungry(waiting: usize, share: usize) -> bool {
    waiting * REFILL_PART < share
}

/// One next hop gets this part of what is free.
const SITE_PART: usize = 8;
/// More is fetched when less than this part of the share is left.
const REFILL_PART: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{LINES_MAX, WAITING_LANE_MAX};

    #[test]
    fn a_share_shrinks_and_never_ends() {
        for (others, expect) in [
            (0, SITE_WAITING_MAX),
            (800, 350),
            (3200, 50),
            (WAITING_SHARED - 1, SITE_WAITING_MIN),
            (WAITING_LANE_MAX, SITE_WAITING_MIN),
        ] {
            assert_eq!(share(others), expect, "{others}");
        }
    }

    /// Each takes all that it may and gives nothing back.
    #[test]
    fn five_hundred_slow_ones_and_all_in_line_leave_room() {
        let waiting = (0..500 + LINES_MAX).fold(0, |waiting, _| waiting + share(waiting));
        assert!(waiting + SITE_WAITING_MIN <= WAITING_LANE_MAX, "{waiting}");
    }

    #[test]
    fn more_is_fetched_before_all_is_gone() {
        assert!(is_hungry(99, 500) && !is_hungry(100, 500));
        assert!(is_hungry(0, SITE_WAITING_MIN) && !is_hungry(1, SITE_WAITING_MIN));
    }
}
