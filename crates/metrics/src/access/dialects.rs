//! One count under the names that people's queries already use.
//!
//! Our own names, Istio's (as the sidecar of the caller reports them) and ingress-nginx's.

use super::{BUCKET_BOUNDS_MICROS, Backend, Latencies, Method};
use crate::labels::{Builder, Labels, METRIC_NAME};
use crate::number;
use crate::series::Sample;

const OWN: &str = "ringfence_gateway_request_duration_seconds";
const OWN_REQUESTS: &str = "ringfence_gateway_requests_total";
const ISTIO: &str = "istio_request_duration_milliseconds";
const ISTIO_REQUESTS: &str = "istio_requests_total";
const NGINX: &str = "nginx_ingress_controller_request_duration_seconds";
const NGINX_REQUESTS: &str = "nginx_ingress_controller_requests";
const PER_SECOND: f64 = 1e6;
const PER_MILLISECOND: f64 = 1e3;

/// The label sets of every series of one counter, made once.
#[derive(Debug)]
pub(super) struct Series {
    counters: Vec<Labels>,
    histograms: Vec<HistogramSeries>,
}

#[derive(Debug)]
struct HistogramSeries {
    buckets: Vec<Labels>,
    sum: Labels,
    count: Labels,
    sums_per_second: f64,
}

pub(super) fn series(backend: &Backend, code: u16, method: Method) -> Series {
    let own = own(backend, code, method);
    let istio = istio(backend, code);
    let nginx = nginx(backend, code, method);
    Series {
        counters: vec![
            named(&own, OWN_REQUESTS),
            named(&istio, ISTIO_REQUESTS),
            named(&nginx, NGINX_REQUESTS),
        ],
        histograms: vec![
            histogram(&own, OWN, PER_SECOND),
            histogram(&istio, ISTIO, PER_MILLISECOND),
            histogram(&nginx, NGINX, PER_SECOND),
        ],
    }
}

impl Series {
    pub(super) fn scrape(&self, read: &Latencies, samples: &mut Vec<Sample>) {
        let count = number::float64(read.count());
        let counted = |labels: &Labels| Sample { labels: labels.clone(), value: count };
        samples.extend(self.counters.iter().map(counted));
        for histogram in &self.histograms {
            let mut below = 0;
            for (labels, inside) in histogram.buckets.iter().zip(read.buckets) {
                below += inside;
                samples.push(Sample { labels: labels.clone(), value: number::float64(below) });
            }
            let sum = read.sum.as_secs_f64() * histogram.sums_per_second;
            samples.push(Sample { labels: histogram.sum.clone(), value: sum });
            samples.push(counted(&histogram.count));
        }
    }
}

fn own(backend: &Backend, code: u16, method: Method) -> Builder {
    Labels::new([
        ("namespace", backend.namespace.as_str()),
        ("route", &backend.route),
        ("service", &backend.service),
        ("pod_template_hash", &backend.pod_template_hash),
        ("workload", &backend.workload),
        ("code", &code.to_string()),
        ("method", method.name()),
    ])
    .edit()
}

fn istio(backend: &Backend, code: u16) -> Builder {
    let host = format!("{}.{}.svc.cluster.local", backend.service, backend.namespace);
    Labels::new([
        ("reporter", "source"),
        ("request_protocol", "http"),
        ("destination_service", &host),
        ("destination_service_name", &backend.service),
        ("destination_service_namespace", &backend.namespace),
        ("destination_workload", &backend.workload),
        ("destination_workload_namespace", &backend.namespace),
        ("pod_template_hash", &backend.pod_template_hash),
        ("response_code", &code.to_string()),
    ])
    .edit()
}

fn nginx(backend: &Backend, code: u16, method: Method) -> Builder {
    Labels::new([
        ("namespace", backend.namespace.as_str()),
        ("exported_namespace", &backend.namespace),
        ("ingress", &backend.route),
        ("service", &backend.service),
        ("exported_service", &backend.service),
        ("pod_template_hash", &backend.pod_template_hash),
        ("method", method.name()),
        ("status", &code.to_string()),
    ])
    .edit()
}

fn named(labels: &Builder, name: &str) -> Labels {
    let mut labels = labels.clone();
    labels.set(METRIC_NAME, name);
    labels.finish()
}

fn histogram(labels: &Builder, name: &str, unit_micros: f64) -> HistogramSeries {
    let bounds = BUCKET_BOUNDS_MICROS.iter().map(|b| number::float64(*b) / unit_micros);
    let bucket = |bound: f64| {
        let mut labels = labels.clone();
        labels.set("le", number::format(bound));
        named(&labels, &format!("{name}_bucket"))
    };
    HistogramSeries {
        buckets: bounds.chain([f64::INFINITY]).map(bucket).collect(),
        sum: named(labels, &format!("{name}_sum")),
        count: named(labels, &format!("{name}_count")),
        sums_per_second: PER_SECOND / unit_micros,
    }
}
