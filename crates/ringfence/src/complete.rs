//! `__complete WORD…`: what a shell may offer for the last word. kubectl asks its plugins so, through the
//! script `kubectl_complete-argo-rollouts` of upstream's documentation.
//!
//! One candidate a line, with a tab before its description; then a colon and what the shell shall do.

use clap::{ArgAction, Args, FromArgMatches};
use cli::ConnectArguments;
use std::ffi::OsString;

/// Something went wrong: offer nothing.
const ERROR: u8 = 1;
/// Offer these and no files.
const NO_FILES: u8 = 4;
/// Offer what a shell offers by itself, which is files.
const FILES: u8 = 0;

/// Commands whose first word is the name of an object, and its kind.
const NAMED: [(&str, &str); 14] = [
    ("abort", "Rollout"),
    ("get experiment", "Experiment"),
    ("get rollout", "Rollout"),
    ("pause", "Rollout"),
    ("promote", "Rollout"),
    ("restart", "Rollout"),
    ("retry experiment", "Experiment"),
    ("retry rollout", "Rollout"),
    ("set image", "Rollout"),
    ("status", "Rollout"),
    ("terminate analysisrun", "AnalysisRun"),
    ("terminate experiment", "Experiment"),
    ("undo", "Rollout"),
    ("why", "Rollout"),
];

/// What to offer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Offer {
    /// These, each with its description.
    Words(Vec<(String, String)>),
    /// The names of a kind's objects.
    Names(&'static str),
    /// Whatever the shell has.
    Files,
}

/// The words to complete, if that is what was asked for.
pub(crate) fn asked(given: &[OsString]) -> Option<Vec<String>> {
    let (verb, words) = given.get(1..)?.split_first()?;
    let text = |word: &OsString| word.to_string_lossy().into_owned();
    (verb == "__complete").then(|| words.iter().map(text).collect())
}

/// The whole answer.
pub(crate) async fn answer(program: &clap::Command, words: &[String]) -> String {
    let (words, options) = cli::connection_apart(words.iter().cloned());
    let last = words.last().map_or("", String::as_str);
    let (lines, directive) = match offer(program, &words) {
        Offer::Files => (Vec::new(), FILES),
        Offer::Words(found) => {
            let line = |(word, about): (String, String)| format!("{word}\t{about}");
            (found.into_iter().map(line).collect(), NO_FILES)
        }
        Offer::Names(kind) => match names(kind, options).await {
            Some(names) => {
                (names.into_iter().filter(|name| name.starts_with(last)).collect(), NO_FILES)
            }
            None => (Vec::new(), ERROR),
        },
    };
    lines.into_iter().map(|line| line + "\n").collect::<String>() + &format!(":{directive}")
}

async fn names(kind: &str, options: Vec<String>) -> Option<Vec<String>> {
    let parser =
        ConnectArguments::augment_args(clap::Command::new("connection").no_binary_name(true));
    let matches = parser.try_get_matches_from(options).ok()?;
    let connect = ConnectArguments::from_arg_matches(&matches).ok()?;
    cli::names(&connect, kind).await.ok()
}

/// What to offer for the last of the words.
fn offer(program: &clap::Command, words: &[String]) -> Offer {
    let (last, before) =
        words.split_last().map_or(("", &[][..]), |(last, rest)| (last.as_str(), rest));
    let mut command = program;
    let mut path = Vec::new();
    let mut positions = 0;
    let mut before = before.iter();
    while let Some(word) = before.next() {
        if word.starts_with('-') {
            if takes_value(command, word) && before.next().is_none() {
                return Offer::Files;
            }
        } else if let Some(found) = command.find_subcommand(word).filter(|_| positions == 0) {
            command = found;
            path.push(found.get_name());
        } else {
            positions += 1;
        }
    }
    let kind = NAMED.iter().find(|(words, _)| *words == path.join(" ")).map(|(_, kind)| *kind);
    if last.starts_with('-') {
        Offer::Words(options(command, last))
    } else if command.has_subcommands() && positions == 0 {
        Offer::Words(subcommands(command, last))
    } else {
        kind.filter(|_| positions == 0).map_or(Offer::Files, Offer::Names)
    }
}

/// Whether the next word is the value of this option.
fn takes_value(command: &clap::Command, word: &str) -> bool {
    let named = |argument: &&clap::Arg| {
        argument.get_long().is_some_and(|long| word.strip_prefix("--") == Some(long))
            || argument.get_short().is_some_and(|short| word == format!("-{short}"))
    };
    let found = command.get_arguments().find(named);
    found.is_some_and(|argument| {
        matches!(argument.get_action(), ArgAction::Set | ArgAction::Append)
            && !argument.is_require_equals_set()
    })
}

fn options(command: &clap::Command, start: &str) -> Vec<(String, String)> {
    let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
    shown
        .filter_map(|argument| {
            let word = format!("--{}", argument.get_long()?);
            let about = argument.get_help().map(ToString::to_string).unwrap_or_default();
            word.starts_with(start).then_some((word, about))
        })
        .collect()
}

fn subcommands(command: &clap::Command, start: &str) -> Vec<(String, String)> {
    let found = command.get_subcommands().filter(|found| found.get_name().starts_with(start));
    found
        .map(|found| {
            let about = found.get_about().map(ToString::to_string).unwrap_or_default();
            (found.get_name().to_owned(), about)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Plugin;
    use clap::CommandFactory;

    fn offered(words: &str) -> Offer {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        offer(&Plugin::command(), &words)
    }

    fn words(offer: Offer) -> Vec<String> {
        match offer {
            Offer::Words(found) => found.into_iter().map(|(word, _)| word).collect(),
            other => panic!("no words: {other:?}"),
        }
    }

    #[test]
    fn commands_are_offered_and_the_options_of_one() {
        assert_eq!(words(offered("re")), ["restart", "retry"]);
        assert_eq!(words(offered("retry ")), ["rollout", "experiment"]);
        assert!(words(offered("get ro web --no")).contains(&"--no-color".to_owned()));
        assert_eq!(
            words(offered("promote --skip")),
            Vec::<String>::new(),
            "what is hidden stays so"
        );
    }

    #[test]
    fn names_are_offered_where_a_name_is_wanted() {
        for (given, kind) in [
            ("get ro ", "Rollout"),
            ("status --timeout 5s w", "Rollout"),
            ("terminate ar ", "AnalysisRun"),
            ("retry exp -h x", "Experiment"),
        ] {
            assert_eq!(offered(given), Offer::Names(kind), "{given}");
        }
        assert_eq!(offered("get rollout web "), Offer::Files);
        assert_eq!(offered("lint -f "), Offer::Files);
    }

    #[test]
    fn every_command_that_takes_a_name_exists() {
        let program = Plugin::command();
        for (words, _) in NAMED {
            let below =
                |command: &'_ clap::Command, word: &str| command.find_subcommand(word).cloned();
            let found =
                words.split(' ').try_fold(program.clone(), |command, word| below(&command, word));
            assert!(found.is_some(), "{words}");
        }
    }
}
