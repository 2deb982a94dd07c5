//! What is known of a value before there is one, in Go's terms.

use super::Measured;
use serde_json::Value as Json;
use std::fmt;

/// The type of a part of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// Nothing is known.
    Unknown,
    /// A value from JSON or of a list of such: nothing is known either, but it has a name.
    Any,
    Nil,
    Bool,
    Int,
    Int64,
    Float,
    Text,
    Floats,
    Texts,
    List(Box<Self>),
    Map,
    Time,
    Duration,
}

impl Type {
    /// The type of a result.
    pub(super) fn of(result: &Measured) -> Self {
        match result {
            Measured::Number(_) => Self::Float,
            Measured::Numbers(_) => Self::Floats,
            Measured::Json(json) => match json {
                Json::Null => Self::Nil,
                Json::Bool(_) => Self::Bool,
                Json::Number(_) => Self::Float,
                Json::String(_) => Self::Text,
                Json::Array(_) => Self::list(Self::Any),
                Json::Object(_) => Self::Map,
            },
        }
    }

    pub(super) fn list(of: Self) -> Self {
        Self::List(Box::new(of))
    }

    pub(super) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown | Self::Any)
    }

    pub(super) fn is_integer(&self) -> bool {
        matches!(self, Self::Int | Self::Int64)
    }

    pub(super) fn is_number(&self) -> bool {
        self.is_integer() || *self == Self::Float
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self, Self::List(_) | Self::Floats | Self::Texts)
    }

    /// The type of a list's elements or of a map's values.
    pub(super) fn element(&self) -> Self {
        match self {
            Self::List(of) => (**of).clone(),
            Self::Floats => Self::Float,
            Self::Texts => Self::Text,
            Self::Map => Self::Any,
            _ => Self::Unknown,
        }
    }

    /// Whether a value of this type may stand where one of the other is wanted.
    pub(super) fn fits(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::Unknown, _) | (_, Self::Unknown) => false,
            (_, Self::Any) => true,
            (Self::Nil, wanted) => wanted.is_list() || *wanted == Self::Map,
            (Self::List(_), Self::List(_)) => true,
            _ => self == wanted,
        }
    }

    /// Whether `==` is defined between the two.
    pub(super) fn compares_with(&self, other: &Self) -> bool {
        let both = |is: fn(&Self) -> bool| is(self) && is(other);
        self.is_unknown()
            || other.is_unknown()
            || *self == Self::Nil
            || *other == Self::Nil
            || both(Self::is_number)
            || both(Self::is_list)
            || self.fits(other)
    }

    /// Whether one is not known, and the other is of a kind that would do, or not known either.
    pub(super) fn may_go_with(&self, other: &Self, kinds: &[fn(&Self) -> bool]) -> bool {
        let would_do = |it: &Self| kinds.iter().any(|is| is(it));
        match (self.is_unknown(), other.is_unknown()) {
            (true, true) => true,
            (true, false) => would_do(other),
            (false, true) => would_do(self),
            (false, false) => false,
        }
    }

    pub(super) fn is_text(&self) -> bool {
        *self == Self::Text
    }

    pub(super) fn is_time(&self) -> bool {
        *self == Self::Time
    }

    pub(super) fn is_duration(&self) -> bool {
        *self == Self::Duration
    }
}

/// The name in Go.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown | Self::Nil => "unknown",
            Self::Any => "interface {}",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Float => "float64",
            Self::Text => "string",
            Self::Floats => "[]float64",
            Self::Texts => "[]string",
            Self::List(_) => "[]interface {}",
            Self::Map => "map[string]interface {}",
            Self::Time => "time.Time",
            Self::Duration => "time.Duration",
        })
    }
}
