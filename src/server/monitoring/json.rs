//! Writes figures as JSON, for scripts, by the same names as in the text.

use serde_json::{Map, Value as Json, json};

use super::{
    exposition::real,
    figures::{FigureFamily, FigureType, Sample, Value},
};

/// Writes all figures as one object. A figure with a single number is that number. A figure with labels is an object by
/// the values of its first label, and by those of the next label within. An info is an object of its labels. A
/// histogram is an object with `count`, `sum` and `buckets`: each bucket counts all values up to its bound, and values
/// above the last bound are in `count` alone.
pub fn write(families: &[FigureFamily]) -> String {
    let all: Map<String, Json> =
        families.iter().map(|family| (family.name(), figure(family.form, &family.samples))).collect();
    let mut text = format!("{:#}", Json::Object(all));
    text.push('\n');
    text
}

fn figure(form: FigureType, samples: &[Sample]) -> Json {
    let mut figure = Json::Object(Map::new());
    for Sample { labels, value } in samples {
        if form == FigureType::Info {
            let words = labels.iter().map(|(name, value)| ((*name).to_owned(), Json::from(&**value)));
            return words.collect::<Map<_, _>>().into();
        }
        let place = labels.iter().fold(&mut figure, |place, (_, value)| &mut place[&**value]);
        *place = number(value);
    }
    figure
}

fn number(value: &Value) -> Json {
    match value {
        Value::Whole(count) => Json::from(*count),
        Value::Real(amount) => Json::from(*amount),
        Value::Steps(counts, per_unit) => {
            let mut count = 0;
            let mut buckets = Vec::new();
            for (bound, within) in &counts.steps {
                count += within;
                buckets.push(json!({ "le": real(*bound) / per_unit, "count": count }));
            }
            count += counts.above;
            json!({ "count": count, "sum": real(counts.sum) / per_unit, "buckets": buckets })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{metrics::HistogramCounts, monitoring::figures::FigureUnit};

    #[test]
    fn a_figure_is_a_number_or_one_for_each_kind() {
        let family = |stem, unit, form, samples| FigureFamily { stem, unit, form, help: "", samples };
        let sample = |labels: &[(&'static str, &'static str)], value| Sample {
            labels: labels.iter().map(|(name, value)| (*name, (*value).into())).collect(),
            value,
        };
        let (line, telnet) = (("kind", "line"), ("kind", "telnet"));
        let counts =
            HistogramCounts { steps: vec![(50_000, 2), (2_500_000_000, 1)], above: 1, sum: 9_500_000_000 };
        let families = [
            family("a", None, FigureType::Counter, vec![sample(&[], Value::Whole(3))]),
            family(
                "b",
                None,
                FigureType::Gauge,
                vec![
                    sample(&[line, ("encrypted", "no")], Value::Whole(1)),
                    sample(&[line, ("encrypted", "yes")], Value::Whole(2)),
                    sample(&[telnet, ("encrypted", "no")], Value::Whole(3)),
                ],
            ),
            family(
                "c",
                Some(FigureUnit::Seconds),
                FigureType::Histogram,
                vec![sample(&[], Value::Steps(counts, 1e9))],
            ),
            family(
                "d_info",
                None,
                FigureType::Info,
                vec![sample(&[("version", "1"), ("os", "x")], Value::Whole(1))],
            ),
        ];
        let expected = json!({
            "a_total": 3,
            "b": { "line": { "no": 1, "yes": 2 }, "telnet": { "no": 3 } },
            "c_seconds": {
                "count": 4,
                "sum": 9.5,
                "buckets": [{ "le": 0.00005, "count": 2 }, { "le": 2.5, "count": 3 }],
            },
            "d_info": { "version": "1", "os": "x" },
        });
        let text = write(&families);
        assert_eq!(serde_json::from_str::<Json>(&text).unwrap(), expected);
        assert!(text.ends_with("}\n"));
    }
}
