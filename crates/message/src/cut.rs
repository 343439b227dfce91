//! What is left of a message when parts are taken out of it. Bodies are never rewritten: the store
//! keeps a list of spans, and this makes that list.

use std::ops::Range;

/// The ranges of `0..total` that remain without `cuts`, in order, none of them empty.
///
/// Cuts may overlap, touch, stand in any order and reach beyond the end.
pub fn remaining(total: u64, cuts: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut cuts = cuts.to_vec();
    cuts.retain(|cut| !cut.is_empty());
    cuts.sort_by_key(|cut| cut.start);
    let mut kept = Vec::with_capacity(cuts.len() + 1);
    let mut at = 0;
    for cut in cuts {
        push_unless_empty(&mut kept, at..cut.start.min(total));
        at = at.max(cut.end);
    }
    push_unless_empty(&mut kept, at..total);
    kept
}

fn push_unless_empty(kept: &mut Vec<Range<u64>>, range: Range<u64>) {
    if !range.is_empty() {
        kept.push(range);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(total: u64, cuts: &[Range<u64>], expect: &[Range<u64>]) {
        assert_eq!(remaining(total, cuts), expect, "{total} without {cuts:?}");
    }

    #[test]
    fn what_is_cut_is_gone() {
        check(10, std::slice::from_ref(&(2..4)), &[0..2, 4..10]);
        check(10, &[], std::slice::from_ref(&(0..10)));
        check(10, &[0..3, 8..10], std::slice::from_ref(&(3..8)));
        check(10, std::slice::from_ref(&(0..10)), &[]);
        check(0, &[], &[]);
    }

    #[test]
    fn odd_cuts_do_no_harm() {
        check(10, &[6..8, 1..2], &[0..1, 2..6, 8..10]);
        check(10, &[1..5, 2..3, 5..6], &[0..1, 6..10]);
        check(10, &[8..20, 30..40], std::slice::from_ref(&(0..8)));
        check(
            10,
            std::slice::from_ref(&(4..4)),
            std::slice::from_ref(&(0..10)),
        );
    }

    proptest! {
        #[test]
        fn each_octet_is_either_cut_or_kept(
            total in 0u64..60,
            cuts in prop::collection::vec((0u64..70, 0u64..70).prop_map(|(a, b)| a..b), 0..8),
        ) {
            let kept = remaining(total, &cuts);
            for at in 0..total {
                let cut = cuts.iter().any(|cut| cut.contains(&at));
                prop_assert_eq!(kept.iter().filter(|k| k.contains(&at)).count(), usize::from(!cut));
            }
            prop_assert!(kept.windows(2).all(|pair| pair[0].end < pair[1].start));
            prop_assert!(kept.iter().all(|k| k.end <= total && !k.is_empty()));
        }
    }
}
