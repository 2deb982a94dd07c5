//! Carrying out single writes against the API server, each under its precondition.
//!
//! **Invariant.** The writer decides nothing: a [`Write`] says what, where and on which condition.

use crate::{
    authority::Authority,
    fault::{Cause, RequestFailed},
    pace::Throttle,
};
use effects::Actor;
use http::{HeaderValue, Request, header};
use kube::Client;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::{Value, value::RawValue};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use vocab::{ObjectRef, PatchType, Subresource, Write};

/// Under whose name our fields are kept in managedFields.
pub const FIELD_MANAGER: &str = "rollouts-controller";
/// How we present ourselves to the API server.
const USER_AGENT: &str = "ringfence-controller";
/// In whose name we write.
const ACTOR: Actor = Actor { field_manager: FIELD_MANAGER, user_agent: USER_AGENT };
/// What is asked for in answer to a write: no more than is read of it.
const METADATA: HeaderValue = HeaderValue::from_static(
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json",
);
/// How long one request may take before its outcome counts as unknown.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Performs requests in the name of the controller. Copies share everything.
#[derive(Clone)]
pub(crate) struct Writer {
    client: Client,
    authority: Authority,
    throttle: Throttle,
    /// Whether reasons that were written to a status were not there afterwards.
    drops_reasons: Arc<AtomicBool>,
}

/// What a write left behind, for the fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// The object written.
    pub(crate) target: ObjectRef,
    /// What must be seen of it before planning again.
    pub(crate) expect: Expect,
}

/// What must be seen of an object before planning again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// This resourceVersion or a later one.
    Version(String),
    /// That the object of this uid is gone or going.
    Going(Option<String>),
    /// Nothing.
    Nothing,
}

/// What is read of the object, or of the outcome, that a write is answered with.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    metadata: Version,
    /// An outcome's is a word.
    status: Option<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Version {
    resource_version: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reasons {
    reasons: Option<IgnoredAny>,
}

impl Writer {
    /// A writer on `client` that waits for `throttle` and asks `authority` before each write.
    pub(crate) fn new(client: Client, authority: Authority, throttle: Throttle) -> Self {
        Self { client, authority, throttle, drops_reasons: Arc::default() }
    }

    /// Performs one write.
    pub(crate) async fn write(&self, write: &Write) -> Result<Written, RequestFailed> {
        let target = write.target();
        let answer = match self.try_write(write).await {
            Err(Cause::Invalid(words)) => Err(self.sort_out(write, &target, words).await),
            answer => answer,
        };
        let answer = answer.map_err(|cause| failed(effects::verb(write), &target, cause))?;
        if let Some(dropped) = dropped_reasons(write, &answer) {
            self.drops_reasons.store(dropped, Ordering::Relaxed);
        }
        let expect = match write {
            Write::Create { .. } | Write::Patch { .. } => version_of(answer),
            Write::Delete { precondition, .. } => Expect::Going(precondition.uid.clone()),
            Write::Evict { .. } => Expect::Nothing,
        };
        Ok(Written { target, expect })
    }

    /// Whether the API server drops `status.reasons`, which upstream's definition of a Rollout lacks.
    pub(crate) fn drops_reasons(&self) -> bool {
        self.drops_reasons.load(Ordering::Relaxed)
    }

    /// Reads one object as it is now; `None` when there is none, or cannot be one.
    pub(crate) async fn get(&self, target: &ObjectRef) -> Result<Option<Value>, RequestFailed> {
        if !target.can_exist() {
            return Ok(None);
        }
        let request = Request::builder()
            .uri(effects::path(target))
            .header(header::USER_AGENT, USER_AGENT)
            .body(Vec::new());
        let answer = match request {
            Ok(request) => self.send(request).await,
            Err(error) => Err(Cause::Invalid(error.to_string())),
        };
        match answer {
            Ok(value) => Ok(Some(value)),
            Err(Cause::Missed) => Ok(None),
            Err(cause) => Err(failed("get", target, cause)),
        }
    }

    /// A JSON patch whose test fails is answered like one that is wrong. Only the object itself tells
    /// whether it merely changed since it was looked at.
    async fn sort_out(&self, write: &Write, target: &ObjectRef, words: String) -> Cause {
        let Write::Patch { patch_type: PatchType::Json, precondition, .. } = write else {
            return Cause::Invalid(words);
        };
        let Ok(found) = self.get(target).await else { return Cause::Invalid(words) };
        let Some(found) = found else { return Cause::Missed };
        let differs = |field: &str, wanted: &Option<String>| {
            let found = found.pointer(field).and_then(Value::as_str);
            wanted.as_deref().is_some_and(|wanted| found != Some(wanted))
        };
        let changed = differs("/metadata/resourceVersion", &precondition.resource_version)
            || differs("/metadata/uid", &precondition.uid);
        if changed { Cause::Conflicted } else { Cause::Invalid(words) }
    }

    async fn try_write(&self, write: &Write) -> Result<Answer, Cause> {
        self.throttle.turn().await;
        self.authority.check().map_err(Cause::Refused)?;
        let request = effects::request(ACTOR, write);
        let mut request = request.map_err(|error| Cause::Invalid(error.to_string()))?;
        if reasons_in(write).is_none() {
            request.headers_mut().insert(header::ACCEPT, METADATA);
        }
        self.send(request).await
    }

    async fn send<T: DeserializeOwned>(&self, request: Request<Vec<u8>>) -> Result<T, Cause> {
        let answer = tokio::time::timeout(REQUEST_TIMEOUT, self.client.request::<T>(request));
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Cause::from_client(&error)),
            Err(_) => Err(Cause::Unanswered(format!("{} s passed", REQUEST_TIMEOUT.as_secs()))),
        }
    }
}

/// Whether the reasons of a status that was written are missing in the answer; `None` when none were written.
fn dropped_reasons(write: &Write, answer: &Answer) -> Option<bool> {
    reasons_in(write)?;
    let kept = answer.status.as_ref().and_then(|status| serde_json::from_str(status.get()).ok());
    let Reasons { reasons } = kept.unwrap_or_default();
    Some(reasons.is_none())
}

/// The reasons that a status has which is written.
fn reasons_in(write: &Write) -> Option<&[Value]> {
    let Write::Patch { subresource: Subresource::Status, body, .. } = write else { return None };
    let reasons = body.pointer("/status/reasons")?.as_array()?;
    (!reasons.is_empty()).then_some(reasons)
}

fn failed(verb: &'static str, target: &ObjectRef, cause: Cause) -> RequestFailed {
    RequestFailed { verb, target: target.clone(), cause }
}

fn version_of(answer: Answer) -> Expect {
    answer.metadata.resource_version.map_or(Expect::Nothing, Expect::Version)
}
