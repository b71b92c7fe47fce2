//! [`Histogram`]: counts of sizes in a few steps.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts by size. The caller passes the bounds, so they take no memory here and are constants where sizes are counted.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    counts: [AtomicU64; N],
    /// Count of sizes above the last bound.
    above: AtomicU64,
    sum: AtomicU64,
}

/// Content of a histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistogramCounts {
    /// The inclusive upper bound of each step, and the count of sizes in that step alone.
    pub steps: Vec<(u64, u64)>,
    /// Count of sizes above the last bound.
    pub above: u64,
    /// Sum of all sizes.
    pub sum: u64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self {
            counts: std::array::from_fn(|_| AtomicU64::default()),
            above: AtomicU64::default(),
            sum: AtomicU64::default(),
        }
    }
}

impl<const N: usize> Histogram<N> {
    /// Counts one size. `bounds` must rise and be the same on each call.
    pub fn count(&self, bounds: &[u64; N], size: u64) {
        let step = bounds.partition_point(|bound| *bound < size);
        self.counts.get(step).unwrap_or(&self.above).fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(size, Ordering::Relaxed);
    }

    /// Returns what was counted so far.
    #[must_use]
    pub fn counts(&self, bounds: &[u64; N]) -> HistogramCounts {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        HistogramCounts {
            steps: bounds.iter().copied().zip(counts).collect(),
            above: self.above.load(Ordering::Relaxed),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_is_in_the_step_that_reaches_to_it() {
        const BOUNDS: [u64; 3] = [1, 10, 100];
        let histogram = Histogram::default();
        for size in [0, 1, 2, 10, 100, 101, 5000] {
            histogram.count(&BOUNDS, size);
        }
        let counts = histogram.counts(&BOUNDS);
        assert_eq!(counts, HistogramCounts { steps: vec![(1, 2), (10, 2), (100, 1)], above: 2, sum: 5214 });
    }
}
