//! The Prometheus text format.

/// A histogram of one series.
#[derive(Debug)]
pub(super) struct Histogram {
    bounds: &'static [f64],
    buckets: Vec<u64>,
    sum: f64,
    count: u64,
}

impl Histogram {
    /// An empty one with these upper bounds.
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, buckets: vec![0; bounds.len()], sum: 0.0, count: 0 }
    }

    /// Takes in one value.
    pub(super) fn record(&mut self, value: f64) {
        for (bucket, bound) in self.buckets.iter_mut().zip(self.bounds) {
            *bucket += u64::from(value <= *bound);
        }
        self.sum += value;
        self.count += 1;
    }

    /// Its lines.
    pub(super) fn render(&self, name: &str, labels: &[(&'static str, String)]) -> String {
        let mut text = String::new();
        let bounds = self.bounds.iter().map(ToString::to_string);
        let counts = self.buckets.iter().copied();
        let all = bounds.zip(counts).chain([("+Inf".to_owned(), self.count)]);
        for (bound, count) in all {
            let mut labels = labels.to_vec();
            labels.push(("le", bound));
            text.push_str(&line(&format!("{name}_bucket"), &labels, as_f64(count)));
        }
        text.push_str(&line(&format!("{name}_sum"), labels, self.sum));
        text.push_str(&line(&format!("{name}_count"), labels, as_f64(self.count)));
        text
    }
}

/// One line.
pub(super) fn line(name: &str, labels: &[(&'static str, String)], value: f64) -> String {
    let labels = labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escape(value)));
    format!("{name}{{{}}} {value}\n", labels.collect::<Vec<_>>().join(","))
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A count as the format has numbers.
#[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 are not reached")]
pub(super) fn as_f64(count: u64) -> f64 {
    count as f64
}
