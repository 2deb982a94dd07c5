//! From words to a tree, with the precedence of upstream's language.
//!
//! Start with [`parse`]. What stands behind a value (`.field`, `[0]`, `[1:]`) is read in `postfix.rs`.

use super::{
    ast::{Binary, Loop, Looped, Node, Order, Pointer, Unary, Written},
    functions,
    lexer::{Kind, Word, words},
    limits::MAX_CONDITION_NESTING,
};

/// Reads a condition.
///
/// # Errors
/// A sentence, when it is none or is beyond a limit.
pub(super) fn parse(condition: &str) -> Result<Node, String> {
    let mut words = words(condition)?;
    words.push(Word::END);
    let mut parser = Parser { words, at: 0, nesting: 0, predicates: 0 };
    let node = parser.sequence()?;
    if parser.word().kind == Kind::End { Ok(node) } else { Err(parser.unexpected()) }
}

/// What is between two values: how tightly it binds, and what it means.
#[derive(Clone, Copy)]
struct Infix {
    precedence: u16,
    meaning: Meaning,
}

#[derive(Clone, Copy)]
enum Meaning {
    Binary(Binary),
    Order(Order),
    Pipe,
}

/// Binds tighter than every operator between values but `**` and `??`.
const SIGN: u16 = 90;
/// Binds looser than a product, tighter than a sum.
const NOT: u16 = 50;
/// The precedence of `in`, `contains` and the like.
const MATCHING: u16 = 20;

pub(super) struct Parser<'a> {
    words: Vec<Word<'a>>,
    at: usize,
    nesting: usize,
    predicates: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn word(&self) -> &Word<'a> {
        &self.words[self.at.min(self.words.len() - 1)]
    }

    pub(super) fn take(&mut self) -> Word<'a> {
        let word = self.word().clone();
        self.at += 1;
        word
    }

    pub(super) fn unexpected(&self) -> String {
        format!("unexpected token {}", self.word())
    }

    /// Takes an operator if it is the next word.
    pub(super) fn takes(&mut self, operator: &str) -> bool {
        let is = self.word().is(operator);
        self.at += usize::from(is);
        is
    }

    /// Takes a bracket if it is the next word.
    pub(super) fn takes_bracket(&mut self, bracket: &str) -> bool {
        let is = self.word().is_bracket(bracket);
        self.at += usize::from(is);
        is
    }

    pub(super) fn demand(&mut self, operator: &str) -> Result<(), String> {
        if self.takes(operator) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(super) fn demand_bracket(&mut self, bracket: &str) -> Result<(), String> {
        if self.takes_bracket(bracket) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(super) fn name(&mut self) -> Result<String, String> {
        if self.word().kind != Kind::Name {
            return Err(self.unexpected());
        }
        Ok(self.take().text.into_owned())
    }

    fn sequence(&mut self) -> Result<Node, String> {
        let first = self.expression(0)?;
        let mut rest = Vec::new();
        while self.takes(";") && self.word().kind != Kind::End {
            rest.push(self.expression(0)?);
        }
        if rest.is_empty() {
            return Ok(first);
        }
        rest.insert(0, first);
        Ok(Node::Sequence(rest))
    }

    pub(super) fn expression(&mut self, precedence: u16) -> Result<Node, String> {
        if self.nesting >= MAX_CONDITION_NESTING {
            return Err(format!("condition is nested more than {MAX_CONDITION_NESTING} deep"));
        }
        self.nesting += 1;
        let node = if precedence == 0 && self.takes("let") {
            self.declaration()
        } else if precedence == 0 && self.takes("if") {
            self.branches()
        } else {
            self.operation(precedence)
        };
        self.nesting -= 1;
        node
    }

    fn operation(&mut self, precedence: u16) -> Result<Node, String> {
        let mut left = self.primary()?;
        let mut coalesced = false;
        while let Some((infix, is_negated)) = self.infix(precedence)? {
            if coalesced
                && !matches!(infix.meaning, Meaning::Binary(Binary::Coalesce) | Meaning::Pipe)
            {
                let operator = &self.words[self.at - 1].text;
                return Err(format!(
                    "Operator ({operator}) and coalesce expressions (??) cannot be mixed. Wrap either by parentheses."
                ));
            }
            coalesced = matches!(infix.meaning, Meaning::Binary(Binary::Coalesce));
            left = self.joined(left, infix)?;
            if is_negated {
                left = Node::Unary(Unary::Not(Written::Otherwise), Box::new(left));
            }
        }
        if precedence == 0 { self.ternary(left) } else { Ok(left) }
    }

    /// Takes an operator between values that binds at least so tightly, and whether `not` is before it.
    fn infix(&mut self, precedence: u16) -> Result<Option<(Infix, bool)>, String> {
        let is_negated = self.word().is("not");
        let ahead = self.words.get(self.at + usize::from(is_negated));
        let infix = ahead.filter(|word| word.kind == Kind::Operator).and_then(|it| infix(&it.text));
        if is_negated && infix.is_none_or(|infix| !negates(infix.meaning)) {
            self.at += 1;
            return Err(self.unexpected());
        }
        let Some(infix) = infix.filter(|infix| infix.precedence >= precedence) else {
            return Ok(None);
        };
        self.at += 1 + usize::from(is_negated);
        Ok(Some((infix, is_negated)))
    }

    fn joined(&mut self, left: Node, infix: Infix) -> Result<Node, String> {
        match infix.meaning {
            Meaning::Pipe => {
                let name = self.name()?;
                let call = self.call(name, vec![left])?;
                self.postfix(call)
            }
            Meaning::Order(order) => self.compared(left, order),
            Meaning::Binary(binary) => {
                let is_from_the_right = matches!(binary, Binary::Power(_));
                let right = self.expression(infix.precedence + u16::from(!is_from_the_right))?;
                Ok(Node::Binary(binary, Box::new(left), Box::new(right)))
            }
        }
    }

    fn compared(&mut self, left: Node, order: Order) -> Result<Node, String> {
        let mut others = vec![(order, self.expression(MATCHING + 1)?)];
        while let Some(order) = self.order() {
            others.push((order, self.expression(MATCHING + 1)?));
        }
        Ok(Node::Compared(Box::new(left), others))
    }

    fn order(&mut self) -> Option<Order> {
        let Some(Infix { meaning: Meaning::Order(order), .. }) = infix(&self.word().text) else {
            return None;
        };
        (self.word().kind == Kind::Operator).then(|| {
            self.at += 1;
            order
        })
    }

    fn ternary(&mut self, mut node: Node) -> Result<Node, String> {
        while self.takes("?") {
            let yes = if self.takes(":") {
                None
            } else {
                let yes = self.expression(0)?;
                self.demand(":")?;
                Some(Box::new(yes))
            };
            let no = self.expression(0)?;
            node = Node::If(Box::new(node), yes, Box::new(no));
        }
        Ok(node)
    }

    fn declaration(&mut self) -> Result<Node, String> {
        let name = self.name()?;
        self.demand("=")?;
        let value = self.expression(0)?;
        self.demand(";")?;
        let rest = self.sequence()?;
        Ok(Node::Let(name, Box::new(value), Box::new(rest)))
    }

    fn branches(&mut self) -> Result<Node, String> {
        let condition = self.expression(0)?;
        let yes = self.block()?;
        self.demand("else")?;
        let no = if self.word().is("if") { self.expression(0)? } else { self.block()? };
        Ok(Node::If(Box::new(condition), Some(Box::new(yes)), Box::new(no)))
    }

    fn block(&mut self) -> Result<Node, String> {
        self.demand_bracket("{")?;
        let node = self.sequence()?;
        self.demand_bracket("}")?;
        Ok(node)
    }

    fn primary(&mut self) -> Result<Node, String> {
        if let Some((unary, precedence)) = unary(self.word()) {
            self.at += 1;
            let node = self.expression(precedence)?;
            return self.postfix(Node::Unary(unary, Box::new(node)));
        }
        if self.takes_bracket("(") {
            let node = self.sequence()?;
            self.demand_bracket(")")?;
            return self.postfix(node);
        }
        if self.predicates > 0 && (self.word().is("#") || self.word().is(".")) {
            let pointer = self.pointer()?;
            return self.postfix(Node::Pointer(pointer));
        }
        // `::len` is the language's own `len`, whatever else has that name.
        let _ = self.takes("::");
        self.secondary()
    }

    /// `#`, `#index` or `#acc`; before `.field` the `#` may be left out.
    fn pointer(&mut self) -> Result<Pointer, String> {
        if !self.takes("#") || self.word().kind != Kind::Name {
            return Ok(Pointer::Item);
        }
        match self.name()?.as_str() {
            "index" => Ok(Pointer::Index),
            "acc" => Ok(Pointer::Accumulated),
            other => Err(format!("unknown pointer #{other}")),
        }
    }

    fn secondary(&mut self) -> Result<Node, String> {
        let kind = self.word().kind;
        match kind {
            Kind::Name => self.named(),
            Kind::Number => super::number::node(&self.take().text),
            Kind::Text => {
                let text = Node::Text(self.take().text.into());
                self.postfix(text)
            }
            Kind::Bracket if self.takes_bracket("[") => {
                let list = Node::List(self.listed("]")?);
                self.postfix(list)
            }
            Kind::Bracket if self.takes_bracket("{") => {
                let map = self.map()?;
                self.postfix(map)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn named(&mut self) -> Result<Node, String> {
        let name = self.name()?;
        let node = match name.as_str() {
            "true" => return Ok(Node::Bool(true)),
            "false" => return Ok(Node::Bool(false)),
            "nil" => return Ok(Node::Nil),
            "$env" => return Err("$env is not supported in conditions".to_owned()),
            _ if self.word().is_bracket("(") => self.call(name, Vec::new())?,
            _ => Node::Name(name),
        };
        self.postfix(node)
    }

    /// The values up to a closing bracket, the last of which may be followed by a comma.
    pub(super) fn listed(&mut self, closing: &str) -> Result<Vec<Node>, String> {
        let mut nodes = Vec::new();
        while !self.takes_bracket(closing) {
            if !nodes.is_empty() {
                self.demand(",")?;
                if self.takes_bracket(closing) {
                    break;
                }
            }
            nodes.push(self.expression(0)?);
        }
        Ok(nodes)
    }

    fn map(&mut self) -> Result<Node, String> {
        let mut pairs = Vec::new();
        while !self.takes_bracket("}") {
            if !pairs.is_empty() {
                self.demand(",")?;
                if self.takes_bracket("}") {
                    break;
                }
            }
            let kind = self.word().kind;
            let key = match kind {
                Kind::Name | Kind::Number | Kind::Text => Node::Text(self.take().text.into()),
                Kind::Bracket if self.word().is_bracket("(") => self.expression(0)?,
                _ => {
                    return Err(format!(
                        "a map key must be a quoted string, a number, a identifier, or an expression enclosed in parentheses ({})",
                        self.unexpected()
                    ));
                }
            };
            self.demand(":")?;
            pairs.push((key, self.expression(0)?));
        }
        Ok(Node::Map(pairs))
    }

    /// The call of a function, given the value that was piped into it, if any.
    fn call(&mut self, name: String, mut arguments: Vec<Node>) -> Result<Node, String> {
        if functions::UNSUPPORTED.contains(&name.as_str()) {
            return Err(format!("{name}() is not supported in conditions"));
        }
        self.demand_bracket("(")?;
        if let Some(kind) = Loop::named(&name) {
            let looped = self.looped(kind, arguments.pop())?;
            return Ok(Node::Loop(kind, Box::new(looped)));
        }
        arguments.extend(self.listed(")")?);
        Ok(Node::Call(name, arguments))
    }

    fn looped(&mut self, kind: Loop, piped: Option<Node>) -> Result<Looped, String> {
        let is_piped = piped.is_some();
        let collection = match piped {
            Some(collection) => collection,
            None if self.word().is_bracket(")") => return Err(too_few(2)),
            None => self.expression(0)?,
        };
        let predicate = self.predicate(kind, is_piped)?;
        let more = if kind.takes_more() && !self.word().is_bracket(")") {
            self.demand(",")?;
            Some(self.expression(0)?)
        } else {
            None
        };
        let _ = self.takes(",");
        self.demand_bracket(")")?;
        Ok(Looped { collection, predicate, more })
    }

    fn predicate(&mut self, kind: Loop, is_piped: bool) -> Result<Option<Node>, String> {
        if self.word().is_bracket(")") {
            let missing = if is_piped { 1 } else { 2 };
            return if kind.needs_no_predicate() { Ok(None) } else { Err(too_few(missing)) };
        }
        if !is_piped {
            self.demand(",")?;
        }
        self.predicates += 1;
        let node = if self.word().is_bracket("{") {
            self.block()
        } else {
            self.expression(0).and_then(|node| {
                let is_over = !self.word().is(";");
                is_over.then_some(node).ok_or("wrap predicate with brackets { and }".to_owned())
            })
        };
        self.predicates -= 1;
        node.map(Some)
    }
}

fn too_few(arguments: usize) -> String {
    format!("expected at least {arguments} arguments")
}

fn unary(word: &Word<'_>) -> Option<(Unary, u16)> {
    match (word.kind, word.text.as_ref()) {
        (Kind::Operator, "!") => Some((Unary::Not(Written::AsSign), NOT)),
        (Kind::Operator, "not") => Some((Unary::Not(Written::Otherwise), NOT)),
        (Kind::Operator, "+") => Some((Unary::Plus, SIGN)),
        (Kind::Operator, "-") => Some((Unary::Minus, SIGN)),
        _ => None,
    }
}

/// Whether `not` may stand before an operator.
fn negates(meaning: Meaning) -> bool {
    let Meaning::Binary(binary) = meaning else { return false };
    matches!(
        binary,
        Binary::In | Binary::Matches | Binary::Contains | Binary::StartsWith | Binary::EndsWith
    )
}

fn infix(operator: &str) -> Option<Infix> {
    let binary = |precedence, binary| Infix { precedence, meaning: Meaning::Binary(binary) };
    let order = |order| Infix { precedence: MATCHING, meaning: Meaning::Order(order) };
    Some(match operator {
        "|" => Infix { precedence: 0, meaning: Meaning::Pipe },
        "||" => binary(10, Binary::Or(Written::AsSign)),
        "or" => binary(10, Binary::Or(Written::Otherwise)),
        "&&" => binary(15, Binary::And(Written::AsSign)),
        "and" => binary(15, Binary::And(Written::Otherwise)),
        "==" => binary(MATCHING, Binary::Equal),
        "!=" => binary(MATCHING, Binary::NotEqual),
        "<" => order(Order::Less),
        ">" => order(Order::More),
        "<=" => order(Order::LessOrEqual),
        ">=" => order(Order::MoreOrEqual),
        "in" => binary(MATCHING, Binary::In),
        "matches" => binary(MATCHING, Binary::Matches),
        "contains" => binary(MATCHING, Binary::Contains),
        "startsWith" => binary(MATCHING, Binary::StartsWith),
        "endsWith" => binary(MATCHING, Binary::EndsWith),
        ".." => binary(25, Binary::Range),
        "+" => binary(30, Binary::Add),
        "-" => binary(30, Binary::Subtract),
        "*" => binary(60, Binary::Multiply),
        "/" => binary(60, Binary::Divide),
        "%" => binary(60, Binary::Modulo),
        "**" => binary(100, Binary::Power(Written::AsSign)),
        "^" => binary(100, Binary::Power(Written::Otherwise)),
        "??" => binary(500, Binary::Coalesce),
        _ => return None,
    })
}
