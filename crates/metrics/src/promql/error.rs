//! Why a query has no answer.

/// Why a query has no answer; [`QueryError::kind`] is what the HTTP API calls it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The text is not PromQL.
    #[error("parse error: {0}")]
    Unparsed(String),
    /// The query is PromQL that this engine does not evaluate.
    #[error("{position}: {what} is not supported by the embedded query engine")]
    Unsupported {
        /// Line and column in the query, both from 1.
        position: String,
        /// The function, operator or modifier.
        what: String,
    },
    /// The text is longer than [`super::MAX_QUERY_BYTES`].
    #[error("query of {bytes} bytes was refused: at most {limit} are read")]
    TooLong {
        /// Its size.
        bytes: usize,
        /// The limit in force.
        limit: usize,
    },
    /// The expression is nested deeper than [`super::MAX_DEPTH`].
    #[error("query was refused: expressions may be nested {limit} deep")]
    TooDeep {
        /// The limit in force.
        limit: usize,
    },
    /// More samples than [`super::Options::max_samples`] would be loaded.
    #[error("query processing would load too many samples into memory in query execution")]
    TooManySamples,
    /// More steps than [`super::MAX_STEPS`].
    #[error(
        "exceeded maximum resolution of {limit} points per timeseries. Try decreasing the query \
         resolution (?step=XX)"
    )]
    TooManySteps {
        /// The limit in force.
        limit: i64,
    },
    /// Subqueries would take more than [`super::MAX_SUBQUERY_STEPS`].
    #[error("query was refused: its subqueries would take more than {limit} steps")]
    TooManySubquerySteps {
        /// The limit in force.
        limit: usize,
    },
    /// The step of a range query is zero or negative.
    #[error(
        "zero or negative query resolution step widths are not accepted. Try a positive integer"
    )]
    InvalidStep,
    /// A range query ends before it starts.
    #[error("end timestamp must not be before start time")]
    EndBeforeStart,
    /// A range query of something that has no value at a step.
    #[error("invalid expression type \"{0}\" for range query, must be Scalar or instant Vector")]
    NotForRange(&'static str),
    /// The evaluation failed for a reason the language names.
    #[error("{0}")]
    Failed(String),
}

/// What the HTTP API calls a kind of error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// `bad_data`: the request cannot be answered as it is.
    BadData,
    /// `execution`: the evaluation failed.
    Execution,
}

impl QueryError {
    /// What the HTTP API calls it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Failed(_) | Self::TooManySamples | Self::TooManySubquerySteps { .. } => {
                ErrorKind::Execution
            }
            _ => ErrorKind::BadData,
        }
    }

    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    pub(super) fn same_labels() -> Self {
        Self::failed("vector cannot contain metrics with the same labelset")
    }
}
