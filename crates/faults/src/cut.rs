//! A client that is cut off at one of its writes, as when its process dies there.

use serde::Serialize;

/// Where a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Cut {
    /// The write, counted from 1 in this life; renewals of a lease do not count.
    pub write: usize,
    /// On which side of it.
    pub moment: Moment,
}

/// Before or after a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    /// The write never arrives.
    Before,
    /// The write is carried out, and its answer never arrives.
    After,
}
