//! What an adapter prints: one JSON object a line.

use std::time::Duration;

use serde_json::{Value, json};

pub(crate) fn figure(figure: &str, value: f64, unit: &str, detail: Value) {
    println!(
        "{}",
        json!({"figure": figure, "value": value, "unit": unit, "detail": detail})
    );
}

pub(crate) fn unsupported(reason: &str) {
    println!("{}", json!({ "unsupported": reason }));
}

pub(crate) fn ready() {
    println!("{}", json!({ "ready": true }));
}

/// The value below which this share of the samples lies, by the nearest rank. `samples` must be sorted.
pub(crate) fn percentile(samples: &[f64], share: f64) -> f64 {
    let rank = (share * samples.len() as f64).ceil() as usize;
    samples
        .get(rank.clamp(1, samples.len().max(1)) - 1)
        .copied()
        .unwrap_or(f64::NAN)
}

pub(crate) fn milliseconds(length: Duration) -> f64 {
    length.as_secs_f64() * 1e3
}

/// The most memory this process has held, in MiB.
pub(crate) fn peak_memory_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_sample_of_the_nearest_rank() {
        let samples: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&samples, 0.50), 50.0);
        assert_eq!(percentile(&samples, 0.99), 99.0);
        assert_eq!(percentile(&samples, 0.0), 1.0);
    }
}
