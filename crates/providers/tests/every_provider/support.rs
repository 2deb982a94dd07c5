//! A stage for conversations: configurations that work, what a shell would have read, and a player.

use jiff::Timestamp;
use providers::{
    Asked, CredentialRead, CredentialRef, Credentials, Exposure, Measured, MeasuredValue, Provider,
    Source, by_name,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use vocab::{Call, Exchange, Reply};

/// The time at which every conversation begins: 2023-11-14T22:13:20Z.
pub(crate) const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);
/// When the run began: ten minutes before.
pub(crate) const RUN_BEGAN: Timestamp = Timestamp::constant(1_699_999_400, 0);
/// The interval of every metric.
pub(crate) const INTERVAL: Duration = Duration::from_mins(1);
/// A part of every hidden credential.
pub(crate) const HIDDEN: &str = "s3cr3t";

/// A configuration that works, for each provider; a provider without one fails the suite.
pub(crate) fn working(provider: &dyn Provider) -> Value {
    match provider.name() {
        "cloudWatch" => json!({"metricDataQueries": [{"id": "rate", "expression": "a / b"}]}),
        "datadog" => json!({"query": "avg:errors{*}"}),
        "graphite" => json!({"address": "http://graphite", "query": "target=a.b&from=-2min"}),
        "influxdb" => json!({"query": "from(bucket: \"b\") |> range(start: -1m)"}),
        "kayenta" => json!({
            "address": "http://kayenta", "application": "shop", "canaryConfigName": "errors",
            "metricsAccountName": "m", "configurationAccountName": "c", "storageAccountName": "s",
            "threshold": {"pass": 90, "marginal": 75}, "scopes": [],
        }),
        "newRelic" => json!({"query": "SELECT count(*) FROM Transaction"}),
        "plugin ringfence/compare" => json!({
            "source": {"prometheus": {"address": "http://prom:9090"}},
            "canary": {"bad": "canary bad", "total": "canary total"},
            "stable": {"bad": "stable bad", "total": "stable total"},
            "every": "1m", "missing": "error",
        }),
        "prometheus" => json!({"address": "http://prom:9090", "query": "up"}),
        "skywalking" => json!({"address": "http://oap:12800", "query": "query q { sla }"}),
        "wavefront" => json!({"address": "example.wavefront.com", "query": "ts(errors)"}),
        "web" => json!({"url": "http://svc/health"}),
        other => panic!("provider {other} needs a working configuration here"),
    }
}

/// What a shell finds at a source.
pub(crate) fn found(source: &Source) -> CredentialRead {
    let value = |text: &str| CredentialRead::Value(text.to_owned());
    match source {
        Source::Secret { name, key, .. } => match (name.as_str(), key.as_str()) {
            ("datadog", "api-key") => value("dd-api-s3cr3t"),
            ("datadog", "app-key") => value("dd-app-s3cr3t"),
            ("influxdb", "address") => value("http://influx:8086/"),
            ("influxdb", "authToken") => value("influx-s3cr3t"),
            ("influxdb", "org") => value("my org"),
            ("newrelic", "account-id") => value("1234567"),
            ("newrelic", "personal-api-key") => value("nr-s3cr3t"),
            ("wavefront-api-tokens", "example.wavefront.com") => value("wf-s3cr3t"),
            ("datadog" | "influxdb" | "newrelic" | "wavefront-api-tokens", _) => {
                CredentialRead::NoKey
            }
            _ => CredentialRead::Nothing,
        },
        Source::Variable("AWS_ACCESS_KEY_ID") => value("AKIDEXAMPLE-s3cr3t"),
        Source::Variable("AWS_SECRET_ACCESS_KEY") => value("aws-s3cr3t"),
        Source::Variable("AWS_REGION") => value("eu-west-1"),
        Source::Variable(_) | Source::FileOf(_) => CredentialRead::Nothing,
    }
}

/// One conversation about one configuration.
pub(crate) struct Stage {
    pub(crate) provider: &'static dyn Provider,
    pub(crate) config: Value,
    pub(crate) credentials: Credentials,
    pub(crate) interval: Option<Duration>,
    /// The times that were waited for.
    pub(crate) waits: Vec<Timestamp>,
}

impl Stage {
    pub(crate) fn new(name: &str, config: &Value) -> Self {
        let provider = by_name(name).expect("a provider");
        let refs = provider.credentials(config).into_iter();
        let credentials = refs.map(|wanted| (wanted.clone(), found(&wanted.source))).collect();
        let interval = Some(INTERVAL);
        Self { provider, config: config.clone(), credentials, interval, waits: Vec::new() }
    }

    pub(crate) fn of(provider: &dyn Provider) -> Self {
        Self::new(provider.name(), &working(provider))
    }

    /// With these sources in place of all others.
    pub(crate) fn with(mut self, sources: &[(Source, &str)]) -> Self {
        let hidden =
            |source: &Source| CredentialRef { source: source.clone(), exposure: Exposure::Hidden };
        let value = |text: &str| CredentialRead::Value(text.to_owned());
        let read = sources.iter().map(|(source, text)| (hidden(source), value(text)));
        self.credentials = read.collect();
        self
    }

    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked {
            config: &self.config,
            credentials: &self.credentials,
            interval: self.interval,
            run_started_at: RUN_BEGAN,
            namespace: "shop",
            learned: None,
        }
    }

    pub(crate) fn first_call(&self) -> (Call, Value) {
        match self.provider.start(&self.asked(), NOW) {
            Exchange::Call(call, state) => (call, state),
            other => panic!("{} began with {other:?}", self.provider.name()),
        }
    }

    /// Plays to the end: each call gets the next answer, and waits pass at once.
    pub(crate) fn play(&mut self, answers: &[Reply]) -> (Vec<Call>, Result<Measured, String>) {
        let mut now = NOW;
        let mut turn = self.provider.start(&self.asked(), now);
        let mut calls = Vec::new();
        let mut answers = answers.iter();
        loop {
            match turn {
                Exchange::Call(call, state) => {
                    calls.push(call);
                    let answer = answers.next().expect("an answer for each call").clone();
                    turn = self.provider.resume(&self.asked(), &state, Ok(answer), now);
                }
                Exchange::Wait(at, state) => {
                    now = at;
                    self.waits.push(at);
                    turn = self.provider.wake(&self.asked(), &state, now);
                }
                Exchange::Done(outcome) => {
                    return (calls, outcome.map_err(|error| error.message));
                }
            }
        }
    }
}

pub(crate) fn reply(status: u16, body: &str) -> Reply {
    Reply { status, headers: BTreeMap::new(), body: body.as_bytes().to_vec() }
}

pub(crate) fn play(
    name: &str,
    config: &Value,
    answers: &[Reply],
) -> (Vec<Call>, Result<Measured, String>) {
    Stage::new(name, config).play(answers)
}

/// The text of a call's body.
pub(crate) fn body(call: &Call) -> String {
    String::from_utf8(call.body.clone().unwrap_or_default()).unwrap()
}

/// A header of a call.
pub(crate) fn header<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    let found = call.headers.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

/// What an answer should come to: value and result, or words of the error.
pub(crate) type Expected<'a> = Result<(&'a str, MeasuredValue), &'a str>;

#[track_caller]
pub(crate) fn check_outcome(outcome: Result<Measured, String>, expected: Expected<'_>) {
    match (outcome, expected) {
        // NaN is not equal to itself; its text tells.
        (Ok(got), Ok((value, result))) => {
            let got = (got.value.as_str(), format!("{:?}", got.result));
            assert_eq!(got, (value, format!("{result:?}")));
        }
        (Err(got), Err(expected)) => assert!(got.contains(expected), "{got:?} lacks {expected:?}"),
        (got, expected) => panic!("{got:?}, not {expected:?}"),
    }
}

#[track_caller]
pub(crate) fn check_problem(name: &str, config: &Value, expected: (&str, &str)) {
    let problems = by_name(name).expect("a provider").validate(config);
    assert_eq!(problems, [(expected.0.to_owned(), expected.1.to_owned())]);
}

pub(crate) fn number(number: f64) -> MeasuredValue {
    MeasuredValue::Number(number)
}

pub(crate) fn numbers(numbers: &[f64]) -> MeasuredValue {
    MeasuredValue::Numbers(numbers.to_vec())
}

pub(crate) fn nothing() -> MeasuredValue {
    MeasuredValue::Json(Value::Null)
}
