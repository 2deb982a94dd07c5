//! The simple commands that tests and examples give to containers, hooks and probes.
//!
//! Start with [`outcome`]. Nothing is executed: `sleep`, `exit`, `true`, `false`, `echo`, `printf`,
//! `tail -f` and `sh -c` lines of these are read, and how long they take and how they end is a value.

mod script;

use std::{collections::BTreeMap, time::Duration};

/// Names under which a shell is known.
const SHELLS: [&str; 4] = ["sh", "bash", "ash", "dash"];
/// The code of a shell that was asked for a command it does not find.
const NOT_FOUND: i32 = 127;
/// Lines that a command may say; more are not kept.
const LINES: usize = 100;

/// Variables of the environment.
pub(crate) type Variables = BTreeMap<String, String>;

/// What a command does.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    /// How long it takes; `None` when it never ends by itself.
    pub(crate) after: Option<Duration>,
    /// The code with which it ends.
    pub(crate) code: i32,
    /// What it writes.
    pub(crate) said: Vec<String>,
    /// The first word in it that nobody here knows, if there is one.
    pub(crate) unknown: Option<String>,
}

impl Outcome {
    fn at_once(code: i32) -> Self {
        Self { after: Some(Duration::ZERO), code, ..Self::default() }
    }

    fn says(mut self, line: String) -> Self {
        if self.said.len() < LINES {
            self.said.push(line);
        }
        self
    }
}

/// What a command line does; `None` when its program is not one of the simple commands.
pub(crate) fn outcome(words: &[String], variables: &Variables) -> Option<Outcome> {
    let (program, arguments) = words.split_first()?;
    let name = base_name(program);
    if SHELLS.contains(&name) {
        return script_of(arguments).map(|line| script::run(line, variables));
    }
    builtin(name, arguments)
}

/// The last part of a path.
pub(crate) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The script of `sh -c -x SCRIPT`; a shell without one is none of the simple commands.
fn script_of(arguments: &[String]) -> Option<&str> {
    let flag = |word: &&String| word.starts_with('-') || *word == "pipefail";
    let flags = arguments.iter().take_while(flag);
    let takes_script = flags.clone().any(|flag| !flag.starts_with("--") && flag.contains('c'));
    let script = arguments.get(flags.count())?;
    takes_script.then_some(script)
}

/// One simple command; `None` when it is not one.
fn builtin(name: &str, arguments: &[String]) -> Option<Outcome> {
    let outcome = match name {
        "true" | ":" | "set" | "trap" | "export" | "wait" => Outcome::at_once(0),
        "false" => Outcome::at_once(1),
        "exit" => Outcome::at_once(code(arguments)),
        "sleep" => sleep(arguments),
        "echo" => Outcome::at_once(0).says(arguments.join(" ")),
        "printf" => Outcome::at_once(0).says(arguments.first()?.trim_end_matches("\\n").to_owned()),
        "tail" if arguments.iter().any(|argument| argument == "-f" || argument == "-F") => {
            Outcome::default()
        }
        _ => return None,
    };
    Some(outcome)
}

/// The code that `exit` is given, as a process hands it on: eight bits of it.
fn code(arguments: &[String]) -> i32 {
    match arguments.first().map(|code| code.parse::<i64>()) {
        None => 0,
        Some(Ok(code)) => i32::try_from(code.rem_euclid(256)).unwrap_or(1),
        Some(Err(_)) => 2,
    }
}

fn sleep(arguments: &[String]) -> Outcome {
    if arguments.is_empty() {
        return Outcome::at_once(1).says("sleep: missing operand".into());
    }
    let mut total = Duration::ZERO;
    for argument in arguments {
        match span(argument) {
            Some(Some(span)) => total = total.saturating_add(span),
            Some(None) => return Outcome::default(),
            None => {
                let line = format!("sleep: invalid number '{argument}'");
                return Outcome::at_once(1).says(line);
            }
        }
    }
    Outcome { after: Some(total), ..Outcome::default() }
}

/// `5`, `0.5`, `5s`, `1m`, `2h` or `365d`; `Some(None)` is for ever, `None` no span.
#[expect(clippy::option_option, reason = "for ever and nonsense are different answers")]
fn span(text: &str) -> Option<Option<Duration>> {
    if matches!(text, "infinity" | "inf") {
        return Some(None);
    }
    let (number, unit) = match text.char_indices().next_back()? {
        (at, 's') => (&text[..at], 1.0),
        (at, 'm') => (&text[..at], 60.0),
        (at, 'h') => (&text[..at], 3600.0),
        (at, 'd') => (&text[..at], 86_400.0),
        _ => (text, 1.0),
    };
    let seconds = number.parse::<f64>().ok().filter(|seconds| seconds.is_finite())?;
    Duration::try_from_secs_f64(seconds * unit).ok().map(Some)
}

/// Words with `$(NAME)` replaced as a kubelet does: unknown names stay, `$$` is one dollar.
pub(crate) fn expanded(words: &[String], variables: &Variables) -> Vec<String> {
    words.iter().map(|word| expand(word, variables)).collect()
}

fn expand(word: &str, variables: &Variables) -> String {
    let (mut out, mut rest) = (String::new(), word);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(tail) = rest.strip_prefix('$') {
            out.push('$');
            rest = tail;
            continue;
        }
        let name = rest.strip_prefix('(').and_then(|tail| tail.split_once(')'));
        match name.and_then(|(name, tail)| Some((variables.get(name)?, tail))) {
            Some((value, tail)) => {
                out.push_str(value);
                rest = tail;
            }
            None => out.push('$'),
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOR_EVER: Option<u64> = None;

    fn words(line: &[&str]) -> Vec<String> {
        line.iter().map(|word| (*word).to_owned()).collect()
    }

    fn check(line: &[&str], millis: Option<u64>, code: i32) {
        let found = outcome(&words(line), &Variables::new()).unwrap();
        let expected = (millis.map(Duration::from_millis), code);
        assert_eq!((found.after, found.code), expected, "{line:?}");
    }

    #[test]
    fn commands_end_when_and_as_they_say() {
        check(&["sleep", "30"], Some(30_000), 0);
        check(&["/bin/sleep", "0.5", "1m"], Some(60_500), 0);
        check(&["sleep", "365d"], Some(365 * 86_400_000), 0);
        check(&["sleep", "infinity"], FOR_EVER, 0);
        check(&["sleep", "soon"], Some(0), 1);
        check(&["exit", "3"], Some(0), 3);
        check(&["exit", "256"], Some(0), 0);
        check(&["true"], Some(0), 0);
        check(&["/bin/false"], Some(0), 1);
        check(&["tail", "-f", "/dev/null"], FOR_EVER, 0);
        check(&["sh", "-c", "-x", "sleep 3s && exit 2"], Some(3_000), 2);
        check(&["/bin/bash", "-euo", "pipefail", "-c", "exit 4"], Some(0), 4);
    }

    #[test]
    fn other_programs_are_not_simple_commands() {
        for line in [&["/bad-command"][..], &["wrk", "-t2"], &["sh"], &["tail", "x"], &[]] {
            assert_eq!(outcome(&words(line), &Variables::new()), None, "{line:?}");
        }
    }

    #[test]
    fn variables_are_filled_in_as_a_kubelet_does() {
        let variables = Variables::from([("A".into(), "1".into())]);
        for (word, expected) in
            [("$(A)", "1"), ("x$(A)y$(B)", "x1y$(B)"), ("$$(A)", "$(A)"), ("$A", "$A"), ("$", "$")]
        {
            assert_eq!(expand(word, &variables), expected);
        }
    }
}
