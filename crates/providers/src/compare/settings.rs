//! What can be set.
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `source` | – | one provider by name, with its settings but for the query |
//! | `canary`, `stable` | – | `bad` and `total`: queries for counts in one interval; `buckets` for `latency` and `quantile`; for `log` `pods`, a label selector, and perhaps `total` |
//! | `judge` | `rate` | or `latency`, `log`, `proportion`, `quantile`, `sign` |
//! | `container` | the only one | the container whose logs are read; only `log` |
//! | `warmUp` | `1m` | how long after its start what a pod logs does not count; only `log` |
//! | `edges` | – | the edges of the histogram that are judged, in its unit; only `latency` |
//! | `quantile` | .99 | which quantile of the stable version's requests picks the edge; only `quantile` |
//! | `alpha`, `beta` | .05 | chances of a wrong fail and of a wrong pass |
//! | `weight` | 1 | how much of a release's budget is this one's, among those that state no `alpha` |
//! | `releaseAlpha` | none | the budget of the release, of which `alpha` is a part; the controller fills it in |
//! | `tolerance` | 1 | how many times worse the canary may be; `rate`, `latency`, `quantile` and `log` |
//! | `passRatio` | twice the tolerance | what must be ruled out to pass; not `sign` |
//! | `designEffect` | 1 | how much more counts vary than those of independent requests; not `sign` |
//! | `budget` | none | the share of bad requests allowed where nothing can be compared; `rate` and `latency` |
//! | `minRequests` | 1 | requests of the canary before which it is not passed; not `sign` |
//! | `every` | – | how long between two looks; no less than the span of time that a query counts |
//! | `atMost` | `1h` | how long to look; without a verdict by then it is inconclusive |
//! | `mustHaveData` | `false` | fails a canary without data where the stable version has some |
//! | `unreachableLimit` | 5 | how many looks in a row may find the source out of reach |
//! | `missing` | `hold` | or `error`: what is missing is an error of the measurement, as in Argo Rollouts |
//!
//! Numbers and switches may be texts, since arguments are.

use super::{judging::Judging, question::Source, reader::Reader};
use crate::MeasureError;
use crate::conversation::{Problems, failed, problem};
use jiff::SignedDuration;
use judges::{missing::MissingPolicy, settings::ErrorRate};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt};

/// Bytes of the hash that tells settings apart. Few, so that nobody can guess what was hashed.
const FINGERPRINT_BYTES: usize = 4;

/// One of the two that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Canary,
    Stable,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Bad requests.
    Bad,
    /// All requests.
    Total,
    /// Requests up to each edge of a histogram.
    Buckets,
    /// Lines of trouble in the logs of pods.
    Pods,
}

/// One query about one version; it is called by its path among the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) version: Version,
    pub(super) what: What,
    pub(super) query: String,
}

/// Settings that nothing is wrong with.
pub(super) struct Settings {
    /// Who answers queries; none where only logs are read.
    pub(super) source: Option<Source>,
    /// The container whose logs are read, if it is named.
    pub(super) container: Option<String>,
    /// How long after its start what a pod logs does not count.
    pub(super) warm_up: SignedDuration,
    /// In the order in which they are asked.
    pub(super) questions: Vec<Question>,
    pub(super) judging: Judging,
    /// The budget of the release, if it has one.
    pub(super) release_alpha: Option<ErrorRate>,
    pub(super) every: SignedDuration,
    pub(super) at_most: SignedDuration,
    pub(super) missing: MissingPolicy,
}

impl Version {
    /// Its name among the settings.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::Stable => "stable",
        }
    }
}

impl What {
    /// Its name among the settings.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Total => "total",
            Self::Buckets => "buckets",
            Self::Pods => "pods",
        }
    }

    /// What is asked for, in words.
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Bad => "a query for the count of bad requests",
            Self::Total => "a query for the count of all requests",
            Self::Buckets => "a query for the counts of requests by le",
            Self::Pods => "a label selector of its pods",
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.version.name(), self.what.name())
    }
}

impl Settings {
    /// Reads settings, or says everything that is wrong with them.
    pub(super) fn read(config: &Value) -> Result<Self, Problems> {
        let Some(fields) = config.as_object() else {
            return Err(vec![problem("", "malformed settings: a map is needed")]);
        };
        let mut reader = Reader::new(fields);
        let questions = reader.questions();
        let source = reader.source(config, &questions);
        let (container, warm_up) = (reader.container(), reader.warm_up());
        let judging = reader.judging();
        let release_alpha = reader.release_alpha(judging.as_ref());
        let (every, at_most) = reader.times();
        let missing = reader.missing();
        match (source, judging) {
            (source, Some(judging)) if reader.problems.is_empty() => Ok(Self {
                source,
                container,
                warm_up,
                questions,
                judging,
                release_alpha,
                every,
                at_most,
                missing,
            }),
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

    fn source_name(&self) -> &'static str {
        self.source.as_ref().map_or("", |source| source.provider.name())
    }

    /// Tells settings apart whose evidence must not be mixed. Nothing of how the source lets us in is in it.
    pub(super) fn fingerprint(&self) -> String {
        let matters = json!([
            self.source_name(),
            self.source.as_ref().and_then(Source::address),
            self.questions.iter().map(|question| &question.query).collect::<Vec<_>>(),
            self.warm_up.as_secs(),
            self.judging.name(),
            self.judging.settings(),
        ]);
        let hash = Sha256::digest(matters.to_string());
        let bytes = hash.iter().take(FINGERPRINT_BYTES);
        format!("{:08x}", bytes.fold(0_u32, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// The share of the release's budget that is this comparison's.
    pub(super) fn alpha_in_words(&self) -> String {
        let alpha = self.judging.alpha().get();
        match self.release_alpha {
            Some(budget) => format!("{alpha} of the release's {}", budget.get()),
            None => alpha.to_string(),
        }
    }

    /// What a verdict rests on, in words: what ln E must reach.
    pub(super) fn condition(&self) -> String {
        let fails_at = self.judging.fails_at();
        let passes = self.judging.passes_at();
        let passes = passes.map(|at| format!(", passes at ln E {at:.2} for it"));
        format!("fails at ln E {fails_at:.2} against the canary{}", passes.unwrap_or_default())
    }

    /// Short facts for people.
    pub(super) fn told(&self) -> BTreeMap<String, String> {
        let queries = self.questions.iter();
        let queries = queries.map(|question| (question.to_string(), question.query.clone()));
        let edges = self.judging.edges().iter().map(ToString::to_string);
        let others = [
            ("alpha", self.alpha_in_words()),
            ("edges", edges.collect::<Vec<_>>().join(", ")),
            ("judge", self.judging.name().to_owned()),
            ("quantile", self.judging.quantile().map(|it| it.to_string()).unwrap_or_default()),
            ("source", self.source_name().to_owned()),
        ];
        let others = others.into_iter().filter(|(_, text)| !text.is_empty());
        queries.chain(others.map(|(key, text)| (key.to_owned(), text))).collect()
    }
}
