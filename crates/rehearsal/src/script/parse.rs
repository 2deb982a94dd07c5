//! From text to [`Line`]s.

use super::{
    Command, Fault, Line, Manifest, Side, UserAction,
    expectations::expect,
    words::{self, Complaint, Word},
};

/// A line that says nothing we understand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct ParseError {
    /// The script's name.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column, counted from 1.
    pub column: usize,
    /// What is wrong and how to write it.
    pub message: String,
}

/// Reads a script named `file`.
///
/// # Errors
/// Every line that could not be read.
pub fn parse(file: &str, text: &str) -> Result<Vec<Line>, Vec<ParseError>> {
    let mut lines = Vec::new();
    let mut errors = Vec::new();
    let mut rest = text.lines().enumerate();
    while let Some((index, line)) = rest.next() {
        match read_line(line, &mut rest) {
            Ok(Some(command)) => {
                lines.push(Line { number: index + 1, text: line.trim().to_owned(), command });
            }
            Ok(None) => {}
            Err(Complaint { column, message }) => {
                errors.push(ParseError { file: file.to_owned(), line: index + 1, column, message });
            }
        }
    }
    if errors.is_empty() { Ok(lines) } else { Err(errors) }
}

fn read_line<'a>(
    line: &str,
    rest: &mut impl Iterator<Item = (usize, &'a str)>,
) -> Result<Option<Command>, Complaint> {
    let words = words::split(line)?;
    let Some((verb, arguments)) = words.split_first() else { return Ok(None) };
    if verb.text == "apply" {
        return apply(verb, arguments, rest).map(Some);
    }
    command(verb, arguments, line).map(Some)
}

fn apply<'a>(
    verb: &Word,
    arguments: &[Word],
    rest: &mut impl Iterator<Item = (usize, &'a str)>,
) -> Result<Command, Complaint> {
    let [source] = exactly(verb, arguments, ["FILE or <<WORD"])?;
    let Some(end) = source.text.strip_prefix("<<") else {
        return Ok(Command::Apply(Manifest::File(source.text.clone())));
    };
    let mut inline = String::new();
    for (_, line) in rest {
        if line.trim() == end {
            return Ok(Command::Apply(Manifest::Inline(inline)));
        }
        inline.push_str(line);
        inline.push('\n');
    }
    Err(Complaint::new(source.column, format!("no line `{end}` ends this manifest")))
}

fn command(verb: &Word, arguments: &[Word], line: &str) -> Result<Command, Complaint> {
    Ok(match verb.text.as_str() {
        "advance" => {
            let [span] = exactly(verb, arguments, ["DURATION"])?;
            Command::Advance(words::duration(span)?)
        }
        "rollout" => {
            let [name] = exactly(verb, arguments, ["NAME"])?;
            Command::Rollout(name.text.clone())
        }
        "traffic" => traffic(verb, arguments)?,
        "delete" => {
            let [resource, name] = exactly(verb, arguments, ["RESOURCE", "NAME"])?;
            Command::Delete { resource: resource.text.clone(), name: name.text.clone() }
        }
        "patch" => patch(verb, arguments, line)?,
        "fault" => Command::Fault(fault(verb, arguments)?),
        "heal" => nothing_more(verb, arguments, Command::Heal)?,
        "metrics" => {
            switch(verb, arguments, [("down", Command::MetricsDown), ("up", Command::MetricsUp)])?
        }
        "lose" => {
            let pods = [("stable-pod", Side::Stable), ("canary-pod", Side::Canary)];
            switch(verb, arguments, pods.map(|(word, side)| (word, Command::LosePod(side))))?
        }
        "unready" => marked(verb, arguments, Some("true"))?,
        "ready" => marked(verb, arguments, None)?,
        "annotate" => annotate(verb, arguments)?,
        "see-through" => {
            let [span] = exactly(verb, arguments, ["DURATION"])?;
            Command::SeeThrough(words::duration(span)?)
        }
        "kill" => switch(verb, arguments, [("controller", Command::KillController)])?,
        "start" => switch(verb, arguments, [("controller", Command::StartController)])?,
        "expect" => expect(verb, arguments)?,
        _ => Command::Act(user_action(verb, arguments)?),
    })
}

fn user_action(verb: &Word, arguments: &[Word]) -> Result<UserAction, Complaint> {
    let texts: Vec<&str> = arguments.iter().map(|word| word.text.as_str()).collect();
    Ok(match (verb.text.as_str(), texts.as_slice()) {
        ("set", ["image", pair]) => set_image(pair, arguments[1].column)?,
        ("set", _) => return Err(usage(verb, "image CONTAINER=IMAGE")),
        ("promote", ["--full"]) => UserAction::PromoteFull,
        ("promote", []) => UserAction::Promote,
        ("abort", []) => UserAction::Abort,
        ("retry", []) => UserAction::Retry,
        ("restart", []) => UserAction::Restart,
        ("pause", []) => UserAction::Pause,
        ("resume", []) => UserAction::Resume,
        ("undo", []) => UserAction::Undo(None),
        ("undo", ["--to-revision", number]) => {
            UserAction::Undo(Some(whole(number, arguments[1].column)?))
        }
        ("scale", [number]) => UserAction::Scale(whole(number, arguments[0].column)?),
        ("promote" | "abort" | "retry" | "restart" | "pause" | "resume" | "undo", _) => {
            return Err(Complaint::new(
                arguments[0].column,
                format!("`{}` does not take `{}`", verb.text, texts.join(" ")),
            ));
        }
        ("scale", _) => return Err(usage(verb, "REPLICAS")),
        (other, _) => return Err(Complaint::new(verb.column, unknown_verb(other))),
    })
}

const VERBS: &str = "apply, delete, patch, advance, rollout, set image, promote, abort, retry, restart, \
                     undo, pause, resume, scale, traffic, fault, heal, metrics, kill, start, lose, unready, \
                     ready, annotate, see-through, expect";

fn unknown_verb(verb: &str) -> String {
    format!("`{verb}` is not a command; there are {VERBS}")
}

/// The annotation that keeps a pod from being ready.
const NOT_READY: &str = "ringfence.dev/not-ready";

fn marked(verb: &Word, arguments: &[Word], value: Option<&str>) -> Result<Command, Complaint> {
    let (side, count) = pods(verb, arguments, "stable-pods|canary-pods [COUNT]")?;
    let value = value.map(str::to_owned);
    Ok(Command::Annotate { side, count, key: NOT_READY.to_owned(), value })
}

fn annotate(verb: &Word, arguments: &[Word]) -> Result<Command, Complaint> {
    let way = "stable-pods|canary-pods [COUNT] KEY=VALUE";
    let Some((pair, rest)) = arguments.split_last() else { return Err(usage(verb, way)) };
    let (side, count) = pods(verb, rest, way)?;
    let (key, value) = pair.text.split_once('=').ok_or_else(|| usage(verb, way))?;
    let value = Some(value.to_owned()).filter(|value| !value.is_empty());
    Ok(Command::Annotate { side, count, key: key.to_owned(), value })
}

/// All pods of a version, or so many of them.
fn pods(verb: &Word, words: &[Word], way: &str) -> Result<(Side, Option<usize>), Complaint> {
    let (which, count) = match words {
        [which] => (which, None),
        [which, count] => (which, Some(whole(&count.text, count.column)?)),
        _ => return Err(usage(verb, way)),
    };
    match which.text.as_str() {
        "stable-pods" => Ok((Side::Stable, count)),
        "canary-pods" => Ok((Side::Canary, count)),
        _ => Err(usage(verb, way)),
    }
}

fn set_image(pair: &str, column: usize) -> Result<UserAction, Complaint> {
    pair.split_once('=')
        .filter(|(container, image)| !container.is_empty() && !image.is_empty())
        .map(|(container, image)| UserAction::SetImage {
            container: container.to_owned(),
            image: image.to_owned(),
        })
        .ok_or_else(|| Complaint::new(column, format!("`{pair}` is not CONTAINER=IMAGE")))
}

fn patch(verb: &Word, arguments: &[Word], line: &str) -> Result<Command, Complaint> {
    let [resource, name, ..] = arguments else { return Err(usage(verb, "RESOURCE NAME JSON")) };
    let start = line.find('{').ok_or_else(|| usage(verb, "RESOURCE NAME JSON"))?;
    let body = serde_json::from_str(&line[start..])
        .map_err(|error| Complaint::new(start + 1, format!("the patch is not JSON: {error}")))?;
    Ok(Command::Patch { resource: resource.text.clone(), name: name.text.clone(), body })
}

fn fault(verb: &Word, arguments: &[Word]) -> Result<Fault, Complaint> {
    let mut fault = Fault::default();
    for word in arguments {
        let (key, value) = word.text.split_once('=').unwrap_or((word.text.as_str(), ""));
        match key {
            "errors" => fault.errors = Some(words::share(value, word.column)?),
            "latency" => {
                let text = value.trim_start_matches('+').to_owned();
                fault.latency = Some(words::duration(&Word { text, column: word.column })?);
            }
            "image" if !value.is_empty() => fault.image = Some(value.to_owned()),
            _ => {
                let message = format!(
                    "`{}` is not a fault; there are errors=5%, latency=+300ms, image=TEXT",
                    word.text
                );
                return Err(Complaint::new(word.column, message));
            }
        }
    }
    if fault.errors.is_none() && fault.latency.is_none() {
        return Err(usage(verb, "[errors=5%] [latency=+300ms] [image=TEXT]"));
    }
    Ok(fault)
}

fn traffic(verb: &Word, arguments: &[Word]) -> Result<Command, Complaint> {
    let [rate, header] = arguments else {
        let [rate] = exactly(verb, arguments, ["REQUESTS_PER_SECOND"])?;
        return rate_of(rate).map(Command::Traffic);
    };
    let Some((name, value)) = header.text.split_once('=').filter(|(name, _)| !name.is_empty())
    else {
        let message = format!("`{}` is not a header; write it like x-tester=yes", header.text);
        return Err(Complaint::new(header.column, message));
    };
    let (name, value) = (name.to_owned(), value.to_owned());
    Ok(Command::Senders { name, value, rate: rate_of(rate)? })
}

fn rate_of(word: &Word) -> Result<f64, Complaint> {
    let digits = word.text.strip_suffix("/s").unwrap_or(&word.text);
    digits.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate >= 0.0).ok_or_else(|| {
        Complaint::new(word.column, format!("`{}` is not a rate; write it like 50", word.text))
    })
}

pub(super) fn whole<N: std::str::FromStr>(text: &str, column: usize) -> Result<N, Complaint> {
    text.parse().map_err(|_| Complaint::new(column, format!("`{text}` is not a whole number")))
}

fn switch<const N: usize>(
    verb: &Word,
    arguments: &[Word],
    choices: [(&str, Command); N],
) -> Result<Command, Complaint> {
    let names = choices.each_ref().map(|(name, _)| *name).join(" or ");
    let [choice] = exactly(verb, arguments, [names.as_str()])?;
    choices
        .into_iter()
        .find_map(|(name, command)| (name == choice.text).then_some(command))
        .ok_or_else(|| usage(verb, &names))
}

fn nothing_more(verb: &Word, arguments: &[Word], command: Command) -> Result<Command, Complaint> {
    let [] = exactly(verb, arguments, [])?;
    Ok(command)
}

pub(super) fn exactly<'a, const N: usize>(
    verb: &Word,
    arguments: &'a [Word],
    names: [&str; N],
) -> Result<&'a [Word; N], Complaint> {
    arguments.try_into().map_err(|_| usage(verb, &names.join(" ")))
}

pub(super) fn usage(verb: &Word, arguments: &str) -> Complaint {
    Complaint::new(verb.column, format!("write it like `{} {arguments}`", verb.text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn one(line: &str) -> Command {
        parse("t", line).unwrap().remove(0).command
    }

    #[test]
    fn every_kind_of_line_is_read() {
        let image = UserAction::SetImage { container: "app".into(), image: "demo:red".into() };
        for (line, command) in [
            ("apply demo.yaml", Command::Apply(Manifest::File("demo.yaml".into()))),
            ("advance 5m", Command::Advance(Duration::from_mins(5))),
            ("set image app=demo:red", Command::Act(image)),
            ("undo --to-revision 3", Command::Act(UserAction::Undo(Some(3)))),
            ("kill controller", Command::KillController),
            ("traffic 50/s", Command::Traffic(50.0)),
            (
                "traffic 5 x-tester=yes",
                Command::Senders { name: "x-tester".into(), value: "yes".into(), rate: 5.0 },
            ),
            ("lose canary-pod", Command::LosePod(Side::Canary)),
            ("restart", Command::Act(UserAction::Restart)),
            (
                "unready canary-pods 2",
                Command::Annotate {
                    side: Side::Canary,
                    count: Some(2),
                    key: NOT_READY.into(),
                    value: Some("true".into()),
                },
            ),
            (
                "annotate stable-pods ringfence.dev/cpu=90m",
                Command::Annotate {
                    side: Side::Stable,
                    count: None,
                    key: "ringfence.dev/cpu".into(),
                    value: Some("90m".into()),
                },
            ),
            ("see-through 7d", Command::SeeThrough(Duration::from_hours(168))),
            (
                "patch rollout web {\"spec\":{\"replicas\":2}}",
                Command::Patch {
                    resource: "rollout".into(),
                    name: "web".into(),
                    body: serde_json::json!({"spec": {"replicas": 2}}),
                },
            ),
        ] {
            assert_eq!(one(line), command, "{line}");
        }
    }

    #[test]
    fn faults_name_their_kind_and_their_target() {
        let wanted = Fault {
            errors: Some(0.05),
            latency: Some(Duration::from_millis(300)),
            image: Some("red".into()),
        };
        assert_eq!(one("fault errors=5% latency=+300ms image=red"), Command::Fault(wanted));
    }

    #[test]
    fn inline_manifests_end_at_their_word() {
        let lines = parse("t", "apply <<END\nkind: A\nEND\nadvance 1s\n").unwrap();
        assert_eq!(lines[0].command, Command::Apply(Manifest::Inline("kind: A\n".into())));
        assert_eq!(lines[1].number, 4);
    }

    #[test]
    fn every_broken_line_is_reported_with_its_place() {
        let errors = parse("demo.txt", "advance soon\n\nexpect phase\nfrobnicate\n").unwrap_err();
        let places: Vec<_> = errors.iter().map(|error| (error.line, error.column)).collect();
        assert_eq!(places, [(1, 9), (3, 8), (4, 1)]);
        assert_eq!(
            errors[0].to_string(),
            "demo.txt:1:9: `soon` is not a length of time; write it like 90s, 5m or 1h30m"
        );
    }

    #[test]
    fn a_manifest_that_never_ends_is_reported_where_it_begins() {
        let errors = parse("t", "apply <<END\nkind: A\n").unwrap_err();
        assert_eq!((errors[0].line, errors[0].column), (1, 7));
    }
}
