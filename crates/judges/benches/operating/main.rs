//! The judges' operating characteristics: how often they are wrong, and how soon they are right.
//!
//! Run with `cargo bench -p judges --bench operating`; `-- -o json` prints one object a line. Exits 1
//! if a judge is wrong more often than it promises (by the 99 % bound of what was seen), or needs
//! requests that differ by more than 15 % from the reference table; that of quantiles may need fewer.
//! Chance is by seed.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has nothing to say")]
#![expect(unreachable_pub, reason = "the modules are shared with a test")]

mod batch;
mod families;
mod nature;
mod power;
mod tails;
mod walk;

use batch::Case;
use families::Family;
use judges::{
    evidence::Verdict,
    proportion::{self, ProportionJudge},
    rate::{RateJudge, Settings},
    settings::DesignEffect,
    sign::{self, Arms, SignJudge},
};
use nature::{real, upper_bound};
use power::Row;
use std::process::ExitCode;
use tails::Unbounded;

const RUNS: u64 = 4000;
const POWER_RUNS: u64 = 2000;
const BATCH_RUNS: u64 = 1000;
const ALPHA: f64 = 0.05;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let format =
        if arguments.iter().any(|word| word == "json") { Format::Json } else { Format::Text };
    let mut broken = 0;
    for Wrong { judge, family, hits } in wrongs() {
        let bound = upper_bound(hits, RUNS);
        let share = real(hits) / real(RUNS);
        broken += u32::from(bound > ALPHA);
        format.wrong(&Said { judge, family, share, bound });
    }
    let rates = power::TO_FAIL.iter().flatten().chain(&power::TO_PASS).copied();
    for row in rates.clone().chain(rates.map(|row| row.by_quantile())) {
        let median = row.median(POWER_RUNS);
        broken += u32::from(!row.agrees(median));
        format.power(&row, median);
    }
    for case in &batch::CASES {
        let noticed = case.noticed(BATCH_RUNS);
        broken += u32::from(!case.agrees(noticed));
        format.batch(case, noticed);
    }
    format.known(&[("a p-value below .05 at one of eleven looks", batch::peeked(RUNS))]);
    format.known(&families::CORRELATED.map(|family| {
        let hits = walk::count(&walk::usual(), &family, RUNS, Verdict::Fail);
        (family.name, 100.0 * real(hits) / real(RUNS))
    }));
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How often a judge was wrong in a world.
struct Wrong {
    judge: &'static str,
    family: &'static str,
    hits: u64,
}

/// The same, to be printed.
struct Said {
    judge: &'static str,
    family: &'static str,
    share: f64,
    bound: f64,
}

fn wrongs() -> impl Iterator<Item = Wrong> {
    let rate = [
        families::CONSTANT,
        families::DRIFTING,
        families::DIURNAL,
        families::UNEQUAL_SMALL,
        families::UNEQUAL_LARGE,
        families::ZERO_INFLATED,
        families::WEIGHT_CHANGES,
        families::HIGH_RATE,
    ];
    let rate = rate.into_iter().map(|family| Wrong {
        judge: "rate",
        family: family.name,
        hits: walk::count(&walk::usual(), &family, RUNS, Verdict::Fail),
    });
    rate.chain(special_rates()).chain(other_judges()).chain(quantiles()).chain(special_quantiles())
}

/// A judge, a world, and how often the one is wrong in the other.
type Special = (&'static str, &'static str, fn() -> u64);

impl Wrong {
    fn counted((judge, family, hits): Special) -> Self {
        Self { judge, family, hits: hits() }
    }
}

fn special_rates() -> impl Iterator<Item = Wrong> {
    let storm = || {
        let judge = RateJudge::new(retries()).unwrap();
        walk::count(&judge, &families::RETRY_STORM, RUNS, Verdict::Fail)
    };
    let tolerant = || walk::count(&walk::tolerant(), &families::AT_TOLERANCE, RUNS, Verdict::Fail);
    let passed = || walk::count(&walk::usual(), &families::AT_PASS_RATIO, RUNS, Verdict::Pass);
    let restarted = || walk::count_with_restarts(&walk::usual(), &families::CONSTANT, RUNS);
    let outside = || walk::count_outside(&walk::usual(), &families::AT_PASS_RATIO, RUNS, 2.0);
    let all: [Special; 5] = [
        ("rate, design effect", families::RETRY_STORM.name, storm),
        ("rate, restarted", "constant", restarted),
        ("rate, tolerance", families::AT_TOLERANCE.name, tolerant),
        ("rate, wrong pass", families::AT_PASS_RATIO.name, passed),
        ("rate, ratio outside", families::AT_PASS_RATIO.name, outside),
    ];
    all.into_iter().map(Wrong::counted)
}

fn other_judges() -> impl Iterator<Item = Wrong> {
    let sign = |judge, arms, family: Family| {
        let settings = sign::Settings { arms, ..sign::Settings::default() };
        let hits = walk::count(&SignJudge::new(settings), &family, RUNS, Verdict::Fail);
        Wrong { judge, family: family.name, hits }
    };
    let proportion = |family: Family| {
        let judge = ProportionJudge::new(proportion::Settings::default());
        let hits = walk::count(&judge, &family, RUNS, Verdict::Fail);
        Wrong { judge: "proportion", family: family.name, hits }
    };
    [
        sign("sign", Arms::AsTheyAre, families::BURSTY),
        sign("sign", Arms::AsTheyAre, families::BURSTY_SMALL),
        sign("sign, thinned", Arms::Thinned, families::BURSTY_SMALL),
        sign("sign, thinned", Arms::Thinned, families::BURSTY_LARGE),
        proportion(families::HIGH_RATE),
        proportion(families::DRIFTING),
    ]
    .into_iter()
}

/// Settings of a judge who knows how often a failed request is tried again.
fn retries() -> Settings {
    let design_effect = DesignEffect::new(families::RETRY_DESIGN_EFFECT).unwrap();
    Settings { design_effect, ..Settings::default() }
}

fn quantiles() -> impl Iterator<Item = Wrong> {
    let p99 = [
        tails::CONSTANT,
        tails::DRIFTING,
        tails::DIURNAL,
        tails::UNEQUAL_SMALL,
        tails::UNEQUAL_LARGE,
        tails::ZERO_INFLATED,
        tails::WEIGHT_CHANGES,
    ];
    let others = [
        ("quantile, p50", 0.5, tails::CONSTANT),
        ("quantile, p90", 0.9, tails::CONSTANT),
        ("quantile, p90", 0.9, tails::WEIGHT_CHANGES),
    ];
    let all = p99.into_iter().map(|family| ("quantile, p99", 0.99, family)).chain(others);
    all.map(|(judge, p, family)| {
        let hits =
            walk::count(&tails::unbounded(p, Settings::default()), &family, RUNS, Verdict::Fail);
        Wrong { judge, family: family.name, hits }
    })
}

fn special_quantiles() -> impl Iterator<Item = Wrong> {
    let storm = || walk::count(&p99(retries()), &tails::RETRY_STORM, RUNS, Verdict::Fail);
    let tolerant = || {
        let judge = p99(*walk::tolerant().settings());
        walk::count(&judge, &tails::AT_TOLERANCE, RUNS, Verdict::Fail)
    };
    let passed =
        || walk::count(&p99(Settings::default()), &tails::AT_PASS_RATIO, RUNS, Verdict::Pass);
    let restarted = || walk::count_with_restarts(&p99(Settings::default()), &tails::CONSTANT, RUNS);
    let outside =
        || walk::count_outside(&p99(Settings::default()), &tails::AT_PASS_RATIO, RUNS, 2.0);
    let bounds = || {
        let shorter = Family { looks: 200, ..tails::CONSTANT };
        walk::count_outside_of_quantiles(&tails::judge(0.99), &shorter, RUNS, tails::SLOW)
    };
    let all: [Special; 6] = [
        ("p99, design effect", tails::RETRY_STORM.name, storm),
        ("p99, restarted", "constant", restarted),
        ("p99, tolerance", tails::AT_TOLERANCE.name, tolerant),
        ("p99, wrong pass", tails::AT_PASS_RATIO.name, passed),
        ("p99, ratio outside", tails::AT_PASS_RATIO.name, outside),
        ("p99, bounds of both", "constant, 200 looks", bounds),
    ];
    all.into_iter().map(Wrong::counted)
}

fn p99(settings: Settings) -> Unbounded {
    tails::unbounded(0.99, settings)
}

/// How figures are printed.
enum Format {
    Text,
    Json,
}

impl Format {
    fn wrong(&self, said: &Said) {
        let Said { judge, family, share, bound } = said;
        match self {
            Self::Text => println!(
                "{judge:<20} {family:<24} wrong {:5.2} %, at most {:5.2} % of {:.0} %",
                100.0 * share,
                100.0 * bound,
                100.0 * ALPHA
            ),
            Self::Json => println!(
                "{}",
                serde_json::json!({
                    "judge": judge, "family": family, "wrong": share, "bound": bound,
                    "promised": ALPHA, "runs": RUNS, "holds": *bound <= ALPHA,
                })
            ),
        }
    }

    fn batch(&self, case: &Case, noticed: f64) {
        let Case { ratio, points, expected } = case;
        match self {
            Self::Text => println!(
                "kayenta, {points} points, x{ratio:<4} noticed {noticed:5.1} % expected {expected:5.1} % {}",
                if case.agrees(noticed) { "" } else { "DIFFERS" }
            ),
            Self::Json => println!(
                "{}",
                serde_json::json!({
                    "judge": "kayenta", "points": points, "ratio": ratio, "noticed": noticed,
                    "expected": expected, "runs": BATCH_RUNS, "holds": case.agrees(noticed),
                })
            ),
        }
    }

    /// What is known to go wrong, and why other judges are there; nothing is promised.
    fn known(&self, faults: &[(&str, f64)]) {
        for (what, wrong) in faults {
            match self {
                Self::Text => println!("known fault: {what}: wrong {wrong:.1} %"),
                Self::Json => {
                    println!(
                        "{}",
                        serde_json::json!({ "knownFault": what, "wrongPercent": wrong })
                    );
                }
            }
        }
    }

    fn power(&self, row: &Row, median: u64) {
        let Row { by, rate, ratio, share, alpha, verdict, expected } = row;
        match self {
            Self::Text => println!(
                "{by:?}: {verdict:?} at {:4.1} % x{ratio:<4} {share:>2}:{:<2} alpha {alpha:<4} median {median:>6} expected {expected:>6} {}",
                100.0 * rate,
                100 - share,
                if row.agrees(median) { "" } else { "DIFFERS" }
            ),
            Self::Json => println!(
                "{}",
                serde_json::json!({
                    "judge": format!("{by:?}").to_lowercase(), "verdict": verdict, "rate": rate, "ratio": ratio, "canaryShare": share,
                    "alpha": alpha, "medianRequests": median, "expected": expected,
                    "runs": POWER_RUNS, "holds": row.agrees(median),
                })
            ),
        }
    }
}
