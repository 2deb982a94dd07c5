//! What the answers come to: the counts of both versions, or what is missing.

use super::settings::{Question, Version, What};
use super::{judging::Compared, pods};
use judges::{
    counts::{Arm, CountError},
    latency::Slow,
    log::ArmLog,
    missing::Missing,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bad requests beyond all requests that are put down to the two questions being asked one after the
/// other: one, or this part of all.
const SKEW: f64 = 0.1;
/// Milliseconds of a second.
const MILLIS: u64 = 1000;

/// What a source answered. JSON has no NaN and no infinities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Answer {
    Nothing,
    NoNumber,
    Count(u64),
    /// Requests up to each edge that is judged, and of all.
    Buckets(Vec<u64>),
    /// Requests up to each edge that there is, and of all.
    Histogram {
        edges: Vec<f64>,
        up_to: Vec<u64>,
    },
    /// Lines of trouble, masked and counted, of so many milliseconds that pods ran, of all that they ran.
    Log {
        read: u64,
        ran: u64,
        lines: BTreeMap<String, u64>,
    },
    /// A log that is too long to be read.
    Cut,
}

/// What the answers come to.
pub(super) struct Taken {
    /// Both versions; none if a value was no number.
    pub(super) compared: Option<Compared>,
    pub(super) missing: Option<(Missing, String)>,
}

impl Answer {
    pub(super) fn of(number: Option<f64>) -> Self {
        number
            .map_or(Self::Nothing, |number| Self::whole(number).map_or(Self::NoNumber, Self::Count))
    }

    /// The count that a number stands for; none if it is no count.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "neither NaN nor negative; what is too large is refused as a count"
    )]
    pub(super) fn whole(number: f64) -> Option<u64> {
        (number.is_finite() && number >= 0.0).then(|| number.round() as u64)
    }

    fn count(&self) -> u64 {
        if let Self::Count(count) = self { *count } else { 0 }
    }
}

impl Taken {
    pub(super) fn unreachable(question: &Question, message: &str) -> Self {
        let sentence = format!("{question}: {message}");
        Self { compared: None, missing: Some((Missing::Unreachable, sentence)) }
    }

    fn no_number(sentence: String) -> Self {
        Self { compared: None, missing: Some((Missing::NotANumber, sentence)) }
    }

    /// One answer to each question, in their order.
    pub(super) fn of(questions: &[Question], answers: &[Answer]) -> Self {
        let mut asked = questions.iter().zip(answers);
        if let Some((question, _)) = asked.find(|(_, answer)| **answer == Answer::NoNumber) {
            return Self::no_number(format!("{question} is not a count"));
        }
        let mut asked = questions.iter().zip(answers);
        if let Some((question, _)) = asked.find(|(_, answer)| **answer == Answer::Cut) {
            let most = pods::MAX_LOG_BYTES;
            return Self::no_number(format!("{question}: a pod logged {most} bytes and more"));
        }
        let find = |version, what| {
            let asked = |question: &Question| (question.version, question.what) == (version, what);
            let place = questions.iter().position(asked);
            place.and_then(|place| answers.get(place)).unwrap_or(&Answer::Nothing)
        };
        if questions.iter().any(|question| question.what == What::Buckets) {
            let (canary, stable) =
                (find(Version::Canary, What::Buckets), find(Version::Stable, What::Buckets));
            return match shared_edges(canary, stable) {
                Some(edges) => Self::of_histograms(edges, canary, stable),
                None => Self::of_buckets(canary, stable),
            };
        }
        if questions.iter().any(|question| question.what == What::Pods) {
            let has_totals = questions.iter().any(|question| question.what == What::Total);
            let log = |version| {
                let total = has_totals.then(|| find(version, What::Total).count());
                log(find(version, What::Pods), total)
            };
            let taken = Self::of_logs(log(Version::Canary), log(Version::Stable));
            return if has_totals { taken } else { taken.about_pods() };
        }
        let arm = |version| {
            let (bad, total) = (find(version, What::Bad).count(), find(version, What::Total));
            arm(bad, total.count()).map_err(|error| format!("{}: {error}", version.name()))
        };
        match (arm(Version::Canary), arm(Version::Stable)) {
            (Ok(canary), Ok(stable)) => {
                let is_unknown = *find(Version::Canary, What::Total) == Answer::Nothing;
                let totals = (canary.total(), stable.total());
                Self::found(Compared::Counts { canary, stable }, is_unknown, totals)
            }
            (Err(sentence), _) | (_, Err(sentence)) => Self::no_number(sentence),
        }
    }

    fn of_buckets(canary: &Answer, stable: &Answer) -> Self {
        let slow = |version: Version, answer: &Answer| match answer {
            Answer::Buckets(counts) => {
                let (total, up_to) = counts.split_last().unwrap_or((&0, &[]));
                let slow = Slow::from_buckets(up_to, *total);
                let slow = slow.map_err(|error| format!("{}: {error}", version.name()))?;
                Ok((slow, *total))
            }
            _ => Ok((Slow::default(), 0)),
        };
        match (slow(Version::Canary, canary), slow(Version::Stable, stable)) {
            (Ok((canary_slow, of_canary)), Ok((stable, of_stable))) => {
                let compared = Compared::Slow { canary: canary_slow, stable };
                Self::found(compared, *canary == Answer::Nothing, (of_canary, of_stable))
            }
            (Err(sentence), _) | (_, Err(sentence)) => Self::no_number(sentence),
        }
    }

    fn of_histograms(edges: Vec<f64>, canary: &Answer, stable: &Answer) -> Self {
        if edges.is_empty() {
            return Self::no_number("the histograms share no edge".to_owned());
        }
        match (slow_at(&edges, canary), slow_at(&edges, stable)) {
            (Ok((canary_slow, of_canary)), Ok((stable_slow, of_stable))) => {
                let compared =
                    Compared::Histograms { edges, canary: canary_slow, stable: stable_slow };
                Self::found(compared, *canary == Answer::Nothing, (of_canary, of_stable))
            }
            (Err(error), _) | (_, Err(error)) => Self::no_number(error.to_string()),
        }
    }

    fn of_logs(canary: ArmLog, stable: ArmLog) -> Self {
        let exposures = (canary.exposure, stable.exposure);
        Self::found(Compared::Logs { canary, stable }, false, exposures)
    }

    /// Says what is missing of pods, where there is no telling what traffic they had.
    fn about_pods(self) -> Self {
        let said = |(missing, sentence)| match missing {
            Missing::NoCanaryTraffic => (missing, no_pod("canary")),
            Missing::NoStableTraffic => (missing, no_pod("stable version")),
            _ => (missing, sentence),
        };
        Self { missing: self.missing.map(said), ..self }
    }

    fn found(compared: Compared, is_unknown: bool, totals: (u64, u64)) -> Self {
        let missing = empty(is_unknown, totals).map(|missing| (missing, sentence(missing)));
        Self { compared: Some(compared), missing }
    }
}

/// The edges that both histograms have, or the only one that there is; none if there is none.
fn shared_edges(canary: &Answer, stable: &Answer) -> Option<Vec<f64>> {
    match (canary, stable) {
        (Answer::Histogram { edges, .. }, Answer::Histogram { edges: others, .. }) => {
            let is_shared = |edge: &&f64| others.iter().any(|other| other.total_cmp(edge).is_eq());
            Some(edges.iter().filter(is_shared).copied().collect())
        }
        (Answer::Histogram { edges, .. }, _) | (_, Answer::Histogram { edges, .. }) => {
            Some(edges.clone())
        }
        _ => None,
    }
}

/// Slow requests at these edges, and all of them; none of a version without a histogram.
fn slow_at(edges: &[f64], answer: &Answer) -> Result<(Slow, u64), CountError> {
    let Answer::Histogram { edges: own, up_to } = answer else { return Ok((Slow::default(), 0)) };
    let total = up_to.last().copied().unwrap_or_default();
    let known = own.iter().zip(up_to);
    let known = known.filter(|(edge, _)| edges.iter().any(|it| it.total_cmp(edge).is_eq()));
    let counts: Vec<u64> = known.map(|(_, count)| *count).collect();
    Ok((Slow::from_buckets(&counts, total)?, total))
}

/// One version's counts. Where requests are known, bad ones that are not are none.
fn arm(bad: u64, total: u64) -> Result<Arm, CountError> {
    Arm::new(bad, total).or_else(|error| {
        if bad > total && total > 0 && bad - total <= skew(total) {
            Arm::new(total, total)
        } else {
            Err(error)
        }
    })
}

/// What one version logged: beside its requests, of which the time of pods that was read had its part, or
/// beside the seconds of that time.
fn log(answer: &Answer, total: Option<u64>) -> ArmLog {
    let Answer::Log { read, ran, lines } = answer else { return ArmLog::default() };
    let of_total = |total: u64| {
        let part = u128::from(total) * u128::from(*read) / u128::from(*ran).max(1);
        u64::try_from(part).unwrap_or(u64::MAX)
    };
    // A moment is a second: it was seen, and what was logged in it is to be weighed.
    let seconds = read.div_ceil(MILLIS);
    let exposure = total.map_or(seconds, of_total);
    ArmLog { exposure, masked: lines.clone(), ..ArmLog::default() }
}

fn no_pod(version: &str) -> String {
    format!("no running pod of the {version} is past its warm-up")
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a tenth of a count, about"
)]
fn skew(total: u64) -> u64 {
    ((total as f64 * SKEW) as u64).max(1)
}

fn empty(is_unknown: bool, (canary, stable): (u64, u64)) -> Option<Missing> {
    let stable_has_data = stable > 0;
    match (canary, stable_has_data) {
        (0, stable_has_data) if is_unknown => Some(Missing::NoCanarySeries { stable_has_data }),
        (0, _) => Some(Missing::NoCanaryTraffic),
        (_, false) => Some(Missing::NoStableTraffic),
        (_, true) => None,
    }
}

fn sentence(missing: Missing) -> String {
    match missing {
        Missing::Unreachable => "the source is out of reach",
        Missing::NotANumber => "a value is not a count",
        Missing::NoCanarySeries { stable_has_data: true } => {
            "the source has no data of the canary, and has some of the stable version"
        }
        Missing::NoCanarySeries { stable_has_data: false } => {
            "the source has no data of either version"
        }
        Missing::NoCanaryTraffic => "the canary had no traffic",
        Missing::NoStableTraffic => "the stable version had no traffic",
    }
    .to_owned()
}
