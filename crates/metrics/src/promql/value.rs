//! Values of expressions.

use crate::Labels;
use crate::series::Point;

/// One element of an instant vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
}

/// The points of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesPoints {
    /// Its labels.
    pub labels: Labels,
    /// Its points, oldest first.
    pub points: Vec<Point>,
}

/// The answer to a query.
#[derive(Clone, Debug, PartialEq)]
pub enum PromValue {
    /// A number at a time.
    Scalar(Point),
    /// A text at a time in milliseconds.
    String(i64, String),
    /// The values of some series at a time in milliseconds.
    Vector(i64, Vec<Element>),
    /// The points of some series.
    Matrix(Vec<SeriesPoints>),
}

/// What an expression is worth at one time.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Scalar(f64),
    String(String),
    Vector(Vec<Element>),
    Matrix(Matrix),
}

/// The points of some series within a range of time.
#[derive(Clone, Debug)]
pub(super) struct Matrix {
    pub(super) series: Vec<SeriesPoints>,
    pub(super) window: Window,
}

/// A range of time in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Value {
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Scalar(_) => "scalar",
            Self::String(_) => "string",
            Self::Vector(_) => "instant vector",
            Self::Matrix(_) => "range vector",
        }
    }
}
