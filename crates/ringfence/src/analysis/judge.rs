//! `ringfence analysis judge`: counts on standard input, a verdict on standard output.

use super::FAILED;
use crate::{args::Output, screen};
use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use judges::{
    evidence::Verdict,
    report::{Wanted, Which, judge as judge_table},
    sign::Arms,
};
use std::{
    io::{Read, stdin},
    process::ExitCode,
};

/// A table larger than this is a mistake.
const MAX_INPUT: u64 = 64 * 1024 * 1024;

#[derive(Debug, Args)]
pub(crate) struct JudgeArguments {
    /// Which judge: rate for what is rare, proportion above 5 %, sign for what comes in bursts, latency
    /// for histograms, quantile for histograms at the edge nearest to stable's p99.
    #[arg(value_enum)]
    judge: JudgeName,
    /// Chance of ever failing a canary that is not worse.
    #[arg(long, default_value_t = 0.05)]
    alpha: f64,
    /// Chance of ever passing a canary that is worse by the pass ratio.
    #[arg(long, default_value_t = 0.05)]
    beta: f64,
    /// How many times worse than stable the canary may be.
    #[arg(long, default_value_t = 1.0)]
    tolerance: f64,
    /// How many times worse must be ruled out to pass; twice the tolerance when absent.
    #[arg(long)]
    pass_ratio: Option<f64>,
    /// How many times more counts vary than those of independent requests.
    #[arg(long, default_value_t = 1.0)]
    design_effect: f64,
    /// Share of bad requests that is allowed, for when there is nothing to compare (rate, latency).
    #[arg(long)]
    budget: Option<f64>,
    /// Requests of the canary before which it is not passed.
    #[arg(long, default_value_t = 1)]
    min_requests: u64,
    /// Which quantile of the stable version's requests is gone by; 0.99 when absent (quantile).
    #[arg(long)]
    quantile: Option<f64>,
    /// Cuts the larger arm down to the smaller one, for arms of different size (sign).
    #[arg(long)]
    thin: bool,
    /// How the result is printed.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum JudgeName {
    Rate,
    Proportion,
    Sign,
    Latency,
    Quantile,
}

/// Judges what comes in; exits 3 when the canary fails.
pub(super) fn judge(arguments: &JudgeArguments) -> anyhow::Result<ExitCode> {
    let report = judge_table(&wanted(arguments), &read_input()?)?;
    match arguments.output {
        Output::Text => screen::line(&report.to_string())?,
        Output::Json => screen::line(&serde_json::to_string(&report)?)?,
    }
    let failed = report.verdict == Verdict::Fail;
    Ok(if failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

fn read_input() -> anyhow::Result<String> {
    let mut text = String::new();
    stdin().take(MAX_INPUT + 1).read_to_string(&mut text).context("cannot read standard input")?;
    ensure!(text.len() as u64 <= MAX_INPUT, "standard input is longer than {MAX_INPUT} bytes");
    Ok(text)
}

fn wanted(arguments: &JudgeArguments) -> Wanted {
    let judge = match arguments.judge {
        JudgeName::Rate => Which::Rate,
        JudgeName::Proportion => Which::Proportion,
        JudgeName::Sign => Which::Sign,
        JudgeName::Latency => Which::Latency,
        JudgeName::Quantile => Which::Quantile,
    };
    Wanted {
        judge,
        alpha: arguments.alpha,
        beta: arguments.beta,
        tolerance: arguments.tolerance,
        pass_ratio: arguments.pass_ratio,
        design_effect: arguments.design_effect,
        budget: arguments.budget,
        min_requests: arguments.min_requests,
        quantile: arguments.quantile,
        arms: if arguments.thin { Arms::Thinned } else { Arms::AsTheyAre },
    }
}
