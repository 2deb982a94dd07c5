//! One look: four questions, their answers, and what they come to.

use super::{
    answers::{Answer, Taken},
    question,
    settings::{QUESTIONS, Settings},
};
use crate::conversation::{FOREIGN_STATE, done, failed};
use crate::{Asked, Measured, MeasuredValue, Turn, Verdict};
use jiff::{SignedDuration, Timestamp, TimestampRound, Unit};
use judges::{
    counts::{Interval, IntervalId},
    evidence::{self, Evidence},
    missing::{MissingState, Treatment},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vocab::{Exchange, Reply, ReplyError};

/// A look whose answers are late by more than this part of the time between two looks moves all later
/// ones, so that no two count the same minutes.
const LATE: i32 = 10;
/// Longest sentence kept of what went wrong, in bytes.
const MAX_PROBLEM_BYTES: usize = 1024;

/// What is kept from look to look, in the run's status; it holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Progress {
    /// Which settings it came from.
    pub(super) settings: String,
    /// When the first look was taken.
    began: Timestamp,
    /// When the next look is to be taken.
    due: Timestamp,
    /// Looks that are over.
    looks: u64,
    /// The judge's own state.
    judge: Value,
    /// What was missing.
    missing: MissingState,
    /// Short facts for people.
    pub(super) told: BTreeMap<String, String>,
}

/// A look that is being taken; it may hold a token and is written nowhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Look {
    pub(super) progress: Progress,
    /// The answers so far, in the order of [`QUESTIONS`].
    answers: Vec<Answer>,
    /// Where the conversation about the next answer stands.
    conversation: Value,
}

impl Progress {
    pub(super) fn new(settings: String, now: Timestamp) -> Self {
        // Whole seconds, since those of a status are: looks are evenly spaced.
        let second = TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Ceil);
        let began = now.round(second).unwrap_or(now);
        Self {
            settings,
            began,
            due: began,
            looks: 0,
            judge: Value::Null,
            missing: MissingState::default(),
            told: BTreeMap::new(),
        }
    }
}

/// Begins the next look.
pub(super) fn begin(
    settings: &Settings,
    asked: &Asked<'_>,
    progress: Progress,
    now: Timestamp,
) -> Turn {
    let look = Look { progress, answers: Vec::new(), conversation: Value::Null };
    let turn = settings.source.start(&settings.queries[0], asked, now);
    follow(settings, asked, look, turn, now)
}

/// Goes on with the answer to a question.
pub(super) fn go_on(
    settings: &Settings,
    asked: &Asked<'_>,
    look: Look,
    reply: Result<Reply, ReplyError>,
    now: Timestamp,
) -> Turn {
    let Some(query) = settings.queries.get(look.answers.len()) else {
        return done(Err(failed(FOREIGN_STATE)));
    };
    let turn = settings.source.resume(query, asked, (&look.conversation, reply), now);
    follow(settings, asked, look, turn, now)
}

fn follow(
    settings: &Settings,
    asked: &Asked<'_>,
    mut look: Look,
    mut turn: Turn,
    now: Timestamp,
) -> Turn {
    loop {
        let answer = match turn {
            Exchange::Call(call, conversation) => {
                let look = Look { conversation, ..look };
                return Exchange::Call(call, serde_json::to_value(look).unwrap_or_default());
            }
            Exchange::Wait(..) => Err("the source does not answer at once".to_owned()),
            Exchange::Done(Err(error)) => Err(error.message),
            Exchange::Done(Ok(measured)) => question::number(&measured),
        };
        match answer {
            Ok(number) => look.answers.push(Answer::of(number)),
            Err(message) => {
                let (version, what) = QUESTIONS[look.answers.len()];
                return conclude(settings, look, Taken::unreachable(version, what, &message), now);
            }
        }
        let Some(query) = settings.queries.get(look.answers.len()) else {
            let taken = Taken::of(&look.answers);
            return conclude(settings, look, taken, now);
        };
        turn = settings.source.start(query, asked, now);
    }
}

/// Takes in what a look came to: a verdict, an end without one, or the next look.
fn conclude(settings: &Settings, look: Look, taken: Taken, now: Timestamp) -> Turn {
    let Look { mut progress, .. } = look;
    let policy = settings.missing;
    let treatment = match &taken.missing {
        None => {
            policy.found(&mut progress.missing);
            None
        }
        Some((missing, _)) => Some(policy.missed(&mut progress.missing, *missing)),
    };
    let problem = taken.missing.map(|(_, sentence)| sentence);
    if treatment == Some(Treatment::Error) {
        return done(Err(failed(problem.unwrap_or_default())));
    }
    let problem = problem.map(kept);
    progress.looks = progress.looks.saturating_add(1);
    let id = IntervalId(progress.looks);
    let interval = taken.arms.map(|(canary, stable)| Interval { id, canary, stable });
    let Some(evidence) = settings.judging.judge(&mut progress.judge, interval.as_ref()) else {
        return done(Err(failed(FOREIGN_STATE)));
    };
    progress.told = told(settings, &evidence, progress.looks, problem.clone());
    let end =
        |verdict, reason| done(Ok(measured(settings, &progress, &evidence, (verdict, reason))));
    match (evidence.verdict, treatment) {
        (evidence::Verdict::Fail, _) => return end(Verdict::Failed, None),
        (evidence::Verdict::Pass, _) => return end(Verdict::Successful, None),
        (_, Some(Treatment::Fail)) if policy.must_have_data => {
            return end(Verdict::Failed, problem);
        }
        (_, Some(Treatment::Fail | Treatment::Inconclusive)) => {
            return end(Verdict::Inconclusive, problem);
        }
        _ => {}
    }
    let due = next_due(progress.due, now, settings.every);
    if due.duration_since(progress.began) > settings.at_most {
        let over = format!("no verdict within {}", api::go_duration::format(settings.at_most));
        return end(Verdict::Inconclusive, Some(over));
    }
    progress.due = due;
    let state = serde_json::to_value(progress).unwrap_or_default();
    Exchange::Wait(due, state)
}

/// When to look again: so long after this look was due, or after its last answer, if that was late.
fn next_due(due: Timestamp, answered: Timestamp, every: SignedDuration) -> Timestamp {
    let is_late = answered.duration_since(due) > every / LATE;
    let from = if is_late { answered } else { due };
    from.checked_add(every).unwrap_or(Timestamp::MAX)
}

fn told(
    settings: &Settings,
    evidence: &Evidence,
    looks: u64,
    problem: Option<String>,
) -> BTreeMap<String, String> {
    let of = |ln_e: f64, needed: f64| format!("{ln_e:.2} of {needed:.2}");
    let pass = evidence.ln_e_pass.zip(settings.judging.passes_at());
    let facts = [
        ("verdict", Some(word(evidence.verdict).to_owned())),
        ("evidence", Some(evidence.to_string())),
        ("lnE", Some(of(evidence.ln_e_fail, settings.judging.fails_at()))),
        ("lnEPass", pass.map(|(ln_e, needed)| of(ln_e, needed))),
        ("looks", Some(looks.to_string())),
        ("problem", problem),
    ];
    let facts = facts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?)));
    facts.collect()
}

fn word(verdict: evidence::Verdict) -> &'static str {
    match verdict {
        evidence::Verdict::Fail => "fail",
        evidence::Verdict::Pass => "pass",
        evidence::Verdict::Continue => "continue",
    }
}

fn measured(
    settings: &Settings,
    progress: &Progress,
    evidence: &Evidence,
    (verdict, reason): (Verdict, Option<String>),
) -> Measured {
    let mut value = json!(evidence);
    if let Some(fields) = value.as_object_mut() {
        let ln_e = fields.shift_remove("lnEFail").unwrap_or_default();
        fields.insert("lnE".to_owned(), ln_e);
        fields.insert("failsAt".to_owned(), json!(settings.judging.fails_at()));
        if let Some(passes_at) = settings.judging.passes_at() {
            fields.insert("passesAt".to_owned(), json!(passes_at));
        }
        fields.insert("judge".to_owned(), json!(settings.judging.name()));
        fields.insert("looks".to_owned(), json!(progress.looks));
        if let Some(reason) = reason {
            fields.insert("reason".to_owned(), json!(reason));
        }
    }
    let text = value.to_string();
    let metadata = progress.told.clone();
    Measured { result: MeasuredValue::Json(value), value: text, metadata, verdict: Some(verdict) }
}

/// A sentence that may be kept. One that is too long is not cut: a secret that was cut in two would not
/// be known for one.
fn kept(sentence: String) -> String {
    if sentence.len() > MAX_PROBLEM_BYTES {
        return format!("the source's error has {} bytes, too many to be kept", sentence.len());
    }
    sentence
}
