//! A server that lags behind its peers: a client that is started again meets the past.

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, header};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What later lives are shown first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Past {
    /// Lists are remembered as they are before this write, counted from 1 over all lives; renewals of a
    /// lease do not count.
    pub write: usize,
    /// The plural of the kind whose lists are old; every kind when absent.
    pub resource: Option<String>,
    /// How long watches that follow an old list tell nothing.
    pub lag: Duration,
}

/// What is remembered.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    past: Option<Past>,
    writes: usize,
    asked: BTreeSet<String>,
    kept: BTreeMap<String, Bytes>,
    lagging: BTreeSet<String>,
}

impl Memory {
    pub(crate) fn plan(&mut self, past: Past) {
        self.past = Some(past);
    }

    pub(crate) fn end(&mut self) {
        *self = Self::default();
    }

    /// Notes a list that is asked for.
    pub(crate) fn asked(&mut self, uri: &str, resource: &str) {
        let Some(past) = &self.past else { return };
        let path = uri.split('?').next().unwrap_or_default();
        let is_list = path.rsplit('/').next() == Some(resource);
        if is_list && past.resource.as_ref().is_none_or(|only| only == resource) {
            self.asked.insert(uri.to_owned());
        }
    }

    /// Counts a write; says which lists to remember before it is carried out.
    pub(crate) fn count(&mut self) -> Vec<String> {
        self.writes += 1;
        let is_here = self.past.as_ref().is_some_and(|past| past.write == self.writes);
        if is_here { self.asked.iter().cloned().collect() } else { Vec::new() }
    }

    pub(crate) fn keep(&mut self, uri: String, body: Bytes) {
        self.kept.insert(uri, body);
    }

    /// The old answer to a list, given once.
    pub(crate) fn recall(&mut self, uri: &str, resource: &str) -> Option<Response<Body>> {
        let body = self.kept.remove(uri)?;
        self.lagging.insert(resource.to_owned());
        let mut answer = Response::new(Body::from(body));
        let json = header::HeaderValue::from_static("application/json");
        answer.headers_mut().insert(header::CONTENT_TYPE, json);
        Some(answer)
    }

    /// How long a watch of a kind tells nothing.
    pub(crate) fn lag(&mut self, resource: &str) -> Option<Duration> {
        let lag = self.past.as_ref()?.lag;
        self.lagging.remove(resource).then_some(lag)
    }
}

/// The request for a list that is to be remembered.
pub(crate) fn request(uri: &str) -> Option<Request<Body>> {
    Request::builder().uri(uri).header(header::ACCEPT, "application/json").body(Body::empty()).ok()
}
