//! The flags of `ringfence controller`: upstream's, spelled and set as upstream has them, and three of ours.

use super::{connection::ConnectionArguments, unheeded::UnheededArguments};
use crate::log::{Format, Level};
use clap::{ArgAction, Args, Parser, ValueEnum};
use controller::Allowed;
use std::{net::IpAddr, time::Duration};

/// Runs the controller of `Rollout` and `AnalysisRun` objects.
#[derive(Debug, Parser)]
#[command(name = "rollouts-controller", version, args_override_self = true)]
pub(crate) struct RolloutsController {
    #[command(flatten)]
    pub(crate) arguments: ControllerArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ControllerArguments {
    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,
    /// Only the namespace that --namespace or the context names, with no right beyond it.
    #[arg(long, default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_parser = switch, action = ArgAction::Set)]
    pub(crate) namespaced: bool,
    /// Only objects with this instance id label; objects without one when absent.
    #[arg(long, default_value = "")]
    pub(crate) instance_id: String,
    /// Run only these controllers; all when absent.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) controllers: Vec<Part>,
    /// How a rollout's status names generations: upstream's clients read text, kstatus (Flux, Helm) numbers.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) observed_generation: Generations,
    /// How many rollouts and runs are worked on at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    pub(crate) rollout_threads: usize,
    /// Writes to the API server a second, in the long run; no limit when absent, 0 or less.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(crate) qps: Option<f64>,
    /// Writes that may be made at once before --qps slows them down.
    #[arg(long, value_name = "NUMBER", default_value_t = 80)]
    pub(crate) burst: u32,
    /// Whether a lease decides which of several controllers acts.
    #[arg(long, default_value = "true", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_parser = switch, action = ArgAction::Set)]
    pub(crate) leader_elect: bool,
    /// How long others respect a lease that is not renewed.
    #[arg(long = "leader-election-lease-duration", value_name = "TIME", default_value = "15s", value_parser = cli::duration)]
    pub(crate) lease_duration: Duration,
    /// How long the leader tries to renew before it gives up leading.
    #[arg(long = "leader-election-renew-deadline", value_name = "TIME", default_value = "10s", value_parser = cli::duration)]
    pub(crate) renew_deadline: Duration,
    /// How long between two attempts to get or to renew the lease.
    #[arg(long = "leader-election-retry-period", value_name = "TIME", default_value = "2s", value_parser = cli::duration)]
    pub(crate) retry_period: Duration,
    /// Port of /metrics; 0 picks a free one.
    #[arg(long = "metricsPort", value_name = "PORT", default_value_t = 8090)]
    pub(crate) metrics_port: u16,
    /// Upstream's former spelling of --metricsPort.
    #[arg(long = "metricsport", value_name = "PORT", hide = true, conflicts_with = "metrics_port")]
    pub(crate) former_metrics_port: Option<u16>,
    /// Port of /healthz and /readyz; 0 picks a free one.
    #[arg(long = "healthzPort", value_name = "PORT", default_value_t = 8080)]
    pub(crate) healthz_port: u16,
    /// Address those two ports are bound on; in a pod every address, elsewhere loopback.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) bind: Option<IpAddr>,
    /// How much is logged; `RUST_LOG` says it for single modules.
    #[arg(long = "loglevel", value_enum, ignore_case = true, default_value_t = Level::Info)]
    pub(crate) log_level: Level,
    /// How lines of the log are written.
    #[arg(long = "logformat", value_name = "FORMAT", default_value = "")]
    pub(crate) log_format: Format,
    /// Prometheus that metrics without an address ask.
    #[arg(long, value_name = "URL", env = "ARGO_ROLLOUTS_PROMETHEUS_ADDRESS")]
    pub(crate) prometheus_address: Option<String>,
    /// Hosts, addresses and networks that metrics may ask although they are special: loopback,
    /// link-local, metadata services, the API server.
    #[arg(long, value_name = "HOST|NETWORK", value_delimiter = ',')]
    pub(crate) egress_allow: Vec<Allowed>,
    #[command(flatten)]
    pub(crate) unheeded: UnheededArguments,
}

/// How a generation is written in a status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Generations {
    /// Text, as upstream writes it.
    #[default]
    String,
    /// A number, which upstream's own definition of a Rollout refuses.
    Int,
}

/// A controller that can be run without the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Carries out analysis runs that somebody else makes.
    Analysis,
}

impl ControllerArguments {
    /// The port of `/metrics`, whichever way it was spelled.
    pub(crate) fn metrics_port(&self) -> u16 {
        self.former_metrics_port.unwrap_or(self.metrics_port)
    }

    /// What was given and changes nothing, one sentence each.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let mut remarks = self.unheeded.remarks();
        if self.former_metrics_port.is_some() {
            remarks.push("--metricsport is deprecated: use --metricsPort instead".to_owned());
        }
        if self.connection.connect.namespace.is_some() && !self.namespaced {
            let why = "without --namespaced the controller works in every namespace";
            remarks.push(format!("--namespace has no effect: {why}"));
        }
        remarks
    }
}

/// Reads a flag that is on or off, in the words Go knows.
///
/// # Errors
/// A sentence that quotes what is neither.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(false),
        _ => Err(format!("`{text}` is neither true nor false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(flags: &[&str]) -> Result<ControllerArguments, clap::Error> {
        let given = ["rollouts-controller"].iter().chain(flags);
        RolloutsController::try_parse_from(given).map(|parsed| parsed.arguments)
    }

    #[test]
    fn without_flags_everything_but_the_limit_on_writes_is_as_upstream_sets_it() {
        let arguments = parse(&[]).unwrap();
        assert!(arguments.leader_elect && !arguments.namespaced);
        assert_eq!((arguments.metrics_port(), arguments.healthz_port), (8090, 8080));
        assert_eq!((arguments.qps, arguments.burst), (None, 80));
        assert_eq!(arguments.lease_duration, Duration::from_secs(15));
        assert_eq!(arguments.renew_deadline, Duration::from_secs(10));
        assert_eq!(arguments.retry_period, Duration::from_secs(2));
        assert!(arguments.controllers.is_empty() && arguments.remarks().is_empty());
    }

    #[test]
    fn switches_are_written_as_go_writes_them() {
        let arguments = parse(&["--namespaced", "--leader-elect=f"]).unwrap();
        assert!(arguments.namespaced && !arguments.leader_elect);
        assert!(parse(&["--leader-elect=perhaps"]).is_err());
        assert!(parse(&["--leader-elect", "false"]).is_err(), "Go takes no separate word");
    }

    #[test]
    fn analysis_can_be_run_by_itself_and_nothing_else_can() {
        assert_eq!(parse(&["--controllers=analysis"]).unwrap().controllers, [Part::Analysis]);
        assert!(parse(&["--controllers=service"]).is_err());
    }

    #[test]
    fn what_changes_nothing_is_said_with_its_reason() {
        let given = ["--metricsport=9", "-n", "shop", "--rollout-resync", "60"];
        let arguments = parse(&given).unwrap();
        assert_eq!(arguments.metrics_port(), 9);
        let remarks = arguments.remarks();
        let beginnings = ["--rollout-resync has no", "--metricsport is", "--namespace has no"];
        for (remark, beginning) in remarks.iter().zip(beginnings) {
            assert!(remark.starts_with(beginning), "{remark}");
        }
        assert_eq!(remarks.len(), beginnings.len());
        assert!(parse(&["--namespaced", "-n", "shop"]).unwrap().remarks().is_empty());
    }

    #[test]
    fn the_documentation_names_every_flag() {
        let documented = include_str!("../../../../docs/operations.md");
        let command = RolloutsController::command();
        let flags = command.get_arguments().filter_map(clap::Arg::get_long);
        let missing: Vec<&str> =
            flags.filter(|flag| !documented.contains(&format!("`--{flag}`"))).collect();
        assert_eq!(missing, Vec::<&str>::new());
    }

    #[test]
    fn a_flag_that_upstream_does_not_have_is_refused() {
        assert!(parse(&["--rollout-thread=3"]).is_err());
    }
}
