//! `ringfence analysis run` and `replay`, which ask what is outside.

use super::{TemplateArguments, exit, span};
use crate::{args::Output, outside, screen};
use clap::Args;
use clock::Clock;
use jiff::SignedDuration;
use std::process::ExitCode;
use trial::{
    conduct::{self, World},
    replay::{DEFAULT_QUERIES, MAX_DAYS, Scope},
};

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    template: TemplateArguments,
    /// Asks this Prometheus in place of those that the template names.
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// Ends the run after this time, as a promotion ends one.
    #[arg(long = "for", value_name = "TIME", value_parser = span)]
    lasts: Option<SignedDuration>,
    /// How the result is printed.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    #[command(flatten)]
    template: TemplateArguments,
    /// The Prometheus to ask, in place of those that the template names.
    #[arg(long, value_name = "URL")]
    prometheus: String,
    /// How many days to look back.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_DAYS)))]
    days: u16,
    /// Time from the beginning of one run to that of the next.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = span)]
    every: SignedDuration,
    /// Ends each run after this time, as a promotion ends one.
    #[arg(long = "for", value_name = "TIME", value_parser = span)]
    lasts: Option<SignedDuration>,
    /// Queries that may be made.
    #[arg(long, value_name = "NUMBER", default_value_t = DEFAULT_QUERIES)]
    max_queries: usize,
    /// How the result is printed.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Runs, and prints each measurement as it comes.
pub(super) async fn run(arguments: &RunArguments) -> anyhow::Result<ExitCode> {
    let run = arguments.template.run()?;
    let world = World {
        prometheus: arguments.prometheus.as_deref(),
        environment: &environment,
        caller: outside::http_with_loopback()?,
    };
    let mut unprinted = Ok(());
    let mut tell = |taken: &trial::report::Taken| {
        if arguments.output == Output::Text && unprinted.is_ok() {
            unprinted = screen::line(&taken.to_string());
        }
    };
    let time = (Clock::system(), arguments.lasts);
    let report = conduct::live(run, &world, time, &mut tell).await?;
    unprinted?;
    match arguments.output {
        Output::Text => screen::line(&report.to_string())?,
        Output::Json => screen::line(&serde_json::to_string(&report)?)?,
    }
    Ok(exit(report.phase))
}

/// Says what is going to be asked, asks, and prints what came of it.
pub(super) async fn replay(arguments: &ReplayArguments) -> anyhow::Result<ExitCode> {
    let run = arguments.template.run()?;
    let world = World {
        prometheus: Some(&arguments.prometheus),
        environment: &environment,
        caller: outside::http_with_loopback()?,
    };
    let scope = Scope {
        now: Clock::system().now(),
        days: arguments.days,
        every: arguments.every,
        lasts: arguments.lasts,
        queries_max: arguments.max_queries,
    };
    let prepared = conduct::prepare(run, &world, scope)?;
    let (runs, queries) = (prepared.outline.starts.len(), prepared.outline.queries());
    screen::note(&format!("{runs} runs, about {queries} queries to {}", arguments.prometheus));
    let replay = prepared.begin().await?;
    match arguments.output {
        Output::Text => screen::text(&replay.to_string())?,
        Output::Json => screen::line(&serde_json::to_string(&replay)?)?,
    }
    Ok(ExitCode::SUCCESS)
}
