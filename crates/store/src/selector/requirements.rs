//! The grammar of label selectors, with upstream's words for what it does not understand.
//!
//! Start at [`parse`]: characters become tokens, tokens become requirements.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Requirement, Test};
use crate::builtin::names;
use crate::error::FieldProblem;

/// The words an operator may be, as a message lists them.
const OPERATORS: &str = "in, notin, =, ==, !=, gt, lt";

/// What a selector is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Sign(&'static str),
    End,
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Word(text) => text,
            Self::Sign(text) => text,
            Self::End => "",
        }
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self, Self::Sign(text) if *text == sign)
    }
}

/// Parses `a=b,c!=d,e in (f,g),h notin (i),j,!k`; the error is upstream's message.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, String> {
    let mut reader = Reader { tokens: tokens(text), at: 0 };
    let mut all = Vec::new();
    loop {
        match reader.peek() {
            Token::End => return Ok(all),
            Token::Sign(sign) if sign != "!" => {
                return Err(format!("found '{sign}', expected: !, identifier, or 'end of string'"));
            }
            _ => {}
        }
        let one = reader.requirement();
        all.push(one.map_err(|why| format!("unable to parse requirement: {why}"))?);
        match reader.next() {
            Token::End => return Ok(all),
            comma if comma.is(",") => {
                let after = reader.peek();
                if !matches!(after, Token::Word(_)) && !after.is("!") {
                    let found = after.text();
                    return Err(format!("found '{found}', expected: identifier after ','"));
                }
            }
            other => {
                let found = other.text();
                return Err(format!("found '{found}', expected: ',' or 'end of string'"));
            }
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    const SIGNS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<"];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            tokens.push(Token::Sign(sign));
            rest = rest[sign.len()..].trim_start();
            continue;
        }
        let ends = |c: char| c.is_whitespace() || "=!(),><".contains(c);
        let end = rest.find(ends).unwrap_or(rest.len());
        tokens.push(Token::Word(rest[..end].to_owned()));
        rest = rest[end..].trim_start();
    }
    tokens
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Token {
        self.tokens.get(self.at).cloned().unwrap_or(Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let mut token = self.next();
        let absent = token.is("!");
        if absent {
            token = self.next();
        }
        let Token::Word(key) = token else {
            return Err(format!("found '{}', expected: identifier", token.text()));
        };
        if let Some(bad) = names::qualified_name(&key) {
            return Err(FieldProblem::invalid("", json!(key), bad).to_string());
        }
        let after = self.peek();
        if absent {
            return Ok(Requirement { key, test: Test::Absent });
        }
        if after == Token::End || after.is(",") {
            return Ok(Requirement { key, test: Test::Exists });
        }
        let test = self.test(&key)?;
        Ok(Requirement { key, test })
    }

    fn test(&mut self, key: &str) -> Result<Test, String> {
        let operator = self.next();
        let words = match operator.text() {
            "in" | "notin" => self.values()?,
            "=" | "==" | "!=" | ">" | "<" => self.value()?,
            other => return Err(format!("found '{other}', expected: {OPERATORS}")),
        };
        let number = || {
            let word = words.first().cloned().unwrap_or_default();
            let why = "for 'Gt', 'Lt' operators, the value must be an integer";
            let bad = FieldProblem::invalid("values[0]", json!(word), why).to_string();
            word.parse::<i64>().map_err(|_| bad)
        };
        match operator.text() {
            ">" => return Ok(Test::Above(number()?)),
            "<" => return Ok(Test::Below(number()?)),
            _ => {}
        }
        for (index, word) in words.iter().enumerate() {
            if let Some(bad) = names::label_value(word) {
                let path = format!("values[{index}][{key}]");
                return Err(FieldProblem::invalid(path, json!(word), bad).to_string());
            }
        }
        Ok(match operator.text() {
            "!=" | "notin" => Test::NotIn(words),
            _ => Test::In(words),
        })
    }

    fn value(&mut self) -> Result<BTreeSet<String>, String> {
        match self.peek() {
            Token::Word(word) => {
                self.at += 1;
                Ok(BTreeSet::from([word]))
            }
            Token::End | Token::Sign(",") => Ok(BTreeSet::from([String::new()])),
            Token::Sign(sign) => Err(format!("found '{sign}', expected: identifier")),
        }
    }

    fn values(&mut self) -> Result<BTreeSet<String>, String> {
        let open = self.next();
        if !open.is("(") {
            return Err(format!("found '{}' expected: '('", open.text()));
        }
        if self.peek().is(")") {
            self.at += 1;
            return Ok(BTreeSet::from([String::new()]));
        }
        if self.peek() == Token::End {
            return Err("found '', expected: ',', ')' or identifier".to_owned());
        }
        let mut words = BTreeSet::new();
        loop {
            match self.next() {
                Token::Word(word) => {
                    words.insert(word);
                    let after = self.next();
                    if after.is(")") {
                        return Ok(words);
                    }
                    if !after.is(",") {
                        return Err(format!("found '{}', expected: ',' or ')'", after.text()));
                    }
                    if self.peek().is(")") {
                        words.insert(String::new());
                        self.at += 1;
                        return Ok(words);
                    }
                }
                comma if comma.is(",") => _ = words.insert(String::new()),
                close if close.is(")") => return Ok(words),
                other => {
                    return Err(format!("found '{}', expected: ',', or identifier", other.text()));
                }
            }
        }
    }
}
