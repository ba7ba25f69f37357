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

/// Returns the ratio of the medians of pairs, and the interval that contains it in 95 of 100 cases,
/// by bootstrap over the pairs. Its seed is fixed. Returns zeros for no pairs.
#[must_use]
pub fn ratio_interval(pairs: &[[f64; 2]]) -> [f64; 3] {
    let ratio = |pairs: &[[f64; 2]]| {
        let side = |at: usize| median(pairs.iter().map(|pair| pair[at]).collect());
        side(0) / side(1)
    };
    if pairs.is_empty() {
        return [0.0; 3];
    }
    let mut random = Random::new(1);
    let mut draw = || -> Vec<[f64; 2]> { pairs.iter().map(|_| *random.one_of(pairs)).collect() };
    let ratios: Vec<f64> = (0..DRAWS).map(|_| ratio(&draw())).collect();
    [ratio(pairs), quantile(ratios.clone(), 0.025), quantile(ratios, 0.975)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratio_of_proportional_pairs_is_a_point() {
        let pairs: Vec<[f64; 2]> = (1..9).map(|figure| [f64::from(figure); 2]).collect();
        let halves: Vec<[f64; 2]> = pairs.iter().map(|[a, b]| [a / 2.0, *b]).collect();
        assert!((ratio_interval(&halves)[0] - 0.5).abs() < 1e-9);
        let [ratio, low, high] = ratio_interval(&[[3.0, 2.0]; 8]);
        assert_eq!([ratio, low, high].map(f64::to_bits), [1.5_f64.to_bits(); 3]);
        assert_eq!(ratio_interval(&[]).map(f64::to_bits), [0.0_f64.to_bits(); 3]);
    }

    #[test]
    fn ratio_interval_contains_the_ratio() {
        let mut random = Random::new(5);
        let pairs: Vec<[f64; 2]> = (0..25).map(|_| [random.unit() + 1.0, 2.0]).collect();
        let [ratio, low, high] = ratio_interval(&pairs);
        assert!(low < ratio && ratio < high, "{low} {ratio} {high}");
    }

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
