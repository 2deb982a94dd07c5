//! A whole table judged at once: for continuous integration and notebooks.

use crate::{
    counts::Interval,
    evidence::{ArmFacts, Basis, Evidence, QuantileBounds, Range, Verdict},
    judge::Judge,
    latency::{LatencyInterval, LatencyJudge},
    numeric::exp,
    proportion::{self, ProportionJudge},
    quantile::{
        Quantile,
        judge::{QuantileInterval, QuantileJudge},
    },
    rate::{self, RateJudge},
    settings::{Budget, DesignEffect, ErrorRate, PassRatio, SettingError, Tolerance},
    sign::{self, Arms, SignJudge},
    table::{
        self, Mistake,
        buckets::{self, Histograms},
    },
};
use serde::Serialize;
use std::{f64::consts::LN_10, fmt};

/// Which judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// J1, for what is rare.
    Rate,
    /// J2, for what is not.
    Proportion,
    /// J4, for what comes in bursts.
    Sign,
    /// J3, for histograms at edges that are stated.
    Latency,
    /// J3, for histograms at the edge of a quantile.
    Quantile,
}

/// Settings as people give them, not yet checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wanted {
    /// Which judge.
    pub judge: Which,
    /// The chance of failing a good release that is accepted.
    pub alpha: f64,
    /// The chance of passing a bad release that is accepted.
    pub beta: f64,
    /// How many times worse the canary may be.
    pub tolerance: f64,
    /// What must be ruled out to pass; twice the tolerance if not given.
    pub pass_ratio: Option<f64>,
    /// How much more counts vary than those of independent requests.
    pub design_effect: f64,
    /// The share of bad requests that is allowed, where nothing can be compared.
    pub budget: Option<f64>,
    /// Requests of the canary before which it is not passed.
    pub min_requests: u64,
    /// The quantile that the quantile judge compares; p99 if not given.
    pub quantile: Option<f64>,
    /// How the sign judge compares arms of different size.
    pub arms: Arms,
}

impl Wanted {
    /// A judge with the usual settings.
    pub fn usual(judge: Which) -> Self {
        Self {
            judge,
            alpha: 0.05,
            beta: 0.05,
            tolerance: 1.0,
            pass_ratio: None,
            design_effect: 1.0,
            budget: None,
            min_requests: 1,
            quantile: None,
            arms: Arms::AsTheyAre,
        }
    }
}

/// Why nothing was judged.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unjudged {
    /// Every setting that is wrong.
    #[error("{}", lines(.0))]
    Settings(Vec<SettingError>),
    /// Every mistake in the table.
    #[error("the table cannot be read:\n{}", lines(.0))]
    Table(Vec<Mistake>),
}

fn lines(errors: &[impl ToString]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Which judge.
    pub judge: Which,
    /// What to do.
    pub verdict: Verdict,
    /// What the verdict rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// ln E of the fail side after each interval.
    #[serde(rename = "lnE")]
    pub ln_e: Vec<f64>,
    /// ln E of the pass side after each interval; empty for a judge that cannot pass.
    #[serde(rename = "lnEPass")]
    pub ln_e_pass: Vec<f64>,
    /// What ln E must reach to fail.
    pub fail_at: f64,
    /// What ln E of the pass side must reach to pass.
    pub pass_at: f64,
    /// The first interval after which the verdict stood, counting from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_after: Option<usize>,
    /// The always-valid p-value.
    pub p_value: f64,
    /// Intervals that were compared.
    pub intervals: u64,
    /// Intervals in which an arm was empty.
    pub empty_intervals: u64,
    /// The edge that the following are about, for latencies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edge: Option<f64>,
    /// The canary.
    pub canary: ArmFacts,
    /// The stable version.
    pub stable: ArmFacts,
    /// The canary's rate divided by stable's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// The ratios compatible with the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio_range: Option<Range>,
    /// The canary's own rates compatible with the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary_rate_range: Option<Range>,
    /// Where the quantile is that is judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantiles: Option<QuantileBounds>,
}

/// Judges a table of text, as [`table::read`] or, for latencies, [`buckets::read`] understands it; fails
/// with every setting or every place in the text that is wrong.
pub fn judge(wanted: &Wanted, text: &str) -> Result<Report, Unjudged> {
    let checked = Checked::of(wanted).map_err(Unjudged::Settings)?;
    let run = match wanted.judge {
        Which::Latency => {
            let histograms = buckets::read(text).map_err(Unjudged::Table)?;
            let judge = LatencyJudge::new(histograms.edges, checked.for_rates());
            run(&judge.map_err(wrong_setting)?, &histograms.intervals)
        }
        Which::Quantile => {
            let judge = QuantileJudge::new(checked.quantile, checked.for_rates());
            let intervals = by_edges(buckets::read(text).map_err(Unjudged::Table)?);
            run(&judge.map_err(wrong_setting)?, &intervals)
        }
        _ => judge_counts(&checked, wanted.judge, &table::read(text).map_err(Unjudged::Table)?)?,
    };
    Ok(run.report(wanted.judge, checked.alpha, checked.beta))
}

fn by_edges(histograms: Histograms) -> Vec<QuantileInterval> {
    let Histograms { edges, intervals } = histograms;
    let interval = |LatencyInterval { id, canary, stable }| QuantileInterval {
        id,
        edges: edges.clone(),
        canary,
        stable,
    };
    intervals.into_iter().map(interval).collect()
}

fn judge_counts(checked: &Checked, judge: Which, intervals: &[Interval]) -> Result<Run, Unjudged> {
    let Checked { alpha, beta, tolerance, pass_ratio, design_effect, min_requests, arms, .. } =
        *checked;
    Ok(match judge {
        Which::Proportion => {
            let settings =
                proportion::Settings { alpha, beta, pass_ratio, design_effect, min_requests };
            run(&ProportionJudge::new(settings), intervals)
        }
        Which::Sign => run(&SignJudge::new(sign::Settings { alpha, tolerance, arms }), intervals),
        Which::Rate | Which::Latency | Which::Quantile => {
            run(&RateJudge::new(checked.for_rates()).map_err(wrong_setting)?, intervals)
        }
    })
}

fn wrong_setting(error: SettingError) -> Unjudged {
    Unjudged::Settings(vec![error])
}

/// The settings, each in its range and of use to the judge.
struct Checked {
    alpha: ErrorRate,
    beta: ErrorRate,
    tolerance: Tolerance,
    pass_ratio: PassRatio,
    design_effect: DesignEffect,
    budget: Option<Budget>,
    min_requests: u64,
    quantile: Quantile,
    arms: Arms,
}

impl Checked {
    fn for_rates(&self) -> rate::Settings {
        let Self {
            alpha, beta, tolerance, pass_ratio, design_effect, budget, min_requests, ..
        } = *self;
        rate::Settings { alpha, beta, tolerance, pass_ratio, design_effect, budget, min_requests }
    }

    fn of(wanted: &Wanted) -> Result<Self, Vec<SettingError>> {
        let alpha = ErrorRate::named("alpha", wanted.alpha);
        let beta = ErrorRate::named("beta", wanted.beta);
        let tolerance = Tolerance::new(wanted.tolerance);
        let usual = tolerance.clone().map_or(PassRatio::usual(Tolerance::NONE), PassRatio::usual);
        let pass_ratio = wanted.pass_ratio.map_or(Ok(usual), PassRatio::new);
        let design_effect = DesignEffect::new(wanted.design_effect);
        let budget = wanted.budget.map(Budget::new).transpose();
        let quantile = wanted.quantile.map_or(Ok(Quantile::P99), Quantile::new);
        let others = (design_effect, budget, quantile, useless(wanted));
        match (alpha, beta, tolerance, pass_ratio, others) {
            (
                Ok(alpha),
                Ok(beta),
                Ok(tolerance),
                Ok(pass_ratio),
                (Ok(design_effect), Ok(budget), Ok(quantile), None),
            ) => {
                let (min_requests, arms) = (wanted.min_requests, wanted.arms);
                Ok(Self {
                    alpha,
                    beta,
                    tolerance,
                    pass_ratio,
                    design_effect,
                    budget,
                    min_requests,
                    quantile,
                    arms,
                })
            }
            (alpha, beta, tolerance, pass_ratio, (design_effect, budget, quantile, useless)) => {
                let wrong = [
                    alpha.err(),
                    beta.err(),
                    tolerance.err(),
                    pass_ratio.err(),
                    design_effect.err(),
                    budget.err(),
                    quantile.err(),
                    useless,
                ];
                Err(wrong.into_iter().flatten().collect())
            }
        }
    }
}

/// A setting that the judge would not heed, which nobody should believe it does.
fn useless(wanted: &Wanted) -> Option<SettingError> {
    let wrong = |setting, value, range| Some(SettingError { setting, value, range });
    let only_one = "1 for this judge";
    if let (Some(quantile), false) = (wanted.quantile, wanted.judge == Which::Quantile) {
        return wrong("quantile", quantile, "absent but for the quantile judge");
    }
    match wanted.judge {
        Which::Rate | Which::Proportion | Which::Latency | Which::Quantile
            if wanted.arms == Arms::Thinned =>
        {
            wrong("thin", 1.0, "absent but for the sign judge")
        }
        Which::Rate | Which::Latency => None,
        _ if wanted.budget.is_some() => {
            wrong("budget", wanted.budget.unwrap_or_default(), "absent for this judge")
        }
        Which::Proportion if wanted.tolerance > 1.0 => {
            wrong("tolerance", wanted.tolerance, only_one)
        }
        Which::Sign if wanted.design_effect > 1.0 => {
            wrong("design effect", wanted.design_effect, only_one)
        }
        Which::Sign if wanted.arms == Arms::Thinned && wanted.tolerance > 1.0 => {
            wrong("tolerance", wanted.tolerance, "1 with thinned arms")
        }
        _ => None,
    }
}

/// What a judge said after each interval, and before the first.
struct Run {
    before: Evidence,
    after: Vec<Evidence>,
}

fn run<J: Judge>(judge: &J, intervals: &[J::Interval]) -> Run {
    let mut state = J::State::default();
    let before = judge.evidence(&state);
    let after = intervals.iter().map(|interval| {
        judge.feed(&mut state, interval);
        judge.evidence(&state)
    });
    Run { before, after: after.collect() }
}

impl Run {
    fn report(self, judge: Which, alpha: ErrorRate, beta: ErrorRate) -> Report {
        let last = *self.after.last().unwrap_or(&self.before);
        let undecided = self.after.iter().rposition(|evidence| evidence.verdict != last.verdict);
        let first = undecided.map_or(1, |index| index + 2);
        let decided_after = (last.verdict != Verdict::Continue).then_some(first);
        Report {
            judge,
            verdict: last.verdict,
            basis: last.basis,
            ln_e: self.after.iter().map(|evidence| evidence.ln_e_fail).collect(),
            ln_e_pass: self.after.iter().filter_map(|evidence| evidence.ln_e_pass).collect(),
            fail_at: alpha.ln_threshold(),
            pass_at: beta.ln_threshold(),
            decided_after,
            p_value: last.p_value,
            intervals: last.intervals,
            empty_intervals: last.empty_intervals,
            edge: last.edge,
            canary: last.canary,
            stable: last.stable,
            ratio: last.ratio,
            ratio_range: last.ratio_range,
            canary_rate_range: last.canary_rate_range,
            quantiles: last.quantiles,
        }
    }
}

/// For people.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Fail => "fail: the canary is worse than tolerated",
            Verdict::Pass => "pass: the canary is not worse by the pass ratio",
            Verdict::Continue => "continue: nothing is shown yet",
        };
        writeln!(f, "{verdict}")?;
        if let Some(interval) = self.decided_after {
            writeln!(f, "decided   after interval {interval} of {}", self.ln_e.len())?;
        }
        if let Some(edge) = self.edge {
            writeln!(f, "edge      {edge}: bad are requests that were slower")?;
        }
        writeln!(f, "canary    {}", words(self.canary))?;
        writeln!(f, "stable    {}", words(self.stable))?;
        if let Some(ratio) = self.ratio {
            let confidence = 100.0 * (1.0 - exp(-self.fail_at));
            let range = self.ratio_range.and_then(Range::known);
            let range = range.map(|range| bounds(range, confidence)).unwrap_or_default();
            writeln!(f, "ratio     {ratio:.2}{range}")?;
        }
        if let Some(quantiles) = self.quantiles {
            writeln!(f, "quantile  {quantiles}")?;
        }
        writeln!(f, "p-value   {:.3e}, valid however often you look", self.p_value)?;
        let most = |values: &[f64]| odds(values.iter().copied().fold(0.0, f64::max));
        writeln!(f, "against   E = {}, fails at {}", most(&self.ln_e), odds(self.fail_at))?;
        if !self.ln_e_pass.is_empty() {
            writeln!(
                f,
                "for       E = {}, passes at {}",
                most(&self.ln_e_pass),
                odds(self.pass_at)
            )?;
        }
        let Self { intervals, empty_intervals, .. } = self;
        write!(f, "intervals {intervals} compared, {empty_intervals} with an empty arm")
    }
}

fn words(arm: ArmFacts) -> String {
    let ArmFacts { bad, total, rate } = arm;
    match rate {
        Some(rate) => format!("{bad} bad of {total} ({:.3} %)", 100.0 * rate),
        None => "no traffic in any interval that could be compared".to_owned(),
    }
}

fn bounds(range: Range, confidence: f64) -> String {
    format!(", {range} with {confidence:.3} % confidence").replace(".000 %", " %")
}

/// An E in few characters.
fn odds(ln_e: f64) -> String {
    /// Above e to this, only the magnitude is of interest.
    const READABLE: f64 = 14.0;
    if ln_e < READABLE { format!("{:.1}", exp(ln_e)) } else { format!("10^{:.0}", ln_e / LN_10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2: &str = "2,200,1,200\n4,210,2,190\n0,0,1,70\n5,190,1,210\n6,400,0,1600\n";

    fn report(wanted: Wanted, text: &str) -> Report {
        judge(&wanted, text).unwrap()
    }

    fn check_ln_e(judge: Which, expected: &[f64]) {
        let got = report(Wanted::usual(judge), V2).ln_e;
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-6, "{got} is not {expected}");
        }
    }

    #[test]
    fn each_judge_gives_its_running_value_and_keeps_it_over_an_empty_arm() {
        check_ln_e(Which::Rate, &[-0.081_551, -0.076_176, -0.076_176, 0.953_667, 6.228_518]);
        check_ln_e(Which::Proportion, &[0.0, 0.249_971, 0.249_971, 1.302_763, 5.506_881]);
        check_ln_e(Which::Sign, &[0.336_472, 0.703_716, 0.703_716, 1.100_153, 1.523_167]);
    }

    #[test]
    fn the_report_is_json_with_the_names_that_are_promised() {
        let report = report(Wanted::usual(Which::Rate), V2);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["verdict"], "fail");
        assert_eq!(json["lnE"].as_array().unwrap().len(), 5);
        assert!((json["pValue"].as_f64().unwrap() - exp(-6.228_518)).abs() < 1e-8);
        assert_eq!(json["decidedAfter"], 5);
        assert_eq!(json["canary"]["total"], 1000);
        assert_eq!(json["basis"], "comparison");
    }

    #[test]
    fn histograms_are_judged_at_every_edge() {
        let row = "1000,9000,500,4500,980,8910\n";
        let header =
            "canary_total,stable_total,canary_le_0.1,stable_le_0.1,canary_le_1,stable_le_1\n";
        let report = report(Wanted::usual(Which::Latency), &format!("{header}{}", row.repeat(3)));
        assert_eq!(
            (report.verdict, report.edge, report.canary.bad),
            (Verdict::Fail, Some(1.0), 60)
        );
        assert!(report.to_string().contains("edge      1: bad are requests that were slower"));
    }

    #[test]
    fn a_quantile_of_histograms_is_judged_at_its_edge() {
        let row = "1000,9000,500,4500,970,8910\n";
        let header =
            "canary_total,stable_total,canary_le_0.1,stable_le_0.1,canary_le_1,stable_le_1\n";
        let text = format!("{header}{}", row.repeat(4));
        let p99 = report(Wanted::usual(Which::Quantile), &text);
        assert_eq!((p99.verdict, p99.edge, p99.canary.bad), (Verdict::Fail, Some(1.0), 90));
        assert!(p99.to_string().contains("quantile  p99 of the canary above 1"), "{p99}");
        let median = Wanted { quantile: Some(0.5), ..Wanted::usual(Which::Quantile) };
        assert_eq!(report(median, &text).edge, Some(0.1));
        let useless = Wanted { quantile: Some(0.5), ..Wanted::usual(Which::Rate) };
        let error = judge(&useless, "").unwrap_err().to_string();
        assert_eq!(error, "quantile is 0.5: must be absent but for the quantile judge");
    }

    #[test]
    fn no_interval_is_no_verdict() {
        let report = report(Wanted::usual(Which::Rate), "# nothing\n");
        assert_eq!(
            (report.verdict, report.p_value, report.ln_e.len()),
            (Verdict::Continue, 1.0, 0)
        );
        assert!(report.to_string().contains("no traffic"), "{report}");
    }

    #[test]
    fn people_read_what_was_counted_and_what_is_missing() {
        let text = report(Wanted::usual(Which::Rate), V2).to_string();
        let expected = [
            "fail: the canary is worse than tolerated",
            "decided   after interval 5 of 5",
            "canary    17 bad of 1000 (1.700 %)",
            "stable    4 bad of 2200 (0.182 %)",
            "ratio     9.35, above 1.43 with 95 % confidence",
            "against   E = 507.0, fails at 20.0",
            "intervals 4 compared, 1 with an empty arm",
        ];
        for line in expected {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn every_wrong_setting_is_named_at_once() {
        let wanted =
            Wanted { alpha: 0.0, tolerance: 0.5, budget: Some(2.0), ..Wanted::usual(Which::Rate) };
        let error = judge(&wanted, "").unwrap_err();
        let expected = "alpha is 0: must be between 0 and 1, both excluded\n\
            tolerance is 0.5: must be from 1 to 1000\n\
            budget is 2: must be between 0 and 1, both excluded";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_setting_that_the_judge_does_not_heed_is_refused() {
        let wanted = Wanted { tolerance: 2.0, ..Wanted::usual(Which::Proportion) };
        let error = judge(&wanted, "").unwrap_err();
        assert_eq!(error.to_string(), "tolerance is 2: must be 1 for this judge");
    }
}
