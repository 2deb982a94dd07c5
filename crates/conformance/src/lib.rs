//! Holds the embedded API server to a real one, exchange by exchange.
//!
//! Start at [`Sequence`]: the files of `conformance/exchanges/` are sequences of requests, [`play`] sends
//! one to any server, [`normalise`] takes out what no two servers share, and [`compare`] says what is left
//! that differs. [`Library`] knows the folder: what to play, what a real server answered, and what differs
//! on purpose.
//!
//! **Invariant.** Nothing here decides what is right: a real server's recorded answers do.

mod answer;
mod compare;
mod deliberate;
mod document;
mod exchange;
mod library;
mod normalise;
mod pattern;
mod play;
mod stream;
mod subject;
mod variables;

pub use answer::{Answer, Recording};
pub use compare::{Difference, compare};
pub use deliberate::{Deliberate, Tally};
pub use document::{BEGIN, END, section};
pub use exchange::{Exchange, ExchangeError, Sequence};
pub use library::{Library, LibraryError, Outcome};
pub use normalise::normalise;
pub use play::{PlayError, play};
pub use subject::{Subject, SubjectError};
