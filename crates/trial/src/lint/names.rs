//! Asking a Prometheus which metrics it has.

use super::Known;
use controller::HttpCaller;
use serde::Deserialize;
use std::{collections::BTreeSet, time::Duration};
use vocab::{Call, ReplyError};

/// The longest time that the one question may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A Prometheus that did not tell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskFailed {
    /// There was no answer.
    #[error("{0}; is --prometheus right?")]
    Unanswered(#[from] ReplyError),
    /// The answer was something else than names.
    #[error("{address} answered with status {status} and no list of names; is it a Prometheus?")]
    Unexpected {
        /// Whom we asked.
        address: String,
        /// The status code of the answer.
        status: u16,
    },
}

/// The names of all metrics at `address`, by one call.
///
/// # Errors
/// [`AskFailed`].
pub async fn known_names(caller: &dyn HttpCaller, address: &str) -> Result<Known, AskFailed> {
    #[derive(Deserialize)]
    struct Answer {
        data: BTreeSet<String>,
    }
    let reply = caller.call(question(address)).await?;
    let unexpected = || AskFailed::Unexpected { address: address.to_owned(), status: reply.status };
    let answer: Answer = serde_json::from_slice(&reply.body).map_err(|_| unexpected())?;
    Ok(Known { names: answer.data, address: address.to_owned() })
}

fn question(address: &str) -> Call {
    Call {
        method: "GET".to_owned(),
        url: format!("{}/api/v1/label/__name__/values", address.trim_end_matches('/')),
        headers: Vec::new(),
        body: None,
        timeout: TIMEOUT,
        insecure: false,
    }
}
