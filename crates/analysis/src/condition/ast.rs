//! The tree of a condition.

use std::sync::Arc;

/// Which of two ways to write an operator was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// `&&`, `||`, `!`, `**`
    AsSign,
    /// `and`, `or`, `not`, and `^`
    Otherwise,
}

impl Written {
    pub(super) fn one(self, sign: &'static str, other: &'static str) -> &'static str {
        match self {
            Self::AsSign => sign,
            Self::Otherwise => other,
        }
    }
}

/// An operator between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Or(Written),
    And(Written),
    Equal,
    NotEqual,
    In,
    Matches,
    Contains,
    StartsWith,
    EndsWith,
    Range,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power(Written),
    Coalesce,
}

/// A comparison of the order of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

impl Order {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::More => ">",
            Self::MoreOrEqual => ">=",
        }
    }
}

/// An operator in front of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unary {
    Not(Written),
    Plus,
    Minus,
}

/// What a predicate may name of the element that it is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pointer {
    Item,
    Index,
    Accumulated,
}

/// A function that asks a predicate about each element of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loop {
    All,
    None,
    Any,
    One,
    Filter,
    Map,
    Count,
    Sum,
    Find,
    FindIndex,
    FindLast,
    FindLastIndex,
    SortBy,
    Reduce,
}

impl Loop {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "all" => Self::All,
            "none" => Self::None,
            "any" => Self::Any,
            "one" => Self::One,
            "filter" => Self::Filter,
            "map" => Self::Map,
            "count" => Self::Count,
            "sum" => Self::Sum,
            "find" => Self::Find,
            "findIndex" => Self::FindIndex,
            "findLast" => Self::FindLast,
            "findLastIndex" => Self::FindLastIndex,
            "sortBy" => Self::SortBy,
            "reduce" => Self::Reduce,
            _ => return None,
        })
    }

    /// Whether the predicate may be left out.
    pub(super) fn needs_no_predicate(self) -> bool {
        matches!(self, Self::Count | Self::Sum)
    }

    /// Whether a third argument may stand behind the predicate.
    pub(super) fn takes_more(self) -> bool {
        matches!(self, Self::SortBy | Self::Reduce)
    }
}

/// A condition, or a part of one.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Arc<str>),
    Name(String),
    Pointer(Pointer),
    Unary(Unary, Box<Self>),
    Binary(Binary, Box<Self>, Box<Self>),
    /// `a < b <= c`: each value is compared with the next.
    Compared(Box<Self>, Vec<(Order, Self)>),
    /// Accesses of which one may end all of them with nil.
    Chain(Box<Self>),
    Member(Box<Self>, Box<Self>, Access),
    Method(Box<Self>, String, Vec<Self>, Access),
    Slice(Box<Self>, Option<Box<Self>>, Option<Box<Self>>),
    Call(String, Vec<Self>),
    Loop(Loop, Box<Looped>),
    Let(String, Box<Self>, Box<Self>),
    Sequence(Vec<Self>),
    /// A condition, what it stands for, and what it stands for otherwise; without the second it stands
    /// for itself.
    If(Box<Self>, Option<Box<Self>>, Box<Self>),
    List(Vec<Self>),
    Map(Vec<(Self, Self)>),
}

/// Whether an access of nil is an error or nil.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Required,
    Optional,
}

/// What a [`Loop`] is given.
#[derive(Clone, Debug)]
pub(super) struct Looped {
    pub(super) collection: Node,
    pub(super) predicate: Option<Node>,
    pub(super) more: Option<Node>,
}
