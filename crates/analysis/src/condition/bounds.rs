//! Makes an index that is out of range an error where the expression engine would answer nil.
//!
//! `result[0] != 1` on an empty vector must be an error, not true: missing data is neither success
//! nor failure. Each `chain[index]` becomes a call of [`AT`], which checks; the check stays lazy, so
//! `len(result) == 0 || result[0] < 0.05` works.

use super::tokens::{Kind, Token};

/// The function that stands for an index.
pub(crate) const AT: &str = "__at";

/// Writes the condition again with every index checked; what is no sentence stays none.
pub(crate) fn with_checked_indexes(tokens: &[Token<'_>]) -> String {
    let mut writer = Writer { tokens, at: 0 };
    let mut out = writer.until_closing();
    for unread in &tokens[writer.at..] {
        push(*unread, false, &mut out);
    }
    out
}

struct Writer<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
}

impl Writer<'_> {
    /// Writes tokens up to a closing bracket that was not opened here, or to the end.
    fn until_closing(&mut self) -> String {
        let mut out = String::new();
        let mut chain: Option<usize> = None;
        while let Some(token) = self.tokens.get(self.at).copied() {
            if matches!(token.text, ")" | "]" | "}") && token.kind == Kind::Symbol {
                break;
            }
            self.at += 1;
            chain = self.one(token, chain, &mut out);
        }
        out
    }

    /// Writes one token with all it opens; answers where the chain of accesses it belongs to begins.
    fn one(&mut self, token: Token<'_>, chain: Option<usize>, out: &mut String) -> Option<usize> {
        let here = out.len();
        if token.is("[") && self.is_index(chain) {
            return self.index(chain, out);
        }
        if matches!(token.text, "(" | "[" | "{") && token.kind == Kind::Symbol {
            self.group(token, out);
            return Some(chain.unwrap_or(here));
        }
        let joined = self.joins_before(self.at - 1);
        push(token, joined, out);
        if joined || token.text == "." || token.text == "?." || token.is("|") {
            return chain;
        }
        token.is_operand().then_some(if here == 0 { 0 } else { here + 1 })
    }

    /// Whether the token at `at` follows a `.`, `?.` or `|` and so goes on with the chain before it.
    fn joins_before(&self, at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|before| self.tokens.get(before));
        before.is_some_and(|token| token.is(".") || token.is("?.") || token.is("|"))
    }

    fn is_index(&self, chain: Option<usize>) -> bool {
        chain.is_some() && !self.joins_before(self.at - 1)
    }

    fn index(&mut self, chain: Option<usize>, out: &mut String) -> Option<usize> {
        let inner_start = self.at;
        let inner = self.until_closing();
        let closed = self.tokens.get(self.at).is_some_and(|token| token.is("]"));
        self.at += usize::from(closed);
        let start = chain.filter(|_| closed && !self.is_slice(inner_start));
        if let Some(start) = start {
            let base = out.split_off(start);
            out.extend([AT, "(", &base, ",", &inner, ")"]);
        } else {
            out.extend(["[", &inner, if closed { "]" } else { "" }]);
        }
        chain
    }

    /// Whether a colon at this level, outside any ternary, makes the brackets a slice.
    fn is_slice(&self, start: usize) -> bool {
        let (mut depth, mut ternaries) = (0_usize, 0_usize);
        for token in &self.tokens[start..self.at] {
            match token.text {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                "?" if depth == 0 => ternaries += 1,
                ":" if depth == 0 && ternaries == 0 => return true,
                ":" if depth == 0 => ternaries -= 1,
                _ => {}
            }
        }
        false
    }

    fn group(&mut self, open: Token<'_>, out: &mut String) {
        out.push_str(open.text);
        let inner = self.until_closing();
        out.push_str(&inner);
        if let Some(close) = self.tokens.get(self.at) {
            out.push_str(close.text);
            self.at += 1;
        }
    }
}

/// Writes a token behind a blank, except within a chain of accesses.
fn push(token: Token<'_>, joined: bool, out: &mut String) {
    if !joined && !out.is_empty() && token.text != "." && token.text != "?." {
        out.push(' ');
    }
    out.push_str(token.text);
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    #[track_caller]
    fn check(condition: &str, expected: &str) {
        assert_eq!(with_checked_indexes(&tokens(condition)), expected);
    }

    #[test]
    fn an_index_becomes_a_checked_call() {
        check("result[0] >= 0.95", "__at(result,0) >= 0.95");
        check("len(result) == 0 || result[0] < 1", "len(result) == 0 || __at(result,0) < 1");
        check("result.a.b[0][1].c > 1", "__at(__at(result.a.b,0),1).c > 1");
        check("f(x[y[0]])[2]", "__at(f(__at(x,__at(y,0))),2)");
        check("(a + b)[0]", "__at((a + b),0)");
        check("all(result, #[0] > 1)", "all(result , __at(#,0) > 1)");
        check("result | first()[0]", "__at(result |first(),0)");
        check("!result[0]", "! __at(result,0)");
    }

    #[test]
    fn what_is_no_index_stays() {
        check("1 in [1, 2]", "1 in[1 , 2]");
        check("result[1:]", "result[1 :]");
        check("result[a ? 0 : 1]", "__at(result,a ? 0 : 1)");
        check("result?.[0]", "result?.[0]");
        check("result[0", "result[0");
        check("a ? [1] : [2]", "a ?[1] :[2]");
    }

    #[test]
    fn a_closing_bracket_too_many_is_not_lost() {
        check("true ) || (false", "true ) || ( false");
        check("result[0] ]", "__at(result,0) ]");
    }
}
