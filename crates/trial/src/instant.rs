//! Asking a Prometheus about an instant that is not now.

use jiff::Timestamp;
use vocab::Call;

/// The question of a call as of an instant: a query at an instant gets its `time`. A query over a range
/// has its times already, for the provider worked them out at that instant.
pub(crate) fn at(mut call: Call, now: Timestamp) -> Call {
    let path = call.url.split(['?', '#']).next().unwrap_or_default();
    if !path.ends_with("/api/v1/query") {
        return call;
    }
    let time = format!("time={}.{:03}", now.as_second(), now.subsec_millisecond());
    match &mut call.body {
        Some(body) => {
            body.extend(b"&");
            body.extend(time.as_bytes());
        }
        None => call.url = format!("{}&{time}", call.url),
    }
    call
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[track_caller]
    fn check(url: &str, body: Option<&str>, expected_url: &str, expected_body: Option<&str>) {
        let call = Call {
            method: "POST".to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: body.map(|body| body.as_bytes().to_vec()),
            timeout: Duration::from_secs(1),
            insecure: false,
        };
        let call = at(call, Timestamp::from_millisecond(1_500).unwrap());
        let body = call.body.map(|body| String::from_utf8(body).unwrap());
        assert_eq!((call.url.as_str(), body.as_deref()), (expected_url, expected_body));
    }

    #[test]
    fn only_a_query_at_an_instant_gets_a_time() {
        let url = "http://p/api/v1/query";
        check(url, Some("query=up"), url, Some("query=up&time=1.500"));
        let asked = "http://p/api/v1/query?query=up";
        check(asked, None, "http://p/api/v1/query?query=up&time=1.500", None);
        let range = "http://p/api/v1/query_range";
        check(range, Some("query=up&start=1"), range, Some("query=up&start=1"));
        check("http://svc/", Some("a"), "http://svc/", Some("a"));
    }
}
