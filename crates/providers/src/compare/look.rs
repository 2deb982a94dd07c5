//! One look: four questions, their answers, and what they come to.

use super::{
    answers::{Answer, Taken},
    judging::{Compared, Judging},
    pods::{Next, Reading},
    question,
    settings::{Settings, What},
};
use crate::conversation::{FOREIGN_STATE, done, failed};
use crate::{Asked, Measured, MeasuredValue, Turn, Verdict};
use jiff::{SignedDuration, Timestamp, TimestampRound, Unit};
use judges::{
    counts::IntervalId,
    evidence::{self, Evidence},
    log::TemplateEvidence,
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

/// Templates of logs that a value has.
const MAX_TEMPLATES: usize = 5;
/// Bytes of a template that are shown.
const MAX_SHOWN_BYTES: usize = 256;

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
    /// Until when logs were read; none before the first look.
    #[serde(default)]
    read_until: Option<Timestamp>,
    /// Looks of earlier measurements, which the judge has seen too.
    #[serde(default)]
    before: u64,
    /// The judge's own state.
    judge: Value,
    /// What the judge would know if there had been no earlier measurement; null where there was none.
    #[serde(default)]
    alone: Value,
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
    /// The answers so far, in the order of the questions.
    answers: Vec<Answer>,
    /// Where the conversation about the next answer stands.
    conversation: Value,
    /// Where reading logs stands, while they are read.
    reading: Option<Reading>,
    /// When it was begun.
    asked_at: Timestamp,
}

impl Look {
    /// Since when logs are read.
    fn since(&self, settings: &Settings) -> Timestamp {
        let first = || self.asked_at.checked_sub(settings.every).unwrap_or(self.asked_at);
        self.progress.read_until.unwrap_or_else(first)
    }
}

/// What outlives a measurement, for the next one of the release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Learned {
    /// Which settings it came from.
    settings: String,
    /// Before that time a look would count what was counted already.
    due: Timestamp,
    /// Looks so far.
    looks: u64,
    /// The judge's own state.
    judge: Value,
}

impl Progress {
    /// Begins with what was learned before, if it came from the same settings.
    pub(super) fn new(settings: String, learned: Option<&Value>, now: Timestamp) -> Self {
        let learned = learned.and_then(|learned| Learned::deserialize(learned).ok());
        let learned = learned.filter(|learned| learned.settings == settings);
        let mut progress = Self::afresh(settings, now);
        if let Some(learned) = learned {
            progress.due = progress.due.max(learned.due);
            progress.before = learned.looks;
            progress.judge = learned.judge;
        }
        progress
    }

    fn afresh(settings: String, now: Timestamp) -> Self {
        // Whole seconds, since those of a status are: looks are evenly spaced.
        let second = TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Ceil);
        let began = now.round(second).unwrap_or(now);
        Self {
            settings,
            began,
            due: began,
            looks: 0,
            read_until: None,
            before: 0,
            judge: Value::Null,
            alone: Value::Null,
            missing: MissingState::default(),
            told: BTreeMap::new(),
        }
    }

    /// What a later measurement goes on from; nothing where nothing was seen.
    pub(super) fn learned(&self) -> Option<Value> {
        let looks = self.before.saturating_add(self.looks);
        let (settings, judge) = (self.settings.clone(), self.judge.clone());
        let learned = Learned { settings, due: self.due, looks, judge };
        serde_json::to_value(learned).ok().filter(|_| looks > 0)
    }

    /// Shows the judge one more interval and says where things stand; none for a state of another judge.
    ///
    /// Against the canary all counts that the release has seen. For it only what this measurement has:
    /// under more traffic it must pass again.
    fn judge(&mut self, judging: &Judging, compared: Option<&Compared>) -> Option<Evidence> {
        let id = IntervalId(self.before.saturating_add(self.looks));
        let all = judging.judge(&mut self.judge, id, compared)?;
        if self.before == 0 || judging.passes_at().is_none() {
            return Some(all);
        }
        let alone = judging.judge(&mut self.alone, id, compared)?;
        let is_passed = alone.verdict == evidence::Verdict::Pass;
        let (verdict, basis) = match all.verdict {
            evidence::Verdict::Fail => (all.verdict, all.basis),
            _ if is_passed => (alone.verdict, alone.basis),
            _ => (evidence::Verdict::Continue, None),
        };
        let Evidence { ln_e_pass, max_ln_e_pass, .. } = alone;
        Some(Evidence { verdict, basis, ln_e_pass, max_ln_e_pass, ..all })
    }
}

/// Begins the first look, at once or when it counts nothing that was counted before.
pub(super) fn begin_when_due(
    settings: &Settings,
    asked: &Asked<'_>,
    mut progress: Progress,
    now: Timestamp,
) -> Turn {
    if progress.before == 0 || progress.due <= now {
        return begin(settings, asked, progress, now);
    }
    progress.told = BTreeMap::from([("carried".to_owned(), carried(progress.before))]);
    Exchange::Wait(progress.due, serde_json::to_value(progress).unwrap_or_default())
}

fn carried(looks: u64) -> String {
    format!("goes on from {looks} looks of the release")
}

/// Begins the next look.
pub(super) fn begin(
    settings: &Settings,
    asked: &Asked<'_>,
    progress: Progress,
    now: Timestamp,
) -> Turn {
    let (answers, conversation) = (Vec::new(), Value::Null);
    let look = Look { progress, answers, conversation, reading: None, asked_at: now };
    ask(settings, asked, look, now)
}

/// Asks the next question, or concludes where all are answered.
fn ask(settings: &Settings, asked: &Asked<'_>, mut look: Look, now: Timestamp) -> Turn {
    let Some(question) = settings.questions.get(look.answers.len()) else {
        let taken = Taken::of(&settings.questions, &look.answers);
        look.progress.read_until = Some(look.asked_at);
        return conclude(settings, look, taken, now);
    };
    match &settings.source {
        Some(source) if question.what != What::Pods => {
            let turn = source.start(&question.query, asked, now);
            follow(settings, asked, look, (turn, None), now)
        }
        _ => {
            let whose = (asked.namespace, settings.container.as_deref());
            let span = (look.since(settings), look.asked_at);
            let (call, reading) = Reading::begin(whose, &question.query, span, settings.warm_up);
            look.reading = Some(reading);
            Exchange::Call(call, serde_json::to_value(look).unwrap_or_default())
        }
    }
}

/// Goes on with the answer to a question.
pub(super) fn go_on(
    settings: &Settings,
    asked: &Asked<'_>,
    mut look: Look,
    reply: Result<Reply, ReplyError>,
    now: Timestamp,
) -> Turn {
    let Some(question) = settings.questions.get(look.answers.len()) else {
        return done(Err(failed(FOREIGN_STATE)));
    };
    if let Some(reading) = look.reading.take() {
        return match reading.go_on(reply) {
            Ok(Next::Ask(call, reading)) => {
                let look = Look { reading: Some(*reading), ..look };
                Exchange::Call(call, serde_json::to_value(look).unwrap_or_default())
            }
            Ok(Next::Answered(answer)) => {
                look.answers.push(answer);
                ask(settings, asked, look, now)
            }
            Err(message) => conclude(settings, look, Taken::unreachable(question, &message), now),
        };
    }
    let Some(source) = &settings.source else { return done(Err(failed(FOREIGN_STATE))) };
    let answered = reply.as_ref().ok().cloned();
    let turn = source.resume(&question.query, asked, (&look.conversation, reply), now);
    follow(settings, asked, look, (turn, answered), now)
}

/// Follows a turn of the source, and the reply that it came of, if any.
fn follow(
    settings: &Settings,
    asked: &Asked<'_>,
    mut look: Look,
    (turn, reply): (Turn, Option<Reply>),
    now: Timestamp,
) -> Turn {
    let Some(question) = settings.questions.get(look.answers.len()) else {
        return done(Err(failed(FOREIGN_STATE)));
    };
    let answer = match turn {
        Exchange::Call(call, conversation) => {
            let look = Look { conversation, ..look };
            return Exchange::Call(call, serde_json::to_value(look).unwrap_or_default());
        }
        Exchange::Wait(..) => Err("the source does not answer at once".to_owned()),
        Exchange::Done(Err(error)) => Err(error.message),
        Exchange::Done(Ok(measured)) => {
            question::answer(question, settings.judging.edges(), &measured, reply.as_ref())
        }
    };
    match answer {
        Ok(answer) => {
            look.answers.push(answer);
            ask(settings, asked, look, now)
        }
        Err(message) => conclude(settings, look, Taken::unreachable(question, &message), now),
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
    let Some(evidence) = progress.judge(&settings.judging, taken.compared.as_ref()) else {
        return done(Err(failed(FOREIGN_STATE)));
    };
    progress.told = told(settings, &progress, &evidence, problem.clone());
    progress.due = next_due(progress.due, now, settings.every);
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
    let due = progress.due;
    if due.duration_since(progress.began) > settings.at_most {
        let over = format!("no verdict within {}", api::go_duration::format(settings.at_most));
        return end(Verdict::Inconclusive, Some(over));
    }
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
    progress: &Progress,
    evidence: &Evidence,
    problem: Option<String>,
) -> BTreeMap<String, String> {
    let of = |ln_e: f64, needed: f64| format!("{ln_e:.2} of {needed:.2}");
    let pass = evidence.ln_e_pass.zip(settings.judging.passes_at());
    let Progress { before, looks, began, .. } = progress;
    let every = api::go_duration::format(settings.every);
    let worst = settings.judging.templates(&progress.judge).into_iter().next();
    let worst = worst.filter(|template| template.ln_e > 0.0);
    let facts = [
        ("template", worst.map(|template| in_words(&template))),
        ("carried", (*before > 0).then(|| carried(*before))),
        ("condition", Some(settings.condition())),
        ("limit", Some(format!("alpha {}", settings.alpha_in_words()))),
        ("window", Some(format!("{looks} looks of {every} each since {began}"))),
        ("verdict", Some(word(evidence.verdict).to_owned())),
        ("edge", evidence.edge.map(|edge| edge.to_string())),
        ("evidence", Some(evidence.to_string())),
        ("quantiles", evidence.quantiles.map(|quantiles| quantiles.to_string())),
        ("lnE", Some(of(evidence.ln_e_fail, settings.judging.fails_at()))),
        ("lnEPass", pass.map(|(ln_e, needed)| of(ln_e, needed))),
        ("looks", Some(looks.to_string())),
        ("problem", problem),
    ];
    let facts = facts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?)));
    facts.collect()
}

/// The template that speaks most against the canary; its text is masked.
fn in_words(template: &TemplateEvidence) -> String {
    let TemplateEvidence { text, canary, stable, .. } = template;
    format!("{canary} of the canary, {stable} of the stable version: {}", shown(text))
}

/// As much of a masked line as is shown.
fn shown(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_SHOWN_BYTES)]
}

/// What pods logged, as much of it as is shown.
fn templates(settings: &Settings, progress: &Progress) -> Vec<Value> {
    let all = settings.judging.templates(&progress.judge).into_iter().take(MAX_TEMPLATES);
    let fact = |template: TemplateEvidence| {
        json!({
            "text": shown(&template.text),
            "canary": template.canary,
            "stable": template.stable,
            "lnE": template.ln_e,
        })
    };
    all.map(fact).collect()
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
        fields.insert("alpha".to_owned(), json!(settings.judging.alpha()));
        if let Some(budget) = settings.release_alpha {
            fields.insert("releaseAlpha".to_owned(), json!(budget));
        }
        fields.insert("judge".to_owned(), json!(settings.judging.name()));
        fields.insert("looks".to_owned(), json!(progress.looks));
        let templates = templates(settings, progress);
        if !templates.is_empty() {
            fields.insert("templates".to_owned(), Value::Array(templates));
        }
        if let Some(reason) = reason {
            fields.insert("reason".to_owned(), json!(reason));
        }
    }
    let text = value.to_string();
    let metadata = progress.told.clone();
    Measured {
        result: MeasuredValue::Json(value),
        value: text,
        metadata,
        verdict: Some(verdict),
        learned: progress.learned(),
    }
}

/// A sentence that may be kept. One that is too long is not cut: a secret that was cut in two would not
/// be known for one.
fn kept(sentence: String) -> String {
    if sentence.len() > MAX_PROBLEM_BYTES {
        return format!("the source's error has {} bytes, too many to be kept", sentence.len());
    }
    sentence
}
