//! Carrying out effects: one request each, whose answer is believed at once.

use crate::{
    cluster::Cluster,
    config::Recording,
    effect::{Effect, Grace, Part},
};
use http::{Request, header};
use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};
use vocab::{Event, ObjectRef};

const AGENT: &str = "ringfence-world";

/// Carries out one effect; what the server answers is put into `cluster`, so that the next decision
/// already knows of it.
///
/// # Errors
/// What the server said. A delete of something that is gone is no error.
pub(crate) async fn carry_out(
    client: &Client,
    cluster: &mut Cluster,
    effect: Effect,
    (recording, now): (Recording, Timestamp),
) -> Result<(), kube::Error> {
    match effect {
        Effect::Tell(_) if recording == Recording::Nothing => Ok(()),
        Effect::Tell(event) => {
            tell(client, &event, now).await;
            Ok(())
        }
        Effect::Create(object) => {
            let created = send(client, create(&object)).await?;
            if recording == Recording::Events {
                announce(client, &created, now).await;
            }
            cluster.put(created);
            Ok(())
        }
        Effect::Patch { target, part, body } => {
            let patched = send(client, patch(&target, part, &body)).await?;
            cluster.put(patched);
            Ok(())
        }
        Effect::Delete { target, uid, grace } => {
            remove(client, cluster, &target, (uid, grace)).await
        }
    }
}

async fn remove(
    client: &Client,
    cluster: &mut Cluster,
    target: &ObjectRef,
    (uid, grace): (Option<String>, Grace),
) -> Result<(), kube::Error> {
    let answer = match send(client, delete(target, uid.as_deref(), grace)).await {
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
        answer => answer?,
    };
    let leaves = answer.pointer("/metadata/deletionTimestamp").is_some() && grace == Grace::Asked;
    if leaves {
        cluster.put(answer);
    } else if answer["kind"] == target.kind.as_str() {
        cluster.gone(&target.kind, answer);
    }
    Ok(())
}

async fn send(
    client: &Client,
    request: http::Result<Request<Vec<u8>>>,
) -> Result<Value, kube::Error> {
    client.request(request.map_err(kube::Error::HttpError)?).await
}

fn create(object: &Value) -> http::Result<Request<Vec<u8>>> {
    let path = effects::path(&effects::reference(object));
    let collection = path.rsplit_once('/').map_or(path.as_str(), |(collection, _)| collection);
    request("POST", collection, "application/json", object)
}

fn patch(target: &ObjectRef, part: Part, body: &Value) -> http::Result<Request<Vec<u8>>> {
    let tail = match part {
        Part::Main => "",
        Part::Status => "/status",
        Part::Scale => "/scale",
    };
    let path = format!("{}{tail}", effects::path(target));
    request("PATCH", &path, "application/merge-patch+json", body)
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
    let component = match about.kind.as_str() {
        "Pod" if event.reason == "Scheduled" => "default-scheduler",
        "Pod" => "kubelet",
        "ReplicaSet" => "replicaset-controller",
        "Deployment" => "deployment-controller",
        "Job" => "job-controller",
        "StatefulSet" => "statefulset-controller",
        "DaemonSet" => "daemonset-controller",
        _ => "horizontal-pod-autoscaler",
    };
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": format!("{}.", about.name), "namespace": about.namespace},
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
