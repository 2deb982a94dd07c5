//! Texts whose arguments nobody has given yet.
//!
//! A template is read before anybody uses it, so an argument without value may become anything. A text
//! is wrong if it is wrong with every guess: a number, a word and a duration for each such argument.

use analysis::arguments::{ArgumentError, substitute};
use api::argo::{Argument, Metric};
use std::collections::{BTreeMap, BTreeSet};

/// What an argument without value is taken for.
const GUESSES: [&str; 3] = ["1", "x", "5m"];
/// Arguments in one text that are guessed each by itself; more of them are guessed alike.
const MAX_APART: u32 = 4;

/// The arguments of a template.
pub(super) struct Given {
    known: BTreeMap<String, String>,
    open: BTreeSet<String>,
}

impl Given {
    /// Those with a value, and those without.
    pub(super) fn of(args: &[Argument]) -> Self {
        let tag = |arg: &Argument| format!("args.{}", arg.name);
        let known = args.iter().filter_map(|arg| Some((tag(arg), arg.value.clone()?)));
        let open = args.iter().filter(|arg| arg.value.is_none()).map(tag);
        Self { known: known.collect(), open: open.collect() }
    }

    /// Whether a text holds an argument without value.
    pub(super) fn is_open(&self, text: &str) -> bool {
        !self.open_in(text).is_empty()
    }

    /// The first reading of a text that is right, or what is wrong with the first one.
    ///
    /// # Errors
    /// What is wrong; also a tag that names no argument.
    pub(super) fn read<T>(
        &self,
        text: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut first = None;
        for values in self.guesses(text) {
            let text =
                substitute(text, &values).map_err(|error: ArgumentError| error.to_string())?;
            match read(&text) {
                Ok(found) => return Ok(found),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or_default())
    }

    /// A metric with its arguments; `None` when a tag names none. What stands for a limit or a time is
    /// left out where it is not known, with the other limits, for they are judged together.
    pub(super) fn settle(&self, metric: &Metric) -> Option<Metric> {
        let mut metric = metric.clone();
        if self.holds_open_limit(&metric) {
            metric = Metric {
                name: metric.name,
                success_condition: metric.success_condition,
                failure_condition: metric.failure_condition,
                provider: metric.provider,
                ..Metric::default()
            };
        }
        let all = self.with(&[GUESSES[0]].repeat(self.open.len()), &self.open);
        let arg = |(tag, value): (String, String)| Argument {
            name: tag.trim_start_matches("args.").to_owned(),
            value: Some(value),
            value_from: None,
        };
        let args: Vec<Argument> = all.into_iter().map(arg).collect();
        analysis::arguments::resolve_metric(&metric, &args).ok()
    }

    fn holds_open_limit(&self, metric: &Metric) -> bool {
        let limits = Metric {
            name: String::new(),
            success_condition: None,
            failure_condition: None,
            provider: api::argo::MetricProvider::default(),
            ..metric.clone()
        };
        serde_json::to_string(&limits).is_ok_and(|text| self.is_open(&text))
    }

    fn open_in(&self, text: &str) -> BTreeSet<String> {
        let tags = text.split("{{").skip(1).filter_map(|rest| rest.split_once("}}"));
        let tags = tags.map(|(tag, _)| tag.trim());
        tags.filter(|tag| self.open.contains(*tag)).map(str::to_owned).collect()
    }

    /// Values for every argument in a text, once for each guess.
    fn guesses(&self, text: &str) -> Vec<BTreeMap<String, String>> {
        let open = self.open_in(text);
        let count = u32::try_from(open.len()).unwrap_or(u32::MAX);
        if count > MAX_APART {
            return GUESSES
                .iter()
                .map(|guess| self.with(&[*guess].repeat(open.len()), &open))
                .collect();
        }
        let combined = |number: usize| {
            let digit = |place: u32| GUESSES[number / GUESSES.len().pow(place) % GUESSES.len()];
            self.with(&(0..count).map(digit).collect::<Vec<_>>(), &open)
        };
        (0..GUESSES.len().pow(count)).map(combined).collect()
    }

    fn with(&self, guesses: &[&str], open: &BTreeSet<String>) -> BTreeMap<String, String> {
        let filled_in =
            open.iter().zip(guesses).map(|(tag, guess)| (tag.clone(), (*guess).to_owned()));
        self.known.clone().into_iter().chain(filled_in).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn given() -> Given {
        let args =
            json!([{"name": "service"}, {"name": "window"}, {"name": "path", "value": "/a"}]);
        Given::of(&serde_json::from_value::<Vec<Argument>>(args).unwrap())
    }

    #[track_caller]
    fn check(query: &str, expected: Result<(), &str>) {
        let parse = |text: &str| match metrics::promql::inspect(text) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        };
        let got = given().read(query, parse);
        match (&got, expected) {
            (Err(got), Err(expected)) => assert!(got.contains(expected), "{query}: {got}"),
            _ => assert_eq!(got, expected.map_err(str::to_owned), "{query}"),
        }
    }

    #[test]
    fn a_text_is_wrong_only_if_no_guess_makes_it_right() {
        check(r#"sum(rate(a{s="{{args.service}}",p="{{args.path}}"}[{{args.window}}]))"#, Ok(()));
        check("{{ args.service }}_total > {{args.window}}", Ok(()));
        check("sum(rate(a[{{args.window}}])", Err("parse error"));
        check("a{{args.gone}}", Err("failed to resolve {{args.gone}}"));
    }

    #[test]
    fn limits_that_are_not_known_are_not_judged() {
        let metric = |count: &str| {
            let text = json!({"name": "m", "count": count, "failureLimit": 3, "provider": {}});
            serde_json::from_value::<Metric>(text).unwrap()
        };
        let settled = given().settle(&metric("{{args.window}}")).unwrap();
        assert_eq!((settled.count, settled.failure_limit), (None, None));
        assert!(given().settle(&metric("2")).unwrap().failure_limit.is_some());
        assert!(given().settle(&metric("{{args.gone}}")).is_none());
    }
}
