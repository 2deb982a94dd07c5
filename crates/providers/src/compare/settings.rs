//! What can be set.
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `source` | – | one provider by name, with its settings but for the query |
//! | `canary`, `stable` | – | `bad` and `total`: queries for counts in one interval |
//! | `judge` | `rate` | or `proportion`, `sign` |
//! | `alpha`, `beta` | .05 | chances of a wrong fail and of a wrong pass |
//! | `tolerance` | 1 | how many times worse the canary may be; only `rate` |
//! | `passRatio` | twice the tolerance | what must be ruled out to pass; not `sign` |
//! | `designEffect` | 1 | how much more counts vary than those of independent requests; not `sign` |
//! | `budget` | none | the share of bad requests allowed where nothing can be compared; only `rate` |
//! | `minRequests` | 1 | requests of the canary before which it is not passed; not `sign` |
//! | `every` | – | how long between two looks; no less than the span of time that a query counts |
//! | `atMost` | `1h` | how long to look; without a verdict by then it is inconclusive |
//! | `mustHaveData` | `false` | fails a canary without data where the stable version has some |
//! | `unreachableLimit` | 5 | how many looks in a row may find the source out of reach |
//! | `missing` | `hold` | or `error`: what is missing is an error of the measurement, as in Argo Rollouts |
//!
//! Numbers and switches may be texts, since arguments are.

use super::{
    judging::Judging,
    question::{SOURCES, Source},
};
use crate::MeasureError;
use crate::conversation::{Problems, failed, problem};
use api::go_duration;
use jiff::SignedDuration;
use judges::{
    missing::{MissingPolicy, Rule},
    proportion::{self, ProportionJudge},
    rate::{self, RateJudge},
    settings::{Budget, DesignEffect, ErrorRate, PassRatio, SettingError, Tolerance},
    sign::{self, Arms, SignJudge},
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, str::FromStr};

/// How long to look unless it is said.
const DEFAULT_AT_MOST: SignedDuration = SignedDuration::from_hours(1);
/// Shortest time between two looks; times in a status have no fractions.
const SHORTEST: SignedDuration = SignedDuration::from_secs(1);
/// Bytes of the hash that tells settings apart. Few, so that nobody can guess what was hashed.
const FINGERPRINT_BYTES: usize = 4;
/// Everything that can be set.
const KNOWN: [&str; 16] = [
    "source",
    "canary",
    "stable",
    "judge",
    "alpha",
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
const NOT_PROPORTION: [&str; 2] = ["tolerance", "budget"];
/// What the judge of signs does not heed.
const NOT_SIGN: [&str; 6] =
    ["beta", "tolerance", "passRatio", "designEffect", "budget", "minRequests"];

/// Which version, and what is counted of it, in the order in which they are asked for.
pub(super) const QUESTIONS: [(&str, &str); 4] =
    [("canary", "total"), ("stable", "total"), ("canary", "bad"), ("stable", "bad")];

/// Settings that nothing is wrong with.
pub(super) struct Settings {
    pub(super) source: Source,
    /// The query of each of [`QUESTIONS`].
    pub(super) queries: [String; 4],
    pub(super) judging: Judging,
    pub(super) every: SignedDuration,
    pub(super) at_most: SignedDuration,
    pub(super) missing: MissingPolicy,
}

impl Settings {
    /// Reads settings, or says everything that is wrong with them.
    pub(super) fn read(config: &Value) -> Result<Self, Problems> {
        let Some(fields) = config.as_object() else {
            return Err(vec![problem("", "malformed settings: a map is needed")]);
        };
        let mut reader = Reader { fields, problems: Vec::new() };
        reader.refuse_unknown();
        let queries = QUESTIONS.map(|(version, what)| reader.query(version, what));
        let source = reader.source(config, &queries[0]);
        let judging = reader.judging();
        let (every, at_most) = reader.times();
        let missing = reader.missing();
        match (source, judging) {
            (Some(source), Some(judging)) if reader.problems.is_empty() => {
                Ok(Self { source, queries, judging, every, at_most, missing })
            }
            _ => Err(reader.problems),
        }
    }

    /// Reads settings for a measurement.
    pub(super) fn valid(config: &Value) -> Result<Self, MeasureError> {
        Self::read(config).map_err(|problems| {
            let sentence = |(path, message): (String, String)| {
                if path.is_empty() { message } else { format!("{path}: {message}") }
            };
            failed(problems.into_iter().map(sentence).collect::<Vec<_>>().join("; "))
        })
    }

    /// Tells settings apart whose evidence must not be mixed. Nothing of how the source lets us in is in it.
    pub(super) fn fingerprint(&self) -> String {
        let matters = json!([
            self.source.provider.name(),
            self.source.address(),
            self.queries,
            self.judging.name(),
            self.judging.settings(),
        ]);
        let hash = Sha256::digest(matters.to_string());
        let bytes = hash.iter().take(FINGERPRINT_BYTES);
        format!("{:08x}", bytes.fold(0_u32, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// Short facts for people.
    pub(super) fn told(&self) -> BTreeMap<String, String> {
        let queries = QUESTIONS.iter().zip(&self.queries);
        let queries =
            queries.map(|((version, what), query)| (format!("{version}.{what}"), query.clone()));
        let others = [("judge", self.judging.name()), ("source", self.source.provider.name())];
        let others = others.map(|(key, text)| (key.to_owned(), text.to_owned()));
        queries.chain(others).collect()
    }
}

/// Reads one setting after the other and remembers what is wrong.
struct Reader<'a> {
    fields: &'a Map<String, Value>,
    problems: Problems,
}

impl Reader<'_> {
    fn refuse(&mut self, path: &str, message: impl Into<String>) {
        self.problems.push(problem(path, message));
    }

    fn refuse_unknown(&mut self) {
        for key in self.fields.keys().filter(|key| !KNOWN.contains(&key.as_str())) {
            self.problems.push(problem(key, "there is no such setting"));
        }
    }

    fn refuse_unheeded(&mut self, judge: &str, unheeded: &[&str]) {
        for key in unheeded.iter().filter(|key| self.fields.contains_key(**key)) {
            self.problems.push(problem(key, format!("the judge {judge} does not heed it")));
        }
    }

    fn query(&mut self, version: &str, what: &str) -> String {
        let queries = self.fields.get(version);
        let query = queries.and_then(|queries| queries.get(what)).and_then(Value::as_str);
        let query = query.map(str::trim).unwrap_or_default();
        if query.is_empty() {
            let count = if what == "bad" { "bad requests" } else { "all requests" };
            self.refuse(
                &format!("{version}.{what}"),
                format!("a query for the count of {count} is needed"),
            );
        }
        query.to_owned()
    }

    fn source(&mut self, config: &Value, query: &str) -> Option<Source> {
        let Some(source) = Source::of(config) else {
            self.refuse("source", format!("exactly one is needed of {}", SOURCES.join(", ")));
            return None;
        };
        let name = source.provider.name();
        if source.has_query() {
            self.refuse(&format!("source.{name}.query"), "queries are those of canary and stable");
        }
        // A query that is missing was told of already.
        let query = if query.is_empty() { "query" } else { query };
        for (path, message) in source.provider.validate(&source.with_query(query)) {
            let dot = if path.is_empty() { "" } else { "." };
            self.refuse(&format!("source.{name}{dot}{path}"), message);
        }
        Some(source)
    }

    fn judging(&mut self) -> Option<Judging> {
        let judge = self.fields.get("judge").map_or(Some("rate"), Value::as_str);
        match judge {
            Some("rate") => self.rate(),
            Some("proportion") => Some(self.proportion()),
            Some("sign") => Some(self.sign()),
            _ => {
                self.refuse("judge", "must be rate, proportion or sign");
                None
            }
        }
    }

    fn rate(&mut self) -> Option<Judging> {
        let tolerance = self.number("tolerance", Tolerance::new).unwrap_or(Tolerance::NONE);
        let settings = rate::Settings {
            alpha: self.error_rate("alpha"),
            beta: self.error_rate("beta"),
            tolerance,
            pass_ratio: self.pass_ratio(tolerance),
            design_effect: self.design_effect(),
            budget: self.number("budget", Budget::new),
            min_requests: self.min_requests(),
        };
        match RateJudge::new(settings) {
            Ok(judge) => Some(Judging::Rate(settings, judge)),
            Err(error) => {
                self.refuse("passRatio", error.to_string());
                None
            }
        }
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

    fn times(&mut self) -> (SignedDuration, SignedDuration) {
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

    fn missing(&mut self) -> MissingPolicy {
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
