//! The middle of a few measurements.

/// The median; of an even count the lower middle, of none zero.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values
        .get(values.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::median;

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
}
