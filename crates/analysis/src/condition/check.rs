//! What upstream's engine refuses before it evaluates anything: unknown names, and operators and functions
//! on types that cannot go together.
//!
//! `result == 0` on a list, or `result == 1` on a text, would otherwise turn a mistyped condition into a
//! failed measurement, and that into a rollback. Start with [`check`].

use super::{
    ast::{Binary, Loop, Looped, Node, Order, Pointer, Unary},
    patterns::Patterns,
    signatures,
    time::{FLOATS_OF_DURATIONS, INTS_OF_DURATIONS, OF_TIMES},
    types::Type,
};

/// The type of a condition, given that of the result.
///
/// # Errors
/// Upstream's sentence on the first thing that cannot be.
pub(super) fn check(node: &Node, result: Type, patterns: &mut Patterns) -> Result<Type, String> {
    Checker { result, names: Vec::new(), predicates: Vec::new(), patterns }.visit(node)
}

/// What is known while a part of a condition is looked at.
struct Checker<'a> {
    result: Type,
    names: Vec<(&'a str, Type)>,
    predicates: Vec<Predicate>,
    patterns: &'a mut Patterns,
}

/// What a predicate is asked about.
struct Predicate {
    item: Type,
    kind: Loop,
}

type Checked = Result<Type, String>;

impl<'a> Checker<'a> {
    fn visit(&mut self, node: &'a Node) -> Checked {
        match node {
            Node::Nil => Ok(Type::Nil),
            Node::Bool(_) => Ok(Type::Bool),
            Node::Int(_) => Ok(Type::Int),
            Node::Float(_) => Ok(Type::Float),
            Node::Text(_) => Ok(Type::Text),
            Node::Name(name) => self.named(name),
            Node::Pointer(pointer) => self.pointer(*pointer),
            Node::Unary(unary, node) => self.unary(*unary, node),
            Node::Binary(binary, left, right) => self.binary(*binary, left, right),
            Node::Compared(first, others) => self.compared(first, others),
            Node::Chain(node) => self.visit(node),
            Node::Member(node, property, _) => self.member(node, property),
            Node::Method(node, name, arguments, _) => self.method(node, name, arguments),
            Node::Slice(node, from, to) => self.slice(node, [from.as_deref(), to.as_deref()]),
            Node::Call(name, arguments) => self.call(name, arguments),
            Node::Loop(kind, looped) => self.looped(*kind, looped),
            Node::Let(name, value, rest) => self.declared(name, value, rest),
            Node::Sequence(nodes) => self.last_of(nodes),
            Node::If(condition, yes, no) => self.branches(condition, yes.as_deref(), no),
            Node::List(nodes) => self.list(nodes),
            Node::Map(pairs) => self.map(pairs),
        }
    }

    fn named(&self, name: &str) -> Checked {
        if let Some((_, kind)) = self.names.iter().rev().find(|(known, _)| *known == name) {
            return Ok(kind.clone());
        }
        if name == "result" { Ok(self.result.clone()) } else { Err(unknown(name)) }
    }

    fn pointer(&self, pointer: Pointer) -> Checked {
        let Some(Predicate { item, kind }) = self.predicates.last() else {
            return Err("cannot use pointer accessor outside predicate".to_owned());
        };
        match (pointer, kind) {
            (Pointer::Item, _) => Ok(item.clone()),
            (Pointer::Index, Loop::Map | Loop::Reduce) => Ok(Type::Int),
            (Pointer::Accumulated, Loop::Reduce) => Ok(Type::Unknown),
            (Pointer::Index, _) => Err("unknown pointer #index".to_owned()),
            (Pointer::Accumulated, _) => Err("unknown pointer #acc".to_owned()),
        }
    }

    fn unary(&mut self, unary: Unary, node: &'a Node) -> Checked {
        let kind = self.visit(node)?;
        let (sign, is_defined) = match unary {
            Unary::Not(written) => (written.one("!", "not"), kind == Type::Bool),
            Unary::Plus => ("+", kind.is_number()),
            Unary::Minus => ("-", kind.is_number()),
        };
        match unary {
            Unary::Not(_) if is_defined || kind.is_unknown() => Ok(Type::Bool),
            _ if is_defined => Ok(kind),
            _ if kind.is_unknown() => Ok(Type::Unknown),
            _ => Err(format!("invalid operation: {sign} (mismatched type {kind})")),
        }
    }

    fn binary(&mut self, binary: Binary, left: &'a Node, right: &'a Node) -> Checked {
        let (left_type, right_type) = (self.visit(left)?, self.visit(right)?);
        if let (Binary::Matches, Node::Text(pattern)) = (binary, right) {
            self.patterns.compiled(pattern)?;
        }
        let found = match binary {
            Binary::In => return contained(&left_type, &right_type),
            Binary::Coalesce => Some(coalesced(&left_type, &right_type)),
            _ => outcome(binary, &left_type, &right_type),
        };
        found.ok_or_else(|| mismatched(sign(binary), &left_type, &right_type))
    }

    fn compared(&mut self, first: &'a Node, others: &'a [(Order, Node)]) -> Checked {
        let mut left = self.visit(first)?;
        for (order, node) in others {
            let right = self.visit(node)?;
            if !have_an_order(&left, &right) {
                return Err(mismatched(order.sign(), &left, &right));
            }
            left = right;
        }
        Ok(Type::Bool)
    }

    fn member(&mut self, node: &'a Node, property: &'a Node) -> Checked {
        let base = self.visit(node)?;
        let key = self.visit(property)?;
        if base.is_unknown() {
            return Ok(Type::Unknown);
        }
        match (&base, property) {
            (Type::Map, _) if key.is_text() || key.is_unknown() => Ok(Type::Any),
            (Type::Map, _) => Err(format!("cannot use {key} to get an element from {base}")),
            (Type::Nil, Node::Text(name)) => Err(format!("type nil has no field {name}")),
            _ if base.is_list() && (key.is_integer() || key.is_unknown()) => Ok(base.element()),
            _ if base.is_list() => {
                Err(format!("array elements can only be selected using an integer (got {key})"))
            }
            (_, Node::Text(name)) => Err(format!("type {base} has no field {name}")),
            _ => Err(format!("type {base}[{key}] is undefined")),
        }
    }

    fn method(&mut self, node: &'a Node, name: &str, arguments: &'a [Node]) -> Checked {
        let base = self.visit(node)?;
        for argument in arguments {
            self.visit(argument)?;
        }
        let kind = match base {
            _ if base.is_unknown() => return Ok(Type::Unknown),
            Type::Time if OF_TIMES.contains(&name) => Type::Int,
            Type::Duration if FLOATS_OF_DURATIONS.contains(&name) => Type::Float,
            Type::Duration if INTS_OF_DURATIONS.contains(&name) => Type::Int64,
            Type::Map => return Err(format!("{name} of {base} is not callable")),
            Type::Nil => return Err(format!("type nil has no field {name}")),
            _ => return Err(format!("type {base} has no method {name}")),
        };
        if arguments.is_empty() { Ok(kind) } else { Err(signatures::too_many(name)) }
    }

    fn slice(&mut self, node: &'a Node, bounds: [Option<&'a Node>; 2]) -> Checked {
        let kind = self.visit(node)?;
        if !kind.is_unknown() && !kind.is_text() && !kind.is_list() {
            return Err(format!("cannot slice {kind}"));
        }
        for bound in bounds.into_iter().flatten() {
            let bound = self.visit(bound)?;
            if !bound.is_integer() && !bound.is_unknown() && !kind.is_unknown() {
                return Err(format!("non-integer slice index {bound}"));
            }
        }
        Ok(if kind.is_unknown() { Type::Unknown } else { kind })
    }

    fn call(&mut self, name: &str, arguments: &'a [Node]) -> Checked {
        if let Ok(kind) = self.named(name) {
            return Err(format!("{kind} is not callable"));
        }
        let mut types = Vec::with_capacity(arguments.len());
        for argument in arguments {
            types.push(self.visit(argument)?);
        }
        signatures::outcome(name, &types).unwrap_or_else(|| Err(unknown(name)))
    }

    fn looped(&mut self, kind: Loop, looped: &'a Looped) -> Checked {
        let list = self.visit(&looped.collection)?;
        if !list.is_list() && !list.is_unknown() {
            return Err(format!("builtin {} takes only array (got {list})", signatures::of(kind)));
        }
        self.predicates.push(Predicate { item: list.element(), kind });
        let answer =
            looped.predicate.as_ref().map(|predicate| self.visit(predicate)).transpose()?;
        self.predicates.pop();
        let more = looped.more.as_ref().map(|more| self.visit(more)).transpose()?;
        if kind == Loop::SortBy && more.as_ref().is_some_and(|it| !it.is_text() && !it.is_unknown())
        {
            let order = more.unwrap_or(Type::Unknown);
            return Err(format!("sortBy order argument must be a string (got {order})"));
        }
        signatures::looped(kind, &list, answer)
    }

    fn declared(&mut self, name: &'a str, value: &'a Node, rest: &'a Node) -> Checked {
        if signatures::is_of_conditions(name) {
            return Err(format!("cannot redeclare {name}"));
        }
        if signatures::is_builtin(name) {
            return Err(format!("cannot redeclare builtin {name}"));
        }
        if self.names.iter().any(|(known, _)| *known == name) {
            return Err(format!("cannot redeclare variable {name}"));
        }
        let kind = self.visit(value)?;
        self.names.push((name, kind));
        let rest = self.visit(rest);
        self.names.pop();
        rest
    }

    fn last_of(&mut self, nodes: &'a [Node]) -> Checked {
        let mut last = Type::Unknown;
        for node in nodes {
            last = self.visit(node)?;
        }
        Ok(last)
    }

    fn branches(&mut self, condition: &'a Node, yes: Option<&'a Node>, no: &'a Node) -> Checked {
        let asked = self.visit(condition)?;
        if asked != Type::Bool && !asked.is_unknown() {
            return Err(format!("non-bool expression (type {asked}) used as condition"));
        }
        let yes = yes.map_or(Ok(asked), |yes| self.visit(yes))?;
        let no = self.visit(no)?;
        Ok(match (&yes, &no) {
            (Type::Nil, _) => no,
            (_, Type::Nil) => yes,
            (Type::List(_), Type::List(_)) if yes != no => Type::list(Type::Any),
            _ if yes.fits(&no) => yes,
            _ => Type::Unknown,
        })
    }

    fn list(&mut self, nodes: &'a [Node]) -> Checked {
        let mut of: Option<Type> = None;
        let mut is_mixed = false;
        for node in nodes {
            let kind = self.visit(node)?;
            is_mixed |= of.as_ref().is_some_and(|of| *of != kind);
            of = Some(kind);
        }
        Ok(Type::list(if is_mixed { Type::Any } else { of.unwrap_or(Type::Unknown) }))
    }

    fn map(&mut self, pairs: &'a [(Node, Node)]) -> Checked {
        for (key, value) in pairs {
            self.visit(key)?;
            self.visit(value)?;
        }
        Ok(Type::Map)
    }
}

fn unknown(name: &str) -> String {
    format!("unknown name {name}")
}

fn mismatched(sign: &str, left: &Type, right: &Type) -> String {
    format!("invalid operation: {sign} (mismatched types {left} and {right})")
}

fn have_an_order(left: &Type, right: &Type) -> bool {
    let kinds = [Type::is_number, Type::is_text, Type::is_time, Type::is_duration];
    kinds.iter().any(|is| is(left) && is(right)) || left.may_go_with(right, &kinds)
}

fn contained(left: &Type, right: &Type) -> Checked {
    match right {
        Type::Map if left.is_text() || left.is_unknown() => Ok(Type::Bool),
        Type::Map => Err(format!("cannot use {left} as type string in map key")),
        _ if right.is_list() => {
            let element = right.element();
            if left.compares_with(&element) {
                Ok(Type::Bool)
            } else {
                Err(format!("cannot use {left} as type {element} in array"))
            }
        }
        Type::Text if left.is_unknown() => Ok(Type::Bool),
        _ if right.is_unknown() => Ok(Type::Bool),
        _ => Err(mismatched("in", left, right)),
    }
}

fn coalesced(left: &Type, right: &Type) -> Type {
    match (left, right) {
        (Type::Nil, other) | (other, Type::Nil) => other.clone(),
        _ if right.fits(left) => left.clone(),
        _ => Type::Unknown,
    }
}

/// The type of what an operator makes of two types; none when it is not defined on them.
fn outcome(binary: Binary, left: &Type, right: &Type) -> Option<Type> {
    let both = |is: fn(&Type) -> bool| is(left) && is(right);
    let may = |kinds: &[fn(&Type) -> bool]| left.may_go_with(right, kinds);
    let is_bool: fn(&Type) -> bool = |it| *it == Type::Bool;
    let number =
        || Some(if left.is_integer() && right.is_integer() { Type::Int } else { Type::Float });
    match binary {
        Binary::Equal | Binary::NotEqual => left.compares_with(right).then_some(Type::Bool),
        Binary::Or(_) | Binary::And(_) => (both(is_bool) || may(&[is_bool])).then_some(Type::Bool),
        Binary::Divide | Binary::Power(_) => {
            (both(Type::is_number) || may(&[Type::is_number])).then_some(Type::Float)
        }
        Binary::Modulo => (both(Type::is_integer) || may(&[Type::is_integer])).then_some(Type::Int),
        Binary::Range => {
            (both(Type::is_integer) || may(&[Type::is_integer])).then(|| Type::list(Type::Int))
        }
        Binary::Matches | Binary::Contains | Binary::StartsWith | Binary::EndsWith => {
            (both(Type::is_text) || may(&[Type::is_text])).then_some(Type::Bool)
        }
        _ if both(Type::is_number) => number(),
        _ => of_times(binary, left, right),
    }
}

/// The same of sums, differences and products, which are defined on more than numbers.
fn of_times(binary: Binary, left: &Type, right: &Type) -> Option<Type> {
    let kinds: &[fn(&Type) -> bool] = match binary {
        Binary::Add => &[Type::is_number, Type::is_text, Type::is_time, Type::is_duration],
        Binary::Subtract => &[Type::is_number, Type::is_time, Type::is_duration],
        _ => &[Type::is_number, Type::is_duration],
    };
    match (binary, left, right) {
        (Binary::Add, Type::Text, Type::Text) => Some(Type::Text),
        (Binary::Add | Binary::Subtract, Type::Time, Type::Duration)
        | (Binary::Add, Type::Duration, Type::Time) => Some(Type::Time),
        (Binary::Subtract, Type::Time, Type::Time) => Some(Type::Duration),
        (_, Type::Duration, Type::Duration) => Some(Type::Duration),
        (Binary::Multiply, Type::Duration, number) | (Binary::Multiply, number, Type::Duration)
            if number.is_number() =>
        {
            Some(Type::Duration)
        }
        _ => left.may_go_with(right, kinds).then_some(Type::Unknown),
    }
}

fn sign(binary: Binary) -> &'static str {
    match binary {
        Binary::Or(written) => written.one("||", "or"),
        Binary::And(written) => written.one("&&", "and"),
        Binary::Equal => "==",
        Binary::NotEqual => "!=",
        Binary::In => "in",
        Binary::Matches => "matches",
        Binary::Contains => "contains",
        Binary::StartsWith => "startsWith",
        Binary::EndsWith => "endsWith",
        Binary::Range => "..",
        Binary::Add => "+",
        Binary::Subtract => "-",
        Binary::Multiply => "*",
        Binary::Divide => "/",
        Binary::Modulo => "%",
        Binary::Power(written) => written.one("**", "^"),
        Binary::Coalesce => "??",
    }
}
