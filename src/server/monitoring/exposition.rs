//! Writes figures as text for Prometheus, in the format that the client asks for.

use std::fmt::{Error, Result};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text},
    metrics::MetricType,
    registry::{self, Registry},
};

use super::figures::{FigureFamily, FigureType, FigureUnit, Sample, Value};

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// `OpenMetrics` 1.0, which Prometheus asks for.
    OpenMetrics,
    /// The format before it (0.0.4), for all other clients, among them Prometheus's own `promtool`.
    Classic,
}

impl Text {
    /// The format for a client that sends this `Accept` header.
    pub fn accepted_by(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Classic }
    }

    /// Value of the `Content-Type` header.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// Writes all figures.
    pub fn write(self, families: Vec<FigureFamily>) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Figures(self, families)));
        let mut text = String::with_capacity(32 * 1024);
        let written = match self {
            Self::OpenMetrics => text::encode(&mut text, &registry),
            Self::Classic => text::encode_registry(&mut text, &registry),
        };
        match written {
            Ok(()) => text,
            Err(Error) => unreachable!("a String takes whatever is written"),
        }
    }
}

#[derive(Debug)]
struct Figures(Text, Vec<FigureFamily>);

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result {
        let Self(form, families) = self;
        for family in families {
            let kind = match family.form {
                FigureType::Counter => MetricType::Counter,
                // Not an info of OpenMetrics: the classic format has none.
                FigureType::Gauge | FigureType::Info => MetricType::Gauge,
                FigureType::Histogram => MetricType::Histogram,
            };
            let unit = family.unit.map(|unit| match unit {
                FigureUnit::Bytes => registry::Unit::Bytes,
                FigureUnit::Seconds => registry::Unit::Seconds,
            });
            // The classic format knows no units, and describes a counter by its whole name.
            let (name, unit) = match form {
                Text::OpenMetrics => (family.stem.to_owned(), unit),
                Text::Classic => (family.name(), None),
            };
            let mut metric = encoder.encode_descriptor(&name, family.help, unit.as_ref(), kind)?;
            for Sample { labels, value } in &family.samples {
                let labels: Vec<(&str, &str)> =
                    labels.iter().map(|(name, value)| (*name, &**value)).collect();
                let is_suffixed = *form == Text::OpenMetrics && family.form == FigureType::Counter;
                if labels.is_empty() {
                    encode(&mut metric, is_suffixed, value)?;
                } else {
                    encode(&mut metric.encode_family(&labels)?, is_suffixed, value)?;
                }
            }
        }
        Ok(())
    }
}

fn encode(metric: &mut MetricEncoder<'_>, is_suffixed: bool, value: &Value) -> Result {
    match value {
        Value::Whole(count) if is_suffixed => metric.encode_counter::<NoLabelSet, _, u64>(count, None),
        Value::Real(amount) if is_suffixed => metric.encode_counter::<NoLabelSet, _, u64>(amount, None),
        Value::Whole(amount) => metric.encode_gauge(amount),
        Value::Real(amount) => metric.encode_gauge(amount),
        Value::Steps(counts, per_unit) => {
            let above = std::iter::once((f64::INFINITY, counts.above));
            let steps = counts.steps.iter().map(|(bound, count)| (real(*bound) / per_unit, *count));
            let steps: Vec<_> = steps.chain(above).collect();
            let count = steps.iter().map(|(_, count)| count).sum();
            metric.encode_histogram::<NoLabelSet>(real(counts.sum) / per_unit, count, &steps, None)
        }
    }
}

/// Converts a number to `f64`. Above 2⁵³, the result is the nearest number that `f64` has.
#[allow(clippy::cast_precision_loss, reason = "as said")]
pub fn real(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::metrics::HistogramCounts;

    fn families() -> Vec<FigureFamily> {
        let one = |value| vec![Sample { labels: Vec::new(), value }];
        let family = |stem, unit, form, samples| FigureFamily { stem, unit, form, help: "Help.", samples };
        let labels = vec![("kind", "line".into()), ("encrypted", "no".into())];
        let counts =
            HistogramCounts { steps: vec![(50_000, 2), (2_500_000_000, 1)], above: 1, sum: 9_500_000_000 };
        vec![
            family("a", None, FigureType::Counter, one(Value::Whole(3))),
            family(
                "b",
                Some(FigureUnit::Bytes),
                FigureType::Counter,
                vec![Sample { labels, value: Value::Whole(u64::MAX) }],
            ),
            family("c", Some(FigureUnit::Seconds), FigureType::Gauge, one(Value::Real(0.25))),
            family("d", Some(FigureUnit::Seconds), FigureType::Histogram, one(Value::Steps(counts, 1e9))),
        ]
    }

    const HISTOGRAM: &str = "d_seconds_sum 9.5\n\
                             d_seconds_count 4\n\
                             d_seconds_bucket{le=\"0.00005\"} 2\n\
                             d_seconds_bucket{le=\"2.5\"} 3\n\
                             d_seconds_bucket{le=\"+Inf\"} 4\n";

    #[test]
    fn openmetrics_has_units_and_an_end() {
        let expected = "# HELP a Help.\n# TYPE a counter\na_total 3\n\
                        # HELP b_bytes Help.\n# TYPE b_bytes counter\n# UNIT b_bytes bytes\n\
                        b_bytes_total{kind=\"line\",encrypted=\"no\"} 18446744073709551615\n\
                        # HELP c_seconds Help.\n# TYPE c_seconds gauge\n# UNIT c_seconds seconds\nc_seconds 0.25\n\
                        # HELP d_seconds Help.\n# TYPE d_seconds histogram\n# UNIT d_seconds seconds\n";
        assert_eq!(Text::OpenMetrics.write(families()), format!("{expected}{HISTOGRAM}# EOF\n"));
    }

    #[test]
    fn the_classic_text_describes_whole_names() {
        let expected = "# HELP a_total Help.\n# TYPE a_total counter\na_total 3\n\
                        # HELP b_bytes_total Help.\n# TYPE b_bytes_total counter\n\
                        b_bytes_total{kind=\"line\",encrypted=\"no\"} 18446744073709551615\n\
                        # HELP c_seconds Help.\n# TYPE c_seconds gauge\nc_seconds 0.25\n\
                        # HELP d_seconds Help.\n# TYPE d_seconds histogram\n";
        assert_eq!(Text::Classic.write(families()), format!("{expected}{HISTOGRAM}"));
    }

    #[test]
    fn who_asks_for_openmetrics_gets_it() {
        for (accept, text) in [
            (
                "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.1",
                Text::OpenMetrics,
            ),
            ("text/html,*/*;q=0.8", Text::Classic),
            ("", Text::Classic),
        ] {
            assert_eq!(Text::accepted_by(accept), text, "{accept}");
        }
    }
}
