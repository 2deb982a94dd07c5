//! The command line, parsed.

use crate::{analysis::AnalysisCommand, controller::ControllerArguments};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use cli::ConnectArguments;
use std::path::PathBuf;

/// Progressive delivery for Kubernetes: a drop-in for Argo Rollouts, with a cluster to rehearse on.
#[derive(Debug, Parser)]
#[command(name = "ringfence", version, propagate_version = true, args_override_self = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[expect(clippy::large_enum_variant, reason = "there is one, parsed once")]
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows a good, an erroring and a slow release on this machine, without Kubernetes.
    Demo(DemoArguments),
    /// Runs a Kubernetes-compatible API server with a small world behind it.
    Cluster(ClusterArguments),
    /// Plays manifests through the real controller on virtual time.
    Rehearse(RehearseArguments),
    /// Runs the controller against a cluster.
    Controller(Box<ControllerArguments>),
    /// Lints, tests, replays and runs analysis templates, and judges canaries, without a cluster.
    #[command(subcommand)]
    Analysis(Box<AnalysisCommand>),
    #[command(flatten)]
    Client(ClientCommand),
}

/// What upstream's plugin knows.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    #[command(flatten)]
    Rollouts(Box<cli::Command>),
    /// Generate completion script
    Completion(CompletionArguments),
    /// Start UI dashboard
    Dashboard(DashboardArguments),
}

#[derive(Debug, Args)]
pub(crate) struct CompletionArguments {
    /// The shell that reads the script.
    #[arg(value_enum)]
    pub(crate) shell: Shell,
    #[command(flatten)]
    pub(crate) connect: ConnectArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DashboardArguments {
    /// The rollout to show; may be left out where there is only one
    pub(crate) rollout: Option<String>,
    /// Port to listen on; 0 picks a free one
    #[arg(short, long, default_value_t = 3100)]
    pub(crate) port: u16,
    /// Changes the root path of the dashboard
    #[arg(long, value_name = "PATH", default_value = "rollouts", value_parser = root_path)]
    pub(crate) root_path: String,
    #[command(flatten)]
    pub(crate) connect: ConnectArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Plays the story without a person and exits 0 only if it went right.
    #[arg(long)]
    pub(crate) auto: bool,
    /// How the result of --auto is printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
    /// Port of the page; 0 picks a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Requests a second that users send.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub(crate) rate: u32,
    /// Where the kubeconfig is written; a new file in the temporary folder when absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ClusterArguments {
    /// Port of the API server; 0 picks a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Where the kubeconfig is written once the cluster is ready.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: PathBuf,
    /// Keeps every object in this folder, across restarts and crashes.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Runs the rollout controller too.
    #[arg(long)]
    pub(crate) with_controller: bool,
    /// Serves HTTPS with a certificate of its own, whose authority is in the kubeconfig.
    #[arg(long)]
    pub(crate) tls: bool,
    /// Token that clients must present; it is put into the kubeconfig. Serves HTTPS, because kubectl
    /// presents no token over plain HTTP.
    #[arg(long, env = "RINGFENCE_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RehearseArguments {
    /// Manifests to apply, in order.
    #[arg(value_name = "MANIFEST")]
    pub(crate) manifests: Vec<PathBuf>,
    /// Script to play after the manifests; without one, a new image is released and watched.
    #[arg(long, value_name = "FILE")]
    pub(crate) scenario: Option<PathBuf>,
    /// How the result is printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
    /// Seed of every name and choice, so that a run can be repeated.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Reads a path of a page; the result begins and ends with a slash.
///
/// # Errors
/// A sentence that quotes what is none.
fn root_path(text: &str) -> Result<String, String> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._~".contains(letter);
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
    if parts.iter().any(|part| !part.chars().all(is_plain) || part.chars().all(|it| it == '.')) {
        return Err(format!("`{text}` is no path of letters, digits, `-`, `.`, `_` and `~`"));
    }
    Ok(parts.iter().fold("/".to_owned(), |path, part| format!("{path}{part}/")))
}

/// Manage Argo Rollouts.
#[derive(Debug, Parser)]
#[command(name = "kubectl-argo-rollouts", version, args_override_self = true)]
pub(crate) struct Plugin {
    #[command(subcommand)]
    pub(crate) command: ClientCommand,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use std::collections::{BTreeMap, BTreeSet};

    const PAGE: &str = include_str!("../../../docs/compatibility.md");
    /// Commands of the client that upstream does not have.
    const OURS: [&str; 1] = ["why"];

    /// What there is to know of a command: other names, and options that are its own.
    type Shape = (BTreeSet<String>, BTreeSet<String>);

    /// Every command that does something, by its words.
    fn leaves(command: &clap::Command, words: &str, found: &mut BTreeMap<String, Shape>) {
        for below in command.get_subcommands() {
            let words = format!("{words} {}", below.get_name()).trim().to_owned();
            // A command that needs no further word does something by itself.
            if !below.is_subcommand_required_set() {
                let aliases = below.get_visible_aliases().map(str::to_owned).collect();
                found.insert(words.clone(), (aliases, own_options(below)));
            }
            leaves(below, &words, found);
        }
    }

    fn own_options(command: &clap::Command) -> BTreeSet<String> {
        let connection = ConnectArguments::augment_args(clap::Command::new("connection"));
        let shared: BTreeSet<_> =
            connection.get_arguments().map(|argument| argument.get_id().clone()).collect();
        let own = command.get_arguments().filter(|argument| !shared.contains(argument.get_id()));
        own.filter_map(|argument| argument.get_long()).map(|name| format!("--{name}")).collect()
    }

    /// The rows of the table of commands: words, other names, options of upstream and ours, whether kept.
    fn rows() -> Vec<[String; 5]> {
        let table = PAGE.split("| command | also called |").nth(1).unwrap();
        let lines = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let cell = |cell: &str| cell.trim().to_owned();
        let cells = |line: &str| line.split('|').skip(1).map(cell).collect::<Vec<_>>();
        lines.map(|line| cells(line)[..5].to_vec().try_into().unwrap()).collect()
    }

    fn words(cell: &str) -> BTreeSet<String> {
        cell.split_whitespace().map(|word| word.trim_matches('`').to_owned()).collect()
    }

    #[test]
    fn the_table_of_commands_says_what_the_program_has() {
        let mut found = BTreeMap::new();
        leaves(&Plugin::command(), "", &mut found);
        found.retain(|words, _| !OURS.contains(&words.as_str()));
        let rows = rows();
        let told: BTreeMap<String, Shape> = rows
            .iter()
            .map(|[command, aliases, upstream, ours, _]| {
                let options = words(upstream).union(&words(ours)).cloned().collect();
                (command.replace('`', ""), (words(aliases), options))
            })
            .collect();
        assert_eq!(found, told);
        assert_eq!(
            (rows.len(), told.len()),
            (25, 25),
            "upstream has 25 commands that do something"
        );
        for [command, .., kept] in &rows {
            let is_clear = ["yes", "in part: ", "no: "].iter().any(|start| kept.starts_with(start));
            assert!(is_clear, "{command}: {kept}");
        }
    }

    #[test]
    fn both_names_have_the_same_commands() {
        let (mut plugin, mut program) = (BTreeMap::new(), BTreeMap::new());
        leaves(&Plugin::command(), "", &mut plugin);
        leaves(&Arguments::command(), "", &mut program);
        for (words, shape) in plugin {
            assert_eq!(program.get(&words), Some(&shape), "{words}");
        }
        Plugin::command().debug_assert();
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_root_path_is_plain_and_ends_with_a_slash() {
        for (text, wanted) in
            [("rollouts", "/rollouts/"), ("/a/b/", "/a/b/"), ("", "/"), ("/", "/")]
        {
            assert_eq!(root_path(text).unwrap(), wanted);
        }
        for text in ["a b", "{a}", "..", "a?b"] {
            assert!(root_path(text).is_err(), "{text}");
        }
    }
}
