//! J6, the log judge: does the canary log errors that the stable version does not, or more of them?
//!
//! Lines that speak of trouble ([`severity`]) are masked ([`mask`]) and sorted into templates
//! ([`drain`]); each template is counted on both sides and judged like any rate. No network, no chance,
//! no order: lines of one interval may come in any order.
//!
//! Half of the stake is on templates that were known before the release, half on new ones: a quarter on
//! the first that appears, an eighth on the second, and so on. That is decided before it is known which
//! arm a line is from, so the sum of all stakes is an e-process. It only fails, it never passes: a
//! canary that logs nothing is not thereby good.
//!
//! Lines are not independent when one failure writes many: set a design effect.

pub mod drain;
pub mod mask;
pub mod severity;

use crate::{
    counts::{Arm, Interval, IntervalId, MAX_COUNT},
    evidence::{Evidence, Verdict},
    judge::{Fed, Judge, Ledger},
    numeric::{ln, ln_sum_exp, real},
    process::{EProcess, Worth},
    rate::{self, Events, WORSE},
    settings::{DesignEffect, ErrorRate, Tolerance},
};
use drain::Drain;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Lines of one arm in one interval after which the rest is not read.
pub const MAX_LINES: usize = 100_000;
/// Bytes of one arm in one interval after which the rest is not read.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

/// What the log judge is told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// The chance that a canary that logs no more trouble is ever failed.
    pub alpha: ErrorRate,
    /// How many times more trouble it may log.
    pub tolerance: Tolerance,
    /// How much more counts vary than those of independent lines.
    pub design_effect: DesignEffect,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            alpha: ErrorRate::USUAL,
            tolerance: Tolerance::NONE,
            design_effect: DesignEffect::NONE,
        }
    }
}

/// What one version logged in one interval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArmLog {
    /// Requests it served, or seconds that its pods ran; the same unit for both versions.
    pub exposure: u64,
    /// The lines, in any order, of all its pods.
    pub lines: Vec<String>,
    /// Lines of trouble beside those, masked already and counted ([`trouble`]).
    pub masked: BTreeMap<String, u64>,
}

/// One interval of both versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogInterval {
    /// Which one.
    pub id: IntervalId,
    /// The new version.
    pub canary: ArmLog,
    /// The version it is compared with.
    pub stable: ArmLog,
}

/// J6.
#[derive(Clone, Debug, PartialEq)]
pub struct LogJudge {
    settings: Settings,
}

/// What the log judge remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogState {
    /// Which intervals were counted, and exposure; bad are lines of trouble.
    pub ledger: Ledger,
    /// The templates, by first appearance.
    pub drain: Drain,
    /// What is known of each template, in the same order.
    pub counted: Vec<Counted>,
    /// How many of the templates were known before the release.
    pub known: usize,
    /// The largest ln E.
    pub max_ln_e_fail: f64,
    /// Lines that were not read because there were too many.
    pub unread: u64,
}

/// What was counted of one template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counted {
    /// Lines of the canary.
    pub canary: u64,
    /// Lines of the stable version.
    pub stable: u64,
    /// Bets that it is the canary's more often than it should be.
    pub fail: EProcess<8>,
}

/// What speaks against a canary: one template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateEvidence {
    /// Its place by first appearance; the same for the whole release.
    pub id: usize,
    /// What its lines have in common; what differs is masked.
    pub text: String,
    /// Lines of the canary.
    pub canary: u64,
    /// Lines of the stable version.
    pub stable: u64,
    /// ln E of this template by itself.
    pub ln_e: f64,
    /// Whether it was known before the release.
    pub is_known: bool,
}

impl LogState {
    /// Knows the templates of trouble in lines from before the release.
    pub fn with_history<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut state = Self::default();
        let mut masked: Vec<String> = lines.into_iter().filter_map(trouble).collect();
        masked.sort_unstable();
        masked.dedup();
        for line in masked {
            state.template(&line);
        }
        state.known = state.counted.len();
        state
    }

    fn template(&mut self, masked: &str) -> usize {
        let id = self.drain.learn(masked);
        self.counted.resize(self.drain.templates().len(), Counted::default());
        id
    }

    /// ln E of all stakes together; what is not staked on a template yet stays at 1.
    fn ln_e(&self) -> f64 {
        let (known, new) = self.counted.split_at(self.known.min(self.counted.len()));
        let mut left = 1.0;
        let mut terms = Vec::with_capacity(self.counted.len() + 1);
        let mut stake = |share: f64, template: &Counted| {
            left -= share;
            terms.push(ln(share) + template.fail.ln_e());
        };
        let share = 0.5 / real(known.len().max(1) as u64);
        for template in known {
            stake(share, template);
        }
        let mut share = 0.25;
        for template in new.iter().take(MAX_STAKES) {
            stake(share, template);
            share /= 2.0;
        }
        terms.push(ln(left.max(f64::MIN_POSITIVE)));
        ln_sum_exp(&terms)
    }
}

/// New templates beyond this have no stake worth computing.
const MAX_STAKES: usize = 40;

/// The masked line, if it speaks of trouble.
pub fn trouble(line: &str) -> Option<String> {
    severity::is_trouble(line).then(|| mask::mask(line))
}

impl LogJudge {
    /// A judge.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Every template that was seen, what speaks most against the canary first.
    pub fn templates(&self, state: &LogState) -> Vec<TemplateEvidence> {
        let counted = state.counted.iter().zip(state.drain.templates()).enumerate();
        let evidence = counted.map(|(id, (counted, template))| TemplateEvidence {
            id,
            text: template.text(),
            canary: counted.canary,
            stable: counted.stable,
            ln_e: counted.fail.ln_e(),
            is_known: id < state.known,
        });
        let mut evidence: Vec<TemplateEvidence> = evidence.collect();
        evidence.sort_by(|a, b| b.ln_e.total_cmp(&a.ln_e).then_with(|| a.text.cmp(&b.text)));
        evidence
    }

    /// Counts what was logged, template by template, and bets on it.
    fn count(&self, state: &mut LogState, interval: &LogInterval, lines: Lines) {
        let mut templates: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
        for (line, (canary, stable)) in lines.masked {
            let counts = templates.entry(state.template(&line)).or_default();
            counts.0 += canary;
            counts.1 += stable;
        }
        let (tolerance, design_effect) =
            (self.settings.tolerance.get(), self.settings.design_effect.get());
        for (id, (canary, stable)) in templates {
            let template = &mut state.counted[id];
            template.canary = template.canary.saturating_add(canary);
            template.stable = template.stable.saturating_add(stable);
            let events = Events {
                canary: real(canary),
                stable: real(stable),
                canary_exposure: real(interval.canary.exposure),
                stable_exposure: real(interval.stable.exposure),
            };
            let step = |g| rate::ln_likelihood(events, tolerance, tolerance * g) / design_effect;
            template.fail.add(WORSE.map(step));
        }
    }
}

/// Lines of trouble of both arms, masked and counted: (canary, stable).
#[derive(Default)]
struct Lines {
    masked: BTreeMap<String, (u64, u64)>,
    unread: u64,
}

impl Lines {
    fn of(interval: &LogInterval) -> Self {
        let mut lines = Self::default();
        lines.read(&interval.canary, |counts, more| counts.0 += more);
        lines.read(&interval.stable, |counts, more| counts.1 += more);
        lines
    }

    fn read(&mut self, arm: &ArmLog, count: fn(&mut (u64, u64), u64)) {
        let mut bytes = 0_usize;
        let within = |line: &&String| {
            bytes = bytes.saturating_add(line.len());
            bytes <= MAX_BYTES
        };
        let mut read = 0;
        for line in arm.lines.iter().take(MAX_LINES).take_while(within) {
            read += 1;
            if let Some(masked) = trouble(line) {
                count(self.masked.entry(masked).or_default(), 1);
            }
        }
        for (masked, times) in &arm.masked {
            count(self.masked.entry(masked.clone()).or_default(), (*times).min(MAX_COUNT));
        }
        self.unread += (arm.lines.len() - read) as u64;
    }

    fn sum(&self, of: fn(&(u64, u64)) -> u64) -> u64 {
        self.masked.values().map(of).sum()
    }
}

impl Judge for LogJudge {
    type Interval = LogInterval;
    type State = LogState;

    fn feed(&self, state: &mut LogState, interval: &LogInterval) -> Fed {
        let exposed = |arm: &ArmLog| Arm::new(0, arm.exposure.min(MAX_COUNT)).unwrap_or_default();
        let (canary, stable) = (exposed(&interval.canary), exposed(&interval.stable));
        let fed = state.ledger.enter(&Interval { id: interval.id, canary, stable });
        if fed == Fed::Counted {
            let lines = Lines::of(interval);
            state.ledger.canary.bad = state.ledger.canary.bad.saturating_add(lines.sum(|c| c.0));
            state.ledger.stable.bad = state.ledger.stable.bad.saturating_add(lines.sum(|c| c.1));
            state.unread = state.unread.saturating_add(lines.unread);
            self.count(state, interval, lines);
            state.max_ln_e_fail = state.max_ln_e_fail.max(state.ln_e());
        }
        fed
    }

    fn evidence(&self, state: &LogState) -> Evidence {
        let fail = Worth { ln_e: state.ln_e(), max_ln_e: state.max_ln_e_fail };
        let fails = fail.max_ln_e >= self.settings.alpha.ln_threshold();
        let verdict = if fails { Verdict::Fail } else { Verdict::Continue };
        Evidence::of(verdict, &state.ledger, fail, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOISE: &str = "2026-11-22T05:00:00Z ERROR upstream 10.0.0.7:8080 timed out after 312 ms";
    const NEW: &str = "2026-11-22T05:00:01Z ERROR cannot decode order 4711: missing field `price`";
    const FINE: &str = "2026-11-22T05:00:01Z INFO served order 4711 in 12 ms";

    fn log(exposure: u64, lines: &[&str]) -> ArmLog {
        let lines = lines.iter().map(|&line| line.to_owned()).collect();
        ArmLog { exposure, lines, ..ArmLog::default() }
    }

    fn walk(state: &mut LogState, intervals: &[(ArmLog, ArmLog)]) -> Evidence {
        let judge = LogJudge::new(Settings::default());
        for ((canary, stable), id) in intervals.iter().zip(0..) {
            let (canary, stable) = (canary.clone(), stable.clone());
            judge.feed(state, &LogInterval { id: IntervalId(id), canary, stable });
        }
        judge.evidence(state)
    }

    #[test]
    fn a_new_error_is_caught_at_its_third_line_with_a_tenth_of_the_traffic() {
        let third = (log(100, &[FINE, NEW]), log(900, &[FINE, FINE]));
        let mut state = LogState::with_history([NOISE]);
        assert_eq!(walk(&mut state, &vec![third.clone(); 2]).verdict, Verdict::Continue);
        let mut state = LogState::with_history([NOISE]);
        assert_eq!(walk(&mut state, &vec![third; 3]).verdict, Verdict::Fail);
        let worst = &LogJudge::new(Settings::default()).templates(&state)[0];
        assert_eq!((worst.canary, worst.stable, worst.is_known), (3, 0, false));
        assert!(worst.text.contains("cannot decode order <num>"), "{}", worst.text);
    }

    /// A quarter of the stake is on the first new template, none of which anything is won elsewhere.
    #[test]
    fn the_evidence_of_a_new_error_agrees_with_the_vectors() {
        for (lines, expected) in [(1, 0.417_522_7), (2, 1.460_774_8), (3, 3.082_727_3)] {
            let mut state = LogState::with_history([NOISE]);
            let third = (log(100, &[FINE, NEW]), log(900, &[FINE, FINE]));
            let got = walk(&mut state, &vec![third; lines]).ln_e_fail;
            assert!((got - expected).abs() < 1e-6, "{got} is not {expected}");
        }
    }

    /// With the whole stake on it, at an error rate of 5 % and of 1 %.
    #[test]
    fn a_new_error_is_caught_after_as_few_lines_as_the_table_says() {
        use crate::rate::{RateJudge, RateState};
        for (canary, expected) in [(10, [3, 4]), (5, [2, 3]), (20, [3, 5]), (50, [7, 10])] {
            let judge = RateJudge::new(rate::Settings::default()).unwrap();
            let needed = [0.05, 0.01].map(|alpha| {
                let mut state = RateState::default();
                let line = |id| Interval {
                    id: IntervalId(id),
                    canary: Arm::new(1, canary).unwrap(),
                    stable: Arm::new(0, 100 - canary).unwrap(),
                };
                let caught = (1..100).find(|id| {
                    judge.feed(&mut state, &line(*id));
                    state.fail.max_ln_e() >= -ln(alpha)
                });
                caught.unwrap()
            });
            assert_eq!(needed, expected, "{canary} of 100");
        }
    }

    #[test]
    fn noise_that_both_versions_make_says_nothing() {
        let noise = [NOISE; 9];
        let interval = (log(100, &noise[..1]), log(900, &noise));
        let evidence = walk(&mut LogState::default(), &vec![interval; 50]);
        assert_eq!(evidence.verdict, Verdict::Continue);
        assert_eq!((evidence.canary.bad, evidence.stable.bad), (50, 450));
        assert_eq!(evidence.ln_e_pass, None);
    }

    #[test]
    fn lines_may_come_in_any_order() {
        let run = |canary: &[&str], stable: &[&str]| {
            let mut state = LogState::default();
            walk(&mut state, &[(log(100, canary), log(900, stable))]);
            serde_json::to_string(&state).unwrap()
        };
        assert_eq!(
            run(&[NOISE, NEW, FINE], &[NOISE, NOISE]),
            run(&[FINE, NEW, NOISE], &[NOISE, NOISE])
        );
    }

    #[test]
    fn lines_may_be_masked_and_counted_beforehand() {
        let masked = BTreeMap::from([(trouble(NEW).unwrap(), 3)]);
        let counted = (ArmLog { exposure: 300, masked, ..ArmLog::default() }, log(2700, &[]));
        let written = (log(300, &[NEW, FINE, NEW, NEW]), log(2700, &[]));
        let walked = |interval| {
            let mut state = LogState::default();
            let evidence = walk(&mut state, &[interval]);
            (evidence, state)
        };
        assert_eq!(walked(counted), walked(written));
    }

    #[test]
    fn an_interval_is_counted_once_also_after_a_restart() {
        let judge = LogJudge::new(Settings::default());
        let mut state = LogState::with_history([NOISE]);
        let interval =
            LogInterval { id: IntervalId(7), canary: log(100, &[NEW]), stable: log(900, &[NOISE]) };
        assert_eq!(judge.feed(&mut state, &interval), Fed::Counted);
        let stored = serde_json::to_string(&state).unwrap();
        let mut resumed: LogState = serde_json::from_str(&stored).unwrap();
        assert_eq!(judge.feed(&mut resumed, &interval), Fed::Known);
        assert_eq!(resumed, state);
    }

    #[test]
    fn a_canary_without_pods_is_no_success() {
        let evidence = walk(&mut LogState::default(), &[(log(0, &[]), log(900, &[NOISE]))]);
        assert_eq!((evidence.verdict, evidence.empty_intervals), (Verdict::Continue, 1));
    }

    #[test]
    fn what_is_too_much_is_not_read_and_said() {
        let lines = vec!["ERROR x".to_owned(); MAX_LINES + 5];
        let mut state = LogState::default();
        walk(&mut state, &[(ArmLog { exposure: 1, lines, ..ArmLog::default() }, log(1, &[]))]);
        assert_eq!((state.unread, state.counted[0].canary), (5, MAX_LINES as u64));
    }
}
