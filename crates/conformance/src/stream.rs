//! An open watch: events arrive as lines and are read when asked for.

use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::Value;
use std::time::Duration;

/// How long to wait for an event that should come.
const PATIENCE: Duration = Duration::from_secs(5);

/// One watch and what of it was received but not read.
#[derive(Debug)]
pub(crate) struct Stream {
    body: Body,
    received: BytesMut,
}

impl Stream {
    pub(crate) fn new(body: Body) -> Self {
        Self { body, received: BytesMut::new() }
    }

    /// The next events, at most `count`; without a count, all until the server ends the watch. What did
    /// not come in time is missing.
    pub(crate) async fn read(&mut self, count: Option<usize>) -> Vec<Value> {
        let mut events = Vec::new();
        while count.is_none_or(|count| events.len() < count) {
            if let Some(event) = self.next_line() {
                events.push(event);
                continue;
            }
            match tokio::time::timeout(PATIENCE, self.body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.received.extend_from_slice(&data);
                    }
                }
                _ => break,
            }
        }
        events
    }

    fn next_line(&mut self) -> Option<Value> {
        let end = self.received.iter().position(|&byte| byte == b'\n')?;
        let line = self.received.split_to(end);
        self.received.advance(1);
        let text = String::from_utf8_lossy(&line);
        Some(serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text.as_ref())))
    }
}
