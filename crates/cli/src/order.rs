//! kubectl takes the options of a connection before, between and behind the words of a command; our
//! parser wants them behind.

use std::ffi::{OsStr, OsString};

/// Options that a value follows: those of a connection, and those that every `notifications` takes.
const WITH_VALUE: [&str; 23] = [
    "-n",
    "--namespace",
    "--kubeconfig",
    "--context",
    "--cluster",
    "--user",
    "-s",
    "--server",
    "--tls-server-name",
    "--certificate-authority",
    "--token",
    "--client-certificate",
    "--client-key",
    "--as",
    "--as-uid",
    "--as-group",
    "--request-timeout",
    "--cache-dir",
    "-v",
    "--kloglevel",
    "--loglevel",
    "--config-map",
    "--secret",
];
/// Options that stand alone.
const ALONE: [&str; 2] = ["--insecure-skip-tls-verify", "--disable-compression"];
/// Letters whose value may follow at once, as in `-nshop`.
const LETTERS: [&str; 3] = ["-n", "-s", "-v"];

/// The same arguments, with those options of a connection last that stand before a command's last word.
pub fn connection_last(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    let program = arguments.next();
    let (words, options) = connection_apart(arguments);
    program.into_iter().chain(words).chain(options).collect()
}

/// The words without the options of a connection, and those options, with `--` and what follows it.
pub fn connection_apart<T: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = T>,
) -> (Vec<T>, Vec<T>) {
    let mut arguments = arguments.into_iter();
    let (mut words, mut options) = (Vec::new(), Vec::new());
    while let Some(argument) = arguments.next() {
        match shape(argument.as_ref()) {
            Shape::End => {
                options.push(argument);
                options.extend(arguments);
                break;
            }
            Shape::Other => words.push(argument),
            Shape::Whole => options.push(argument),
            Shape::ValueFollows => {
                options.push(argument);
                options.extend(arguments.next());
            }
        }
    }
    (words, options)
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

fn shape(argument: &OsStr) -> Shape {
    let Some(text) = argument.to_str() else { return Shape::Other };
    let name = text.split_once('=').map(|(name, _)| name);
    if text == "--" {
        Shape::End
    } else if WITH_VALUE.contains(&text) {
        Shape::ValueFollows
    } else if ALONE.contains(&name.unwrap_or(text))
        || name.is_some_and(|name| WITH_VALUE.contains(&name))
        || LETTERS.iter().any(|letter| text.starts_with(letter))
    {
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
        check("it -nshop --as=jane list ro", "it list ro -nshop --as=jane");
        check(
            "it -v 6 notifications --secret :empty template get",
            "it notifications template get -v 6 --secret :empty",
        );
        check("it --disable-compression=false list ro", "it list ro --disable-compression=false");
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
