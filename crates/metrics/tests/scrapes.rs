//! Scrapes go on for hours while only the last one is kept.

use jiff::{SignedDuration, Timestamp};
use metrics::access::{AccessLog, Backend, Method, Outcome};
use metrics::promql::{Options, query_instant};
use metrics::series::SeriesStore;
use std::time::Duration;

/// Two hours at one scrape every fifteen seconds.
const SCRAPES: i64 = 2 * 60 * 4;

#[test]
fn hours_of_scrapes_leave_an_hour_to_answer_from() {
    let log = AccessLog::new();
    let mut store = SeriesStore::default();
    let backend = |service: &str| Backend { service: service.to_owned(), ..Backend::default() };
    let outcome = |code| Outcome { code, method: Method::Get, latency: Duration::from_millis(20) };
    let mut now = Timestamp::UNIX_EPOCH;
    for _ in 0..SCRAPES {
        now += SignedDuration::from_secs(15);
        for service in ["stable", "canary"] {
            log.record(&backend(service), outcome(200), 15);
            log.record(&backend(service), outcome(500), 1);
        }
        assert!(store.ingest(now, log.scrape(now)).is_empty());
    }
    let query = "sum(increase(ringfence_gateway_requests_total[1h]))";
    let value = query_instant(&store, query, now, &Options::default()).expect("a value");
    let expected = "Vector(7200000, [Element { labels: Labels([]), value: 7680.0 }])";
    assert_eq!(format!("{value:?}"), expected);
}
