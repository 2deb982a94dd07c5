//! Shell lines of simple commands: `;`, `&&`, `||`, quotes, variables, and loops that never end.

use super::{NOT_FOUND, Outcome, Variables, builtin};
use std::{iter::Peekable, str::Chars, time::Duration};

/// The code of a shell that cannot read its script.
const SYNTAX: i32 = 2;

/// A piece of a script.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Then,
    And,
    Or,
}

/// Something that shells know and this one does not.
struct Unsupported(String);

/// What a script does.
pub(super) fn run(script: &str, variables: &Variables) -> Outcome {
    match tokens(script, variables) {
        Ok(tokens) => Shell::default().list(&tokens).finish(),
        Err(Unsupported(what)) => {
            let mut outcome = Outcome::at_once(SYNTAX)
                .says(format!("sh: {what} is more than the kubelet stand-in reads"));
            outcome.unknown = Some(what);
            outcome
        }
    }
}

/// A shell part of the way through its script.
#[derive(Default)]
struct Shell {
    elapsed: Duration,
    code: i32,
    said: Vec<String>,
    unknown: Option<String>,
    stops_at_failures: bool,
    ended: bool,
    stays: bool,
}

impl Shell {
    fn finish(self) -> Outcome {
        let mut outcome = Outcome::at_once(self.code);
        outcome.after = (!self.stays).then_some(self.elapsed);
        outcome.unknown = self.unknown;
        self.said.into_iter().fold(outcome, Outcome::says)
    }

    fn over(&self) -> bool {
        self.ended || self.stays
    }

    /// Runs commands one after the other, each if what stands before it wants that.
    fn list(mut self, tokens: &[Token]) -> Self {
        let mut rest = tokens;
        let mut before = &Token::Then;
        while !rest.is_empty() && !self.over() {
            let words = words(rest);
            let wanted = match before {
                Token::And => self.code == 0,
                Token::Or => self.code != 0,
                _ => true,
            };
            if is_loop(words) {
                let end = rest.iter().rposition(|token| *token == Token::Word("done".into()));
                let body = &rest[1..end.unwrap_or(rest.len())];
                self = self.endless(body);
                rest = &rest[end.map_or(rest.len(), |end| end + 1)..];
            } else {
                if wanted {
                    self.command(words);
                }
                rest = &rest[words.len()..];
            }
            let Some((next, tail)) = rest.split_first() else { break };
            // A failure that `&&` or `||` looks at does not end a strict shell.
            self.ended |= self.stops_at_failures && self.code != 0 && *next == Token::Then;
            (before, rest) = (next, tail);
        }
        self
    }

    /// `while true; do …; done`: once through shows whether the body ends it.
    fn endless(mut self, tokens: &[Token]) -> Self {
        let start = tokens.iter().position(|token| *token == Token::Word("do".into()));
        let body = &tokens[start.map_or(tokens.len(), |start| start + 1)..];
        self = self.list(body);
        self.stays |= !self.ended;
        self
    }

    fn command(&mut self, words: &[Token]) {
        let words: Vec<String> = words.iter().filter_map(Token::word).collect();
        let is_assignment = |word: &&String| {
            word.split_once('=')
                .is_some_and(|(name, _)| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
        };
        let skipped =
            words.iter().take_while(|word| is_assignment(word) || *word == "exec").count();
        let Some((name, arguments)) = words[skipped..].split_first() else { return };
        if name == "set" {
            self.stops_at_failures |=
                arguments.iter().any(|a| a.starts_with('-') && a.contains('e'));
        }
        let name = super::base_name(name);
        let replaced = words[..skipped].iter().any(|word| word == "exec");
        let outcome = builtin(name, arguments).unwrap_or_else(|| {
            self.unknown.get_or_insert_with(|| name.to_owned());
            Outcome::at_once(NOT_FOUND).says(format!("sh: {name}: not found"))
        });
        self.code = if name == "exit" && arguments.is_empty() { self.code } else { outcome.code };
        self.said.extend(outcome.said);
        match outcome.after {
            Some(span) => self.elapsed = self.elapsed.saturating_add(span),
            None => self.stays = true,
        }
        self.ended |= name == "exit" || replaced;
    }
}

impl Token {
    fn word(&self) -> Option<String> {
        if let Self::Word(word) = self { Some(word.clone()) } else { None }
    }
}

/// The words before the next separator.
fn words(tokens: &[Token]) -> &[Token] {
    let end = tokens.iter().position(|token| !matches!(token, Token::Word(_)));
    &tokens[..end.unwrap_or(tokens.len())]
}

fn is_loop(words: &[Token]) -> bool {
    let words: Vec<String> = words.iter().filter_map(Token::word).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(words.as_slice(), ["while", "true" | ":" | "1"] | ["until", "false"])
}

/// Cuts a script into words and separators.
fn tokens(script: &str, variables: &Variables) -> Result<Vec<Token>, Unsupported> {
    let mut letters = script.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(letter) = letters.peek().copied() {
        match letter {
            ' ' | '\t' | '\r' => {
                letters.next();
            }
            '#' => while letters.next_if(|letter| *letter != '\n').is_some() {},
            '\n' | ';' => {
                letters.next();
                separate(&mut tokens, Token::Then);
            }
            '&' | '|' => {
                letters.next();
                letters.next_if_eq(&letter).ok_or_else(|| Unsupported(letter.into()))?;
                separate(&mut tokens, if letter == '&' { Token::And } else { Token::Or });
            }
            '(' | ')' | '`' | '{' | '}' => return Err(Unsupported(letter.into())),
            '<' | '>' => redirect(&mut letters, variables)?,
            _ => keep(&mut tokens, word(&mut letters, variables)?, &mut letters, variables)?,
        }
    }
    while matches!(tokens.last(), Some(token) if !matches!(token, Token::Word(_))) {
        tokens.pop();
    }
    Ok(tokens)
}

/// A separator after another one, after `do` or at the start separates nothing.
fn separate(tokens: &mut Vec<Token>, separator: Token) {
    if matches!(tokens.last(), Some(Token::Word(word)) if word != "do") {
        tokens.push(separator);
    }
}

/// Keeps a word; `do` stands by itself, and the number of a redirection is not a word.
fn keep(
    tokens: &mut Vec<Token>,
    word: String,
    letters: &mut Peekable<Chars<'_>>,
    variables: &Variables,
) -> Result<(), Unsupported> {
    let redirects = word.len() == 1 && word.chars().all(|c| c.is_ascii_digit());
    if redirects && matches!(letters.peek(), Some('<' | '>')) {
        return redirect(letters, variables);
    }
    tokens.push(Token::Word(word));
    Ok(())
}

/// Passes over `> file`, `>> file` and `>&1`: where output goes makes no difference here.
fn redirect(letters: &mut Peekable<Chars<'_>>, variables: &Variables) -> Result<(), Unsupported> {
    while letters.next_if(|letter| matches!(letter, '<' | '>' | '&' | ' ')).is_some() {}
    word(letters, variables).map(drop)
}

fn word(letters: &mut Peekable<Chars<'_>>, variables: &Variables) -> Result<String, Unsupported> {
    let mut word = String::new();
    while let Some(letter) = letters.next_if(|letter| !" \t\r\n;&|<>()".contains(*letter)) {
        match letter {
            '\'' => word.extend(letters.by_ref().take_while(|letter| *letter != '\'')),
            '"' => quoted(letters, variables, &mut word)?,
            '\\' => word.extend(letters.next().filter(|letter| *letter != '\n')),
            '$' => word.push_str(&variable(letters, variables)?),
            '`' => return Err(Unsupported("`".into())),
            letter => word.push(letter),
        }
    }
    Ok(word)
}

fn quoted(
    letters: &mut Peekable<Chars<'_>>,
    variables: &Variables,
    word: &mut String,
) -> Result<(), Unsupported> {
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return Ok(()),
            '\\' => word.extend(letters.next()),
            '$' => word.push_str(&variable(letters, variables)?),
            letter => word.push(letter),
        }
    }
    Err(Unsupported("a quote that is not closed".into()))
}

fn variable(
    letters: &mut Peekable<Chars<'_>>,
    variables: &Variables,
) -> Result<String, Unsupported> {
    let name: String = match letters.peek() {
        Some('(') => return Err(Unsupported("$(".into())),
        Some('{') => letters.by_ref().skip(1).take_while(|letter| *letter != '}').collect(),
        _ => std::iter::from_fn(|| letters.next_if(|l| l.is_alphanumeric() || *l == '_')).collect(),
    };
    Ok(if name.is_empty() { "$".into() } else { variables.get(&name).cloned().unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(script: &str, millis: Option<u64>, code: i32, said: &[&str]) {
        let variables = Variables::from([("CODE".into(), "7".into())]);
        let found = run(script, &variables);
        let expected = (millis.map(Duration::from_millis), code);
        assert_eq!((found.after, found.code), expected, "{script:?}");
        assert_eq!(found.said, said, "{script:?}");
    }

    #[test]
    fn scripts_run_line_by_line() {
        check("sleep 30; exit 1", Some(30_000), 1, &[]);
        check("sleep 1 && false && sleep 9", Some(1_000), 1, &[]);
        check("false || sleep 2 || sleep 9; true", Some(2_000), 0, &[]);
        check("echo 'a  b' \"c\"\nexit $CODE\nsleep 9\n", Some(0), 7, &["a  b c"]);
        check("exit ${CODE}", Some(0), 7, &[]);
        check("sleep 1 > /dev/null 2>&1; exec sleep 2 # done", Some(3_000), 0, &[]);
        check("A=1 sleep 1;", Some(1_000), 0, &[]);
        check("", Some(0), 0, &[]);
    }

    #[test]
    fn a_strict_shell_ends_at_the_first_failure() {
        check("set -e; false; sleep 9", Some(0), 1, &[]);
        check("set -ex; false || true; sleep 1", Some(1_000), 0, &[]);
        check("false; sleep 1", Some(1_000), 0, &[]);
    }

    #[test]
    fn endless_loops_stay() {
        check("while true; do sleep 5; done", None, 0, &[]);
        check("echo up; while :\ndo\n  sleep 5\ndone; exit 3", None, 0, &["up"]);
        check("while true; do sleep 2; exit 4; done", Some(2_000), 4, &[]);
        check("tail -f /dev/null", None, 0, &[]);
    }

    #[test]
    fn what_is_not_understood_fails_as_in_a_shell() {
        check("wrk -t2 http://web", Some(0), 127, &["sh: wrk: not found"]);
        check("wrk || exit 3", Some(0), 3, &["sh: wrk: not found"]);
        check("date | cat", Some(0), 2, &["sh: | is more than the kubelet stand-in reads"]);
        check("echo $(date)", Some(0), 2, &["sh: $( is more than the kubelet stand-in reads"]);
        assert_eq!(run("true; wrk", &Variables::new()).unknown.as_deref(), Some("wrk"));
    }
}
