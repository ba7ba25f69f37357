//! Medians and their confidence intervals.

use crate::random::Random;

/// The number of resamples.
const DRAWS: usize = 4000;

/// Returns the median, the upper one of an even number. Returns 0 for no figures.
#[must_use]
pub fn median(figures: Vec<f64>) -> f64 {
    quantile(figures, 0.5)
}

/// Returns the figure below which this part of the figures lies, by rank. Returns 0 for no figures.
#[must_use]
pub fn quantile(mut figures: Vec<f64>, part: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast rounds down on purpose"
    )]
    let rank = (figures.len() as f64 * part) as usize;
    figures.get(rank.min(figures.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

/// Returns the interval that contains the median in 95 of 100 cases, by bootstrap. Its seed is
/// fixed, so the same figures give the same interval.
#[must_use]
pub fn interval(figures: &[f64]) -> [f64; 2] {
    let mut random = Random::new(1);
    if figures.is_empty() {
        return [0.0; 2];
    }
    let mut draw = || median(figures.iter().map(|_| *random.one_of(figures)).collect());
    let medians: Vec<f64> = (0..DRAWS).map(|_| draw()).collect();
    [quantile(medians.clone(), 0.025), quantile(medians, 0.975)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle_figure() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]).to_bits(), 2.0_f64.to_bits());
        assert_eq!(median(Vec::new()).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn quantiles_are_ranks() {
        let figures: Vec<f64> = (0..100).map(f64::from).collect();
        assert_eq!(quantile(figures.clone(), 0.99).to_bits(), 99.0_f64.to_bits());
        assert_eq!(quantile(figures, 1.0).to_bits(), 99.0_f64.to_bits());
    }

    #[test]
    fn interval_contains_the_median_and_narrows_with_more_figures() {
        let mut random = Random::new(7);
        let mut sample = |count| (0..count).map(|_| random.unit()).collect::<Vec<f64>>();
        let (few, many) = (sample(10), sample(1000));
        let [low, high] = interval(&few);
        let middle = median(few);
        assert!(low <= middle && middle <= high, "{low} {middle} {high}");
        let [narrow_low, narrow_high] = interval(&many);
        assert!(narrow_low < 0.5 && 0.5 < narrow_high);
        assert!(narrow_high - narrow_low < high - low);
        assert_eq!(interval(&many).map(f64::to_bits), [narrow_low, narrow_high].map(f64::to_bits));
    }

    #[test]
    fn interval_of_equal_figures_is_a_point() {
        assert_eq!(interval(&[2.5; 8]).map(f64::to_bits), [2.5_f64.to_bits(); 2]);
    }
}
