//! Reading from the API server on behalf of a measurement: pods and their logs.
//!
//! **Invariant.** It only reads, and no body beyond [`BODY_MAX`] bytes.

use crate::http_caller::{BODY_MAX, HttpCaller};
use axum::body::{Body, to_bytes};
use futures::future::BoxFuture;
use kube::Client;
use std::collections::BTreeMap;
use vocab::{Call, Reply, ReplyError};

/// Whoever asks the API server for what a provider wants to read.
pub(crate) struct ClusterReader {
    client: Client,
}

impl ClusterReader {
    /// Reads with the rights of `client`.
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    async fn perform(&self, call: &Call) -> Result<Reply, ReplyError> {
        let unreachable = |cause: String| ReplyError::Unreachable { url: call.url.clone(), cause };
        if call.method != "GET" || !call.url.starts_with("/api/v1/namespaces/") {
            return Err(unreachable("only pods and their logs are read".to_owned()));
        }
        let mut request = http::Request::get(&call.url);
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let request = request.body(kube::client::Body::empty());
        let request = request.map_err(|error| unreachable(error.to_string()))?;
        let answer = self.client.send(request).await;
        let (head, body) = answer.map_err(|error| unreachable(error.to_string()))?.into_parts();
        let body = to_bytes(Body::new(body), BODY_MAX).await;
        let too_long = |_| ReplyError::TooLong { url: call.url.clone(), limit: BODY_MAX };
        let body = body.map_err(too_long)?.to_vec();
        Ok(Reply { status: head.status.as_u16(), headers: BTreeMap::new(), body })
    }
}

impl HttpCaller for ClusterReader {
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, ReplyError>> {
        Box::pin(async move {
            let url = call.url.clone();
            let seconds = call.timeout.as_secs();
            tokio::time::timeout(call.timeout, self.perform(&call))
                .await
                .unwrap_or(Err(ReplyError::TimedOut { url, seconds }))
        })
    }
}
