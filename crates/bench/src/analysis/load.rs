//! The analysis runs that controllers are measured with.

use differential::Side;
use serde_json::{Value, json};
use std::{net::SocketAddr, time::Duration};

/// So many measurements that no run ends while it is looked at.
const ENDLESS: u32 = 1_000_000;

/// A run by its number, which asks the service about itself.
pub(super) fn run(side: Side, number: usize, interval: Duration, service: SocketAddr) -> Value {
    let name = format!("load-{number:05}");
    let query = format!(
        "sum(rate(requests_total{{run=\"{name}\",code!~\"5..\"}}[1m])) / sum(rate(requests_total{{run=\"{name}\"}}[1m]))"
    );
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": { "name": name, "labels": { api::argo::keys::CONTROLLER_INSTANCE_ID: side.name() } },
        "spec": {
            "metrics": [{
                "name": "success-rate",
                "interval": format!("{}s", interval.as_secs()),
                "count": ENDLESS,
                "successCondition": "len(result) > 0 && result[0] >= 0.95",
                "provider": { "prometheus": { "address": format!("http://{service}"), "query": query } },
            }],
        },
    })
}

/// The run that a query is about.
pub(super) fn run_of(query: &str) -> Option<&str> {
    query.split_once("run=\"")?.1.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn every_run_can_be_read_and_its_query_names_it() {
        let service = SocketAddr::from((Ipv4Addr::LOCALHOST, 9090));
        let object = run(Side::Ours, 7, Duration::from_secs(10), service);
        let read: api::argo::AnalysisRun = serde_json::from_value(object).unwrap();
        let metric = &read.spec.metrics[0];
        assert_eq!(metric.interval.as_deref(), Some("10s"));
        let query = metric.provider.prometheus.as_ref().unwrap().query.clone().unwrap();
        assert_eq!(run_of(&query), Some("load-00007"));
        assert_eq!(run_of("up"), None);
    }
}
