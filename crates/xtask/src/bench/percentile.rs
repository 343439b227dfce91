//! The middle and the end of measurements.

/// The value that so many percent of the values do not exceed, by the nearest rank; of none zero.
pub(super) fn percentile(percent: usize, values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let rank = (percent * values.len()).div_ceil(100);
    values.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// The median; of an even count the lower middle, of none zero.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    percentile(50, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle() {
        let check = |values: &[f64], wanted: f64| {
            assert!(
                (median(values.iter().copied()) - wanted).abs() < 1e-9,
                "{values:?}"
            );
        };
        check(&[3.0, 1.0, 2.0], 2.0);
        check(&[4.0, 1.0, 3.0, 2.0], 2.0);
        check(&[7.0], 7.0);
        check(&[], 0.0);
    }

    #[test]
    fn the_nearest_rank() {
        let check = |percent: usize, count: u32, wanted: f64| {
            let found = percentile(percent, (1..=count).rev().map(f64::from));
            assert!(
                (found - wanted).abs() < 1e-9,
                "{percent} of {count}: {found}"
            );
        };
        check(99, 100, 99.0);
        check(99, 1000, 990.0);
        check(99, 10, 10.0);
        check(100, 10, 10.0);
        check(0, 10, 1.0);
        check(50, 1, 1.0);
    }
}
