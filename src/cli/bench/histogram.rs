//! The distribution of latencies as text: the form that HdrHistogram writes and its plotters read.

use hdrhistogram::Histogram;

/// Lines between one distance to the whole and half of it.
const TICKS: u32 = 5;
const NANOS_PER_MILLI: f64 = 1e6;

/// The distribution of nanoseconds, in milliseconds.
pub(super) fn text(latency: &Histogram<u64>) -> String {
    let mut text = format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let millis = |nanos: f64| nanos / NANOS_PER_MILLI;
    let mut count = 0;
    for step in latency.iter_quantiles(TICKS) {
        count += step.count_since_last_iteration();
        let (value, quantile) = (millis(step.value_iterated_to() as f64), step.quantile_iterated_to());
        text.push_str(&format!("{value:12.3} {quantile:2.12} {count:10}"));
        // The last line has no end of this column.
        if quantile < 1.0 {
            text.push_str(&format!(" {:14.2}", 1.0 / (1.0 - quantile)));
        }
        text.push('\n');
    }
    text.push_str(&format!(
        "#[Mean    = {:12.3}, StdDeviation   = {:12.3}]\n",
        millis(latency.mean()),
        millis(latency.stdev())
    ));
    text.push_str(&format!("#[Max     = {:12.3}, Total count    = {count:12}]\n", millis(latency.max() as f64)));
    let sub_buckets = 2 * 10_u64.pow(latency.sigfig().into());
    let sub_buckets = sub_buckets.next_power_of_two();
    text.push_str(&format!("#[Buckets = {:12}, SubBuckets     = {sub_buckets:12}]\n", latency.buckets()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_those_that_plotters_read() {
        let mut latency = Histogram::new(3).unwrap();
        (1..=1_000_u64).for_each(|millis| latency.record(millis * 1_000_000).unwrap());
        let text = text(&latency);
        let rows: Vec<Vec<f64>> = text
            .lines()
            .skip(2)
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().map(|cell| cell.parse().unwrap()).collect())
            .collect();
        assert!(rows.iter().rev().skip(1).all(|row| row.len() == 4), "{text}");
        assert!(rows.windows(2).all(|pair| pair[0][..3] <= pair[1][..3]), "{text}");
        let median = rows.iter().find(|row| row[1] == 0.5).unwrap();
        assert!((median[0] - 500.0).abs() < 1.0 && median[2] == 500.0 && median[3] == 2.0, "{text}");
        let last = rows.last().unwrap();
        assert!((last[0] - 1_000.0).abs() < 1.0 && last[1..] == [1.0, 1_000.0], "{text}");
        assert!(text.contains("Total count    =         1000]") && text.contains("SubBuckets     =         2048]"));
    }

    #[test]
    fn nothing_has_a_distribution_too() {
        assert!(text(&Histogram::new(3).unwrap()).contains("Total count    =            0]"));
    }
}
