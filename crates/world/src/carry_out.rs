//! Carrying out effects: one request each, whose answer is believed at once.

use crate::{
    config::Recording,
    effect::{Effect, Grace, Part},
};
use http::{Request, header};
use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};
use vocab::{Event, ObjectRef};

/// In whose name every request is made.
const AGENT: &str = "ringfence-world";

/// What the server answered to one effect, and so what is known before the watches tell it.
#[derive(Debug)]
pub(crate) enum Answer {
    /// An object as it is now.
    Put(Value),
    /// An object of that kind is gone.
    Gone(String, Value),
    /// A pod is on that node.
    Bound(ObjectRef, String),
}

/// Carries out effects in order up to the first that fails, and hands back what was answered.
pub(crate) async fn carry_out(
    client: Client,
    effects: Vec<Effect>,
    (recording, now): (Recording, Timestamp),
) -> (Vec<Answer>, Result<(), kube::Error>) {
    let mut answers = Vec::new();
    for effect in effects {
        match one(&client, effect, (recording, now)).await {
            Ok(answer) => answers.extend(answer),
            Err(error) => return (answers, Err(error)),
        }
    }
    (answers, Ok(()))
}

/// # Errors
/// What the server said. A delete of something that is gone is no error.
async fn one(
    client: &Client,
    effect: Effect,
    (recording, now): (Recording, Timestamp),
) -> Result<Option<Answer>, kube::Error> {
    match effect {
        Effect::Tell(_) if recording == Recording::Nothing => Ok(None),
        Effect::Tell(event) => {
            tell(client, &event, now).await;
            Ok(None)
        }
        Effect::Create(object) => {
            let created = send(client, create(&object)).await?;
            if recording == Recording::Events {
                announce(client, &created, now).await;
            }
            Ok(Some(Answer::Put(created)))
        }
        Effect::Patch { target, part, body } => {
            Ok(Some(Answer::Put(send(client, patch(&target, part, &body)).await?)))
        }
        Effect::Bind { target, uid, node } => {
            match send(client, bind(&target, uid.as_deref(), &node)).await {
                // Bound already, or going: the watch tells which.
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(None),
                answer => answer.map(|_| Some(Answer::Bound(target, node))),
            }
        }
        Effect::Delete { target, uid, grace } => remove(client, &target, (uid, grace)).await,
    }
}

async fn remove(
    client: &Client,
    target: &ObjectRef,
    (uid, grace): (Option<String>, Grace),
) -> Result<Option<Answer>, kube::Error> {
    let answer = match send(client, delete(target, uid.as_deref(), grace)).await {
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
        answer => answer?,
    };
    let held = answer.pointer("/metadata/finalizers/0").is_some();
    let leaves = answer.pointer("/metadata/deletionTimestamp").is_some();
    if leaves && (held || grace == Grace::Asked) {
        return Ok(Some(Answer::Put(answer)));
    }
    let same = answer["kind"] == target.kind.as_str();
    Ok(same.then(|| Answer::Gone(target.kind.clone(), answer)))
}

pub(crate) async fn send(
    client: &Client,
    request: http::Result<Request<Vec<u8>>>,
) -> Result<Value, kube::Error> {
    client.request(request.map_err(kube::Error::HttpError)?).await
}

pub(crate) fn create(object: &Value) -> http::Result<Request<Vec<u8>>> {
    let path = effects::path(&ObjectRef::of(object));
    let collection = path.rsplit_once('/').map_or(path.as_str(), |(collection, _)| collection);
    request("POST", collection, "application/json", object)
}

pub(crate) fn patch(
    target: &ObjectRef,
    part: Part,
    body: &Value,
) -> http::Result<Request<Vec<u8>>> {
    let (tail, content) = match part {
        Part::Main => ("", "application/merge-patch+json"),
        Part::Status => ("/status", "application/merge-patch+json"),
        Part::PodStatus => ("/status", "application/strategic-merge-patch+json"),
        Part::Scale => ("/scale", "application/merge-patch+json"),
    };
    let path = format!("{}{tail}", effects::path(target));
    request("PATCH", &path, content, body)
}

fn bind(target: &ObjectRef, uid: Option<&str>, node: &str) -> http::Result<Request<Vec<u8>>> {
    let binding = json!({
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": target.name, "namespace": target.namespace, "uid": uid},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    });
    request("POST", &format!("{}/binding", effects::path(target)), "application/json", &binding)
}

fn delete(target: &ObjectRef, uid: Option<&str>, grace: Grace) -> http::Result<Request<Vec<u8>>> {
    let mut options =
        json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"});
    if let Some(uid) = uid {
        options["preconditions"] = json!({ "uid": uid });
    }
    if grace == Grace::None {
        options["gracePeriodSeconds"] = json!(0);
    }
    request("DELETE", &effects::path(target), "application/json", &options)
}

fn request(
    method: &str,
    path: &str,
    content: &str,
    body: &Value,
) -> http::Result<Request<Vec<u8>>> {
    Request::builder()
        .method(method)
        .uri(format!("{path}?fieldManager={AGENT}"))
        .header(header::CONTENT_TYPE, content)
        .header(header::USER_AGENT, AGENT)
        .body(body.to_string().into_bytes())
}

/// Only the server knows the name of a pod that it named, so its event is made here.
async fn announce(client: &Client, created: &Value, now: Timestamp) {
    if created["kind"] != "Pod" {
        return;
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let owner = &created["metadata"]["ownerReferences"][0];
    let namespace = text(&created["metadata"]["namespace"]);
    let event = Event {
        event_type: vocab::EventType::Normal,
        regarding: ObjectRef::new(
            &text(&owner["apiVersion"]),
            &text(&owner["kind"]),
            &namespace,
            &text(&owner["name"]),
        ),
        reason: "SuccessfulCreate".into(),
        message: format!("Created pod: {}", text(&created["metadata"]["name"])),
        evidence: std::collections::BTreeMap::from([("uid".into(), text(&owner["uid"]))]),
        after: None,
    };
    tell(client, &event, now).await;
}

/// Records an event; one that cannot be recorded is lost, as it would be in any cluster.
async fn tell(client: &Client, event: &Event, now: Timestamp) {
    let object = event_object(event, now);
    if let Err(error) = send(client, create(&object)).await {
        tracing::debug!(%error, reason = event.reason, "an event was not recorded");
    }
}

fn event_object(event: &Event, now: Timestamp) -> Value {
    let about = &event.regarding;
    let at = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    // Events of what has no namespace are kept in the default one.
    let namespace = if about.namespace.is_empty() { "default" } else { &about.namespace };
    let component = match about.kind.as_str() {
        "Pod" if matches!(event.reason.as_str(), "Scheduled" | "FailedScheduling") => {
            "default-scheduler"
        }
        "Pod" => "kubelet",
        "ReplicaSet" => "replicaset-controller",
        "Deployment" => "deployment-controller",
        "Job" => "job-controller",
        "Node" => "node-controller",
        "StatefulSet" => "statefulset-controller",
        "DaemonSet" => "daemonset-controller",
        _ => "horizontal-pod-autoscaler",
    };
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": format!("{}-", about.name), "namespace": namespace},
        "involvedObject": {
            "apiVersion": about.api_version, "kind": about.kind,
            "namespace": about.namespace, "name": about.name, "uid": event.evidence.get("uid"),
        },
        "type": format!("{:?}", event.event_type),
        "reason": event.reason,
        "message": event.message,
        "source": {"component": component},
        "reportingComponent": component,
        "reportingInstance": "",
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    })
}
