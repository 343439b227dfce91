//! Whether costs grow no worse than n log n.

/// What one message costs at the sizes of `costs` when it grows as log n from the first one.
pub(super) fn guide(costs: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let Some((first, cost)) = costs.first() else {
        return Vec::new();
    };
    costs
        .iter()
        .map(|(size, _)| (*size, cost * size.ln() / first.ln()))
        .collect()
}

/// For people: the cost of one message at the largest size, to that at the least, and to what log n allows.
pub(super) fn n_log_n(costs: &[(f64, f64)]) -> String {
    let (Some((_, first)), Some((_, last)), Some((_, allowed))) =
        (costs.first(), costs.last(), guide(costs).last().copied())
    else {
        return "nothing measured".to_owned();
    };
    let verdict = if *last <= allowed { "met" } else { "missed" };
    format!(
        "{:.2} times for each message from the first size to the last; n log n allows {:.2}: {verdict}",
        last / first,
        allowed / first
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_n_doubles_from_a_thousand_to_a_million() {
        let costs = |last| [(1e3, 10.0), (1e6, last)];
        let allowed = guide(&costs(0.0))[1].1;
        assert!((allowed - 20.0).abs() < 1e-9);
        assert!(n_log_n(&costs(19.9)).contains("1.99 times"));
        assert!(n_log_n(&costs(19.9)).ends_with("2.00: met"));
        assert!(n_log_n(&costs(20.1)).ends_with("missed"));
        assert_eq!(n_log_n(&[]), "nothing measured");
    }
}
