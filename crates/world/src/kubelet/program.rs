//! What a container runs: the order it has, the command it is given, or its image's own program.

use super::{
    command::{self, Outcome, Variables},
    lifecycle::Facts,
    orders::Orders,
};
use k8s_openapi::api::core::v1::{Container, ExecAction};
use std::time::Duration;

/// How long a crashing container runs, unless told otherwise.
const CRASH_AFTER: Duration = Duration::from_secs(1);
/// Programs that are known to serve, besides those named after their image.
const SERVERS: [&str; 8] =
    ["httpd", "nginx", "node", "podinfo", "postgres", "redis-server", "rollouts-demo", "traefik"];

/// What a container runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Program {
    /// When and how it ends by itself; `None` when it runs on.
    pub(crate) end: Option<(Duration, i32)>,
    /// Whether it ends when it is asked to.
    pub(crate) manners: Manners,
    /// What it writes when it starts.
    pub(crate) said: Vec<String>,
}

/// What a program does with a SIGTERM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manners {
    /// It stops.
    Heeds,
    /// It has no handler; as the first process of its container it does not even notice.
    Deaf,
}

/// A container's program does not exist, in the words of the container runtime.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: {program:?}: {why}"
)]
pub(crate) struct NotExecutable {
    program: String,
    why: String,
}

/// What a container runs.
///
/// # Errors
/// [`NotExecutable`] when it is given a command that is neither simple nor its image's own.
pub(crate) fn of(
    container: &Container,
    orders: &Orders,
    facts: &Facts,
    restarts: Restarts,
) -> Result<Program, NotExecutable> {
    let commanded = commanded(container)?;
    if orders.crash_loop {
        let after = orders.run_for.unwrap_or(CRASH_AFTER);
        return Ok(ends(after, orders.exit_code.unwrap_or(1)));
    }
    if orders.run_for.is_some() || orders.exit_code.is_some() {
        return Ok(ends(orders.run_for.unwrap_or(facts.run_for), orders.exit_code.unwrap_or(0)));
    }
    if let Some(outcome) = commanded {
        let end = outcome.after.map(|after| (after, outcome.code));
        return Ok(Program { end, manners: Manners::Deaf, said: outcome.said });
    }
    // What is not meant to be restarted is a task and ends; what the demo runs serves.
    let is_task = restarts == Restarts::NotAlways && facts.serves.is_none();
    let end = is_task.then_some((facts.run_for, 0));
    Ok(Program { end, manners: Manners::Heeds, said: Vec::new() })
}

/// Whether a container is restarted whatever its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restarts {
    Always,
    NotAlways,
}

fn ends(after: Duration, code: i32) -> Program {
    Program { end: Some((after, code)), manners: Manners::Heeds, said: Vec::new() }
}

/// What the command of a container does; `None` when the image's own program runs.
fn commanded(container: &Container) -> Result<Option<Outcome>, NotExecutable> {
    let variables = variables(container);
    let command = container.command.clone().unwrap_or_default();
    let arguments = container.args.clone().unwrap_or_default();
    let words: Vec<String> = command.iter().chain(&arguments).cloned().collect();
    let words = command::expanded(&words, &variables);
    let outcome = command::outcome(&words, &variables);
    let Some(program) = command.first() else {
        // Arguments alone go to the image's entry point, unless they are a simple command themselves.
        return Ok(outcome);
    };
    if outcome.is_some() || is_own(container, command::base_name(program)) {
        return Ok(outcome);
    }
    let why = if program.contains('/') {
        format!("stat {program}: no such file or directory")
    } else {
        "executable file not found in $PATH".to_owned()
    };
    Err(NotExecutable { program: program.clone(), why })
}

/// A program named after its image is the image's own.
fn is_own(container: &Container, program: &str) -> bool {
    let image = command::base_name(container.image.as_deref().unwrap_or_default());
    let image = image.split(['@', ':']).next().unwrap_or_default();
    program == image || SERVERS.contains(&program)
}

/// What a hook or an exec probe does; `None` when it asks for something that only its image knows.
pub(crate) fn of_action(action: &ExecAction, container: &Container) -> Option<Outcome> {
    let words = action.command.clone().unwrap_or_default();
    let variables = variables(container);
    command::outcome(&words, &variables).filter(|outcome| outcome.unknown.is_none())
}

fn variables(container: &Container) -> Variables {
    let variables = container.env.iter().flatten();
    variables
        .filter_map(|variable| Some((variable.name.clone(), variable.value.clone()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn container(object: &Value) -> Container {
        let mut object = object.clone();
        object["name"] = "a".into();
        serde_json::from_value(object).unwrap()
    }

    fn run(object: &Value, restarts: Restarts) -> Result<Program, NotExecutable> {
        let facts = Facts { run_for: Duration::from_secs(1), ..Facts::default() };
        of(&container(object), &Orders::default(), &facts, restarts)
    }

    fn check(container: &Value, restarts: Restarts, end: Option<(u64, i32)>) {
        let program = run(container, restarts).unwrap();
        let end = end.map(|(seconds, code)| (Duration::from_secs(seconds), code));
        assert_eq!(program.end, end, "{container}");
    }

    #[test]
    fn containers_run_what_they_are_given_or_what_their_image_has() {
        use Restarts::{Always, NotAlways};
        check(&json!({"image": "nginx"}), Always, None);
        check(&json!({"image": "busybox"}), NotAlways, Some((1, 0)));
        check(&json!({"image": "alpine:3.8", "command": ["sleep", "30"]}), Always, Some((30, 0)));
        let line =
            json!({"image": "nginx", "command": ["sh", "-c", "-x"], "args": ["sleep 5 && exit 1"]});
        check(&line, NotAlways, Some((5, 1)));
        check(&json!({"image": "alpine", "args": ["exit", "2"]}), NotAlways, Some((0, 2)));
        check(
            &json!({"image": "x/podinfo", "command": ["./podinfo", "--port=9898"]}),
            Always,
            None,
        );
        check(&json!({"image": "a/server:1", "command": ["/bin/server"]}), Always, None);
        check(&json!({"image": "a/server:1", "args": ["--fast"]}), Always, None);
    }

    #[test]
    fn a_program_that_does_not_exist_is_reported_as_the_runtime_does() {
        let missing = |program: &str| {
            let container = json!({"image": "nginx", "command": [program]});
            run(&container, Restarts::Always).unwrap_err().to_string()
        };
        let message = missing("/bad-command");
        assert!(
            message
                .ends_with("exec: \"/bad-command\": stat /bad-command: no such file or directory")
        );
        assert!(missing("wrk").ends_with("exec: \"wrk\": executable file not found in $PATH"));
    }
}
