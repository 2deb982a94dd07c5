//! Talking with an outside service without doing IO.
//!
//! Pure code says which [`Call`] it wants; a shell performs it and hands the [`Reply`] back together
//! with the state it was given. The state is serialisable and small, so that a restart loses nothing.

use jiff::Timestamp;
use std::{collections::BTreeMap, fmt, time::Duration};

/// One HTTP request that pure code asks for.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// `GET`, `POST` or `PUT`.
    pub method: String,
    /// Absolute address.
    pub url: String,
    /// Header fields in order; names may repeat.
    pub headers: Vec<(String, String)>,
    /// Body, if any.
    pub body: Option<Vec<u8>>,
    /// How long the whole exchange may take.
    pub timeout: Duration,
    /// Whether the server's certificate goes unchecked, as the user asked.
    pub insecure: bool,
}

/// Addresses, headers and bodies may hold secrets, and a log is read by many.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("url", &self.url.split(['?', '#']).next().unwrap_or_default())
            .field("headers", &names)
            .field("body_bytes", &self.body.as_ref().map(Vec::len))
            .field("timeout", &self.timeout)
            .field("insecure", &self.insecure)
            .finish()
    }
}

/// What came back for a [`Call`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status code.
    pub status: u16,
    /// Header fields with lower-case names.
    pub headers: BTreeMap<String, String>,
    /// Body, bounded by the shell.
    pub body: Vec<u8>,
}

/// Why no [`Reply`] came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The service was not reached.
    #[error("{url} was not reached: {cause}")]
    Unreachable {
        /// Address asked.
        url: String,
        /// The transport's own words.
        cause: String,
    },
    /// The service did not answer in time.
    #[error("{url} did not answer within {seconds} s")]
    TimedOut {
        /// Address asked.
        url: String,
        /// The limit in seconds.
        seconds: u64,
    },
    /// The answer was longer than the shell reads.
    #[error("{url} answered with more than {limit} bytes")]
    TooLong {
        /// Address asked.
        url: String,
        /// The limit in bytes.
        limit: usize,
    },
}

/// One turn of a conversation with state `S` that ends in a `T`.
#[derive(Clone, Debug, PartialEq)]
pub enum Exchange<S, T> {
    /// Make this call and come back with the state.
    Call(Call, S),
    /// Come back at that time with the state.
    Wait(Timestamp, S),
    /// The conversation is over.
    Done(T),
}
