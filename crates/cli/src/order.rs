//! kubectl takes the options of a connection before, between and behind the words of a command; our
//! parser wants them behind.

use std::ffi::OsString;

/// Options that a value follows.
const WITH_VALUE: [&str; 9] = [
    "-n",
    "--namespace",
    "--kubeconfig",
    "--context",
    "--cluster",
    "--user",
    "-s",
    "--server",
    "--token",
];
/// Options that stand alone.
const ALONE: [&str; 1] = ["--insecure-skip-tls-verify"];

/// The same arguments, with those options of a connection last that stand before a command's last word.
pub fn connection_last(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    let mut first: Vec<OsString> = arguments.next().into_iter().collect();
    let mut last = Vec::new();
    while let Some(argument) = arguments.next() {
        match shape(&argument) {
            Shape::End => {
                last.push(argument);
                last.extend(arguments);
                break;
            }
            Shape::Other => first.push(argument),
            Shape::Whole => last.push(argument),
            Shape::ValueFollows => {
                last.push(argument);
                last.extend(arguments.next());
            }
        }
    }
    first.extend(last);
    first
}

enum Shape {
    /// `--`: what follows is no option.
    End,
    /// No option of a connection.
    Other,
    /// An option of a connection, with its value if it has one.
    Whole,
    /// An option of a connection whose value is the next argument.
    ValueFollows,
}

fn shape(argument: &OsString) -> Shape {
    let Some(text) = argument.to_str() else { return Shape::Other };
    let name = text.split_once('=').map(|(name, _)| name);
    if text == "--" {
        Shape::End
    } else if WITH_VALUE.contains(&text) {
        Shape::ValueFollows
    } else if ALONE.contains(&text) || name.is_some_and(|name| WITH_VALUE.contains(&name)) {
        Shape::Whole
    } else {
        Shape::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &str, wanted: &str) {
        let split = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert_eq!(connection_last(split(given)), split(wanted));
    }

    #[test]
    fn options_of_a_connection_may_stand_before_the_command() {
        check("it -n shop get rollout web", "it get rollout web -n shop");
        check("it get --namespace=shop rollout web -w", "it get rollout web -w --namespace=shop");
        check(
            "it --insecure-skip-tls-verify list rollouts",
            "it list rollouts --insecure-skip-tls-verify",
        );
    }

    #[test]
    fn everything_else_stays_where_it_is() {
        check("it get rollout web -w", "it get rollout web -w");
        check("it abort -- -n", "it abort -- -n");
        check("it abort -n", "it abort -n");
    }
}
