//! Reading the settings, and everything that is wrong with them.

use super::{
    judging::Judging,
    question::{SOURCES, Source},
    settings::{Question, Version, What},
};
use crate::conversation::{Problems, problem};
use api::go_duration;
use jiff::SignedDuration;
use judges::{
    combine::Weight,
    latency::LatencyJudge,
    log::{self, LogJudge},
    missing::{MissingPolicy, Rule},
    proportion::{self, ProportionJudge},
    quantile::{Quantile, judge::QuantileJudge},
    rate::{self, RateJudge},
    settings::{Budget, DesignEffect, ErrorRate, PassRatio, SettingError, Tolerance},
    sign::{self, Arms, SignJudge},
};
use serde_json::{Map, Value};
use std::str::FromStr;

/// How long to look unless it is said.
const DEFAULT_AT_MOST: SignedDuration = SignedDuration::from_hours(1);
/// Shortest time between two looks; times in a status have no fractions.
const SHORTEST: SignedDuration = SignedDuration::from_secs(1);
/// How long after its start what a pod logs does not count, unless it is said.
const DEFAULT_WARM_UP: SignedDuration = SignedDuration::from_mins(1);
/// Everything that can be set.
const KNOWN: [&str; 22] = [
    "source",
    "canary",
    "stable",
    "judge",
    "edges",
    "quantile",
    "container",
    "warmUp",
    "alpha",
    "releaseAlpha",
    "weight",
    "beta",
    "tolerance",
    "passRatio",
    "designEffect",
    "budget",
    "minRequests",
    "every",
    "atMost",
    "mustHaveData",
    "unreachableLimit",
    "missing",
];
/// What the judge of proportions does not heed.
const NOT_PROPORTION: [&str; 6] =
    ["tolerance", "budget", "edges", "quantile", "container", "warmUp"];
/// What the judge of signs does not heed.
const NOT_SIGN: [&str; 10] = [
    "beta",
    "tolerance",
    "passRatio",
    "designEffect",
    "budget",
    "minRequests",
    "edges",
    "quantile",
    "container",
    "warmUp",
];
/// What the judge of logs does not heed.
const NOT_LOG: [&str; 6] = ["beta", "passRatio", "budget", "minRequests", "edges", "quantile"];

/// What is asked for counts.
const COUNTS: [(Version, What); 4] = [
    (Version::Canary, What::Total),
    (Version::Stable, What::Total),
    (Version::Canary, What::Bad),
    (Version::Stable, What::Bad),
];
/// What is asked for histograms.
const HISTOGRAMS: [(Version, What); 2] =
    [(Version::Canary, What::Buckets), (Version::Stable, What::Buckets)];

/// What is asked for logs: the requests of both versions if there is somebody to ask, then their pods.
const LOGS: [(Version, What); 4] = [
    (Version::Canary, What::Total),
    (Version::Stable, What::Total),
    (Version::Canary, What::Pods),
    (Version::Stable, What::Pods),
];

/// Reads one setting after the other and remembers what is wrong.
pub(super) struct Reader<'a> {
    fields: &'a Map<String, Value>,
    pub(super) problems: Problems,
}

impl<'a> Reader<'a> {
    /// Begins with what there is no setting for.
    pub(super) fn new(fields: &'a Map<String, Value>) -> Self {
        let mut reader = Self { fields, problems: Vec::new() };
        reader.refuse_unknown();
        reader
    }

    /// Reads nothing but what a comparison wants of a release's budget.
    pub(super) fn of_budget(fields: &'a Map<String, Value>) -> Self {
        Self { fields, problems: Vec::new() }
    }

    /// The alpha, if it is stated.
    pub(super) fn stated_alpha(&mut self) -> Option<ErrorRate> {
        self.number("alpha", |value| ErrorRate::named("alpha", value))
    }

    /// The weight among those that state no alpha.
    pub(super) fn weight(&mut self) -> Weight {
        self.number("weight", Weight::new).unwrap_or_default()
    }

    /// The budget of the whole release, of which alpha is a part.
    pub(super) fn release_alpha(&mut self, judging: Option<&Judging>) -> Option<ErrorRate> {
        self.weight();
        let named = |value| ErrorRate::named("releaseAlpha", value);
        let budget = self.number("releaseAlpha", named)?;
        let alpha = judging.map(Judging::alpha)?;
        if alpha > budget {
            let more = format!("is {}, more than releaseAlpha, {}", alpha.get(), budget.get());
            self.refuse("alpha", more);
        }
        Some(budget)
    }

    fn refuse(&mut self, path: &str, message: impl Into<String>) {
        self.problems.push(problem(path, message));
    }

    fn refuse_unknown(&mut self) {
        for key in self.fields.keys().filter(|key| !KNOWN.contains(&key.as_str())) {
            self.refuse(key, "there is no such setting");
        }
    }

    fn refuse_unheeded(&mut self, judge: &str, unheeded: &[&str]) {
        let fields = self.fields;
        for key in unheeded.iter().filter(|key| fields.contains_key(**key)) {
            self.refuse(key, format!("the judge {judge} does not heed it"));
        }
    }

    /// The queries that the judge needs, in the order in which they are asked.
    pub(super) fn questions(&mut self) -> Vec<Question> {
        let judge = self.fields.get("judge").and_then(Value::as_str).unwrap_or("rate");
        let has_totals = self.fields.get("source").is_some_and(|source| !source.is_null());
        let asked = match judge {
            "latency" | "quantile" => &HISTOGRAMS[..],
            "log" if has_totals => &LOGS,
            "log" => &LOGS[2..],
            _ => &COUNTS,
        };
        let all = COUNTS.iter().chain(&HISTOGRAMS).chain(&LOGS[2..]);
        for (version, what) in all.filter(|question| !asked.contains(question)) {
            if self.text_of(*version, *what).is_some() {
                let path = format!("{}.{}", version.name(), what.name());
                let why = match what {
                    What::Total if judge == "log" => "there is no source to ask".to_owned(),
                    _ => format!("the judge {judge} does not heed it"),
                };
                self.refuse(&path, why);
            }
        }
        asked.iter().map(|(version, what)| self.question(*version, *what)).collect()
    }

    fn text_of(&self, version: Version, what: What) -> Option<&Value> {
        self.fields.get(version.name())?.get(what.name())
    }

    fn question(&mut self, version: Version, what: What) -> Question {
        let query = self.text_of(version, what).and_then(Value::as_str);
        let query = query.map(str::trim).unwrap_or_default().to_owned();
        let question = Question { version, what, query };
        if question.query.is_empty() {
            let needed = format!("{} is needed", what.in_words());
            self.refuse(&question.to_string(), needed);
        }
        question
    }

    /// The source, which must be able to answer the questions; logs alone need none.
    pub(super) fn source(&mut self, config: &Value, questions: &[Question]) -> Option<Source> {
        let question = questions.iter().find(|question| question.what != What::Pods)?;
        let Some(source) = Source::of(config) else {
            self.refuse("source", format!("exactly one is needed of {}", SOURCES.join(", ")));
            return None;
        };
        let name = source.provider.name();
        if question.what == What::Buckets && name != "prometheus" {
            self.refuse("source", "histograms are read from prometheus only");
        }
        if source.has_query() {
            self.refuse(&format!("source.{name}.query"), "queries are those of canary and stable");
        }
        // A query that is missing was told of already.
        let query = if question.query.is_empty() { "query" } else { &question.query };
        for (path, message) in source.provider.validate(&source.with_query(query)) {
            let dot = if path.is_empty() { "" } else { "." };
            self.refuse(&format!("source.{name}{dot}{path}"), message);
        }
        Some(source)
    }

    pub(super) fn judging(&mut self) -> Option<Judging> {
        let judge = self.fields.get("judge").map_or(Some("rate"), Value::as_str);
        match judge {
            Some("rate") => self.rate(),
            Some("proportion") => Some(self.proportion()),
            Some("sign") => Some(self.sign()),
            Some("latency") => self.latency(),
            Some("quantile") => self.quantile(),
            Some("log") => Some(self.log()),
            _ => {
                self.refuse("judge", "must be rate, latency, log, proportion, quantile or sign");
                None
            }
        }
    }

    fn rate(&mut self) -> Option<Judging> {
        let settings = self.rate_settings();
        self.refuse_unheeded("rate", &["edges", "quantile", "container", "warmUp"]);
        let judge = self.pass_ratio_checked(RateJudge::new(settings))?;
        Some(Judging::Rate(settings, judge))
    }

    fn latency(&mut self) -> Option<Judging> {
        let settings = self.rate_settings();
        self.refuse_unheeded("latency", &["quantile", "container", "warmUp"]);
        let edges = self.edges()?;
        let judge = LatencyJudge::new(edges, settings);
        if let Err(error) = &judge
            && error.setting != "pass ratio"
        {
            self.refuse("edges", error.to_string());
            return None;
        }
        let judge = self.pass_ratio_checked(judge)?;
        Some(Judging::Latency(settings, judge))
    }

    fn quantile(&mut self) -> Option<Judging> {
        let quantile = self.number("quantile", Quantile::new).unwrap_or(Quantile::P99);
        self.refuse_unheeded("quantile", &["edges", "budget", "container", "warmUp"]);
        let settings = rate::Settings { budget: None, ..self.rate_settings() };
        let judge = self.pass_ratio_checked(QuantileJudge::new(quantile, settings))?;
        Some(Judging::Quantile(settings, judge))
    }

    fn rate_settings(&mut self) -> rate::Settings {
        let tolerance = self.number("tolerance", Tolerance::new).unwrap_or(Tolerance::NONE);
        rate::Settings {
            alpha: self.error_rate("alpha"),
            beta: self.error_rate("beta"),
            tolerance,
            pass_ratio: self.pass_ratio(tolerance),
            design_effect: self.design_effect(),
            budget: self.number("budget", Budget::new),
            min_requests: self.min_requests(),
        }
    }

    fn pass_ratio_checked<T>(&mut self, judge: Result<T, SettingError>) -> Option<T> {
        judge.map_err(|error| self.refuse("passRatio", error.to_string())).ok()
    }

    /// The edges that are judged: a list, or a text with commas between them.
    fn edges(&mut self) -> Option<Vec<f64>> {
        let number = |edge: &Value| edge.as_f64().or_else(|| edge.as_str()?.trim().parse().ok());
        let edges: Option<Vec<f64>> = match self.fields.get("edges") {
            None => {
                self.refuse("edges", "the edges of the histogram to judge are needed");
                return None;
            }
            Some(Value::Array(edges)) => edges.iter().map(number).collect(),
            Some(Value::String(text)) => {
                text.split(',').map(|edge| edge.trim().parse().ok()).collect()
            }
            Some(edge) => number(edge).map(|edge| vec![edge]),
        };
        if edges.is_none() {
            self.refuse("edges", "must be numbers");
        }
        edges
    }

    fn proportion(&mut self) -> Judging {
        self.refuse_unheeded("proportion", &NOT_PROPORTION);
        let settings = proportion::Settings {
            alpha: self.error_rate("alpha"),
            beta: self.error_rate("beta"),
            pass_ratio: self.pass_ratio(Tolerance::NONE),
            design_effect: self.design_effect(),
            min_requests: self.min_requests(),
        };
        Judging::Proportion(settings, ProportionJudge::new(settings))
    }

    fn sign(&mut self) -> Judging {
        self.refuse_unheeded("sign", &NOT_SIGN);
        let alpha = self.error_rate("alpha");
        let settings = sign::Settings { alpha, tolerance: Tolerance::NONE, arms: Arms::Thinned };
        Judging::Sign(settings, SignJudge::new(settings))
    }

    fn log(&mut self) -> Judging {
        self.refuse_unheeded("log", &NOT_LOG);
        let settings = log::Settings {
            alpha: self.error_rate("alpha"),
            tolerance: self.number("tolerance", Tolerance::new).unwrap_or(Tolerance::NONE),
            design_effect: self.design_effect(),
        };
        Judging::Log(settings, LogJudge::new(settings))
    }

    /// The container whose logs are read.
    pub(super) fn container(&mut self) -> Option<String> {
        let name: String = self.parsed("container", "must be the name of a container")?;
        if name.is_empty() {
            self.refuse("container", "must be the name of a container");
        }
        Some(name)
    }

    /// How long after its start what a pod logs does not count.
    pub(super) fn warm_up(&mut self) -> SignedDuration {
        let warm_up = self.duration("warmUp").unwrap_or(DEFAULT_WARM_UP);
        if warm_up.is_negative() {
            self.refuse("warmUp", "must not be negative");
        }
        warm_up
    }

    fn error_rate(&mut self, key: &'static str) -> ErrorRate {
        self.number(key, |value| ErrorRate::named(key, value)).unwrap_or(ErrorRate::USUAL)
    }

    fn pass_ratio(&mut self, tolerance: Tolerance) -> PassRatio {
        self.number("passRatio", PassRatio::new).unwrap_or_else(|| PassRatio::usual(tolerance))
    }

    fn design_effect(&mut self) -> DesignEffect {
        self.number("designEffect", DesignEffect::new).unwrap_or(DesignEffect::NONE)
    }

    fn min_requests(&mut self) -> u64 {
        self.parsed("minRequests", "must be a whole number").unwrap_or(1)
    }

    pub(super) fn times(&mut self) -> (SignedDuration, SignedDuration) {
        let every = self.duration("every");
        if every.is_none() && !self.fields.contains_key("every") {
            self.refuse("every", "how long to wait between two looks is needed");
        }
        let at_most = self.duration("atMost").unwrap_or(DEFAULT_AT_MOST);
        let every = every.unwrap_or(SHORTEST);
        if every < SHORTEST {
            self.refuse("every", "must be at least 1s");
        }
        if at_most < every {
            self.refuse("atMost", "must not be shorter than every");
        }
        (every, at_most)
    }

    pub(super) fn missing(&mut self) -> MissingPolicy {
        let usual = MissingPolicy::default();
        let rule = match self.fields.get("missing").map_or(Some("hold"), Value::as_str) {
            Some("hold") => Rule::NeitherNor,
            Some("error") => Rule::AsUpstream,
            _ => {
                self.refuse("missing", "must be hold or error");
                usual.rule
            }
        };
        let must_have_data = self.parsed("mustHaveData", "must be true or false");
        let unreachable_limit = self.parsed("unreachableLimit", "must be a whole number");
        MissingPolicy {
            rule,
            must_have_data: must_have_data.unwrap_or(usual.must_have_data),
            unreachable_limit: unreachable_limit.unwrap_or(usual.unreachable_limit),
            ..usual
        }
    }

    fn number<T>(
        &mut self,
        key: &str,
        checked: impl FnOnce(f64) -> Result<T, SettingError>,
    ) -> Option<T> {
        let value: f64 = self.parsed(key, "must be a number")?;
        checked(value).map_err(|error| self.refuse(key, error.to_string())).ok()
    }

    fn duration(&mut self, key: &str) -> Option<SignedDuration> {
        let text: String = self.parsed(key, "must be a duration")?;
        go_duration::parse(&text).map_err(|error| self.refuse(key, error.to_string())).ok()
    }

    /// Reads a setting that is given, from its own kind or from a text.
    fn parsed<T: FromStr>(&mut self, key: &str, otherwise: &str) -> Option<T> {
        let text = match self.fields.get(key)? {
            Value::String(text) => Some(text.trim().to_owned()),
            value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
            _ => None,
        };
        let parsed = text.and_then(|text| text.parse().ok());
        if parsed.is_none() {
            self.refuse(key, otherwise);
        }
        parsed
    }
}
