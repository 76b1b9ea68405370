//! Medians, and the ratios of what was measured in the same round.

/// The median and the quartiles of the ratios.
#[derive(Clone, Copy)]
pub(crate) struct Ratio {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

pub(crate) fn median(values: &[f64]) -> f64 {
    at(values, 50)
}

/// How many times `base` each of `values` is, round by round.
pub(crate) fn ratio(values: &[f64], base: &[f64]) -> Ratio {
    let ratios: Vec<f64> = values.iter().zip(base).map(|(value, base)| value / base).collect();
    Ratio { low: at(&ratios, 25), median: at(&ratios, 50), high: at(&ratios, 75) }
}

impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3} ({:.3} to {:.3})", self.median, self.low, self.high)
    }
}

impl Ratio {
    pub(crate) fn json(self) -> serde_json::Value {
        serde_json::json!({"median": self.median, "quartiles": [self.low, self.high]})
    }
}

/// The value below which so many hundredths of them are.
fn at(values: &[f64], hundredths: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get((sorted.len() * hundredths / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
