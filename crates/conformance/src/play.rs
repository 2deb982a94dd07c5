//! Plays a sequence against a server.
//!
//! Start at [`play`]. The server may be real or embedded: all that is asked for is a client.

use crate::answer::Answer;
use crate::exchange::{Exchange, Members, Sequence};
use crate::normalise::normalise;
use crate::stream::Stream;
use crate::variables::Variables;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT, WARNING};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Collected};
use kube::Client;
use kube::client::Body;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// What clients say they are, unless an exchange says otherwise.
const AGENT: &str = "conformance/1.0";

/// How long to wait between two looks at something that is not there yet.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a server may think.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often to look before giving up.
const LOOKS: usize = 200;

/// Why a sequence could not be played to its end.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// The exchange is not a request.
    #[error("{exchange:?} is not a request")]
    Unsendable {
        /// The exchange.
        exchange: String,
        /// What is wrong with it.
        source: http::Error,
    },
    /// The server did not answer.
    #[error("{exchange:?} got no answer")]
    Unanswered {
        /// The exchange.
        exchange: String,
        /// What happened.
        source: Box<kube::Error>,
    },
    /// The server took too long.
    #[error("{exchange:?} got no answer in time")]
    Late {
        /// The exchange.
        exchange: String,
    },
    /// What was waited for did not come.
    #[error("{exchange:?} waited in vain; the last answer was {last}")]
    InVain {
        /// The exchange.
        exchange: String,
        /// The last answer.
        last: String,
    },
}

/// Plays the sequence named `name` in a namespace of that name, and gives the normalised answers of the
/// exchanges that count.
///
/// # Errors
///
/// When a request cannot be sent, gets no answer, or waits in vain.
pub async fn play(
    client: &Client,
    name: &str,
    sequence: &Sequence,
) -> Result<Vec<Answer>, PlayError> {
    let mut player = Player {
        client,
        namespace: name.to_owned(),
        variables: Variables::default(),
        watches: BTreeMap::new(),
    };
    player.variables.set("ns", name.to_owned());
    if !sequence.cluster_wide {
        player.make_namespace().await?;
    }
    let mut answers = Vec::new();
    for exchange in &sequence.exchanges {
        let answer = player.carry_out(exchange).await?;
        answers.extend(answer.filter(|_| !exchange.uncounted));
    }
    Ok(answers)
}

struct Player<'a> {
    client: &'a Client,
    namespace: String,
    variables: Variables,
    watches: BTreeMap<String, Stream>,
}

impl Player<'_> {
    async fn make_namespace(&mut self) -> Result<(), PlayError> {
        let exchange = Exchange {
            body: Some(json!({"metadata": {"name": self.namespace}})),
            ..blank("the namespace is made", "POST /api/v1/namespaces")
        };
        self.ask(&exchange).await.map(drop)
    }

    async fn carry_out(&mut self, exchange: &Exchange) -> Result<Option<Answer>, PlayError> {
        if let Some(reading) = &exchange.read {
            let events = match self.watches.get_mut(&reading.watch) {
                Some(watch) => Value::Array(watch.read(reading.events).await),
                None => Value::from("this watch is not open"),
            };
            let (status, content_type) = (200, String::new());
            let name = exchange.name.clone();
            let answer = Answer { name, status, content_type, warnings: Vec::new(), body: events };
            return Ok(Some(self.finish(exchange, answer)));
        }
        if let Some(name) = &exchange.open {
            let response = self.send(exchange).await?;
            if response.status().is_success() {
                let (parts, body) = response.into_parts();
                self.watches.insert(name.clone(), Stream::new(body));
                let answer = head(&exchange.name, parts.status.as_u16(), &parts.headers);
                return Ok(Some(answer));
            }
            let answer = whole(&exchange.name, response).await;
            return Ok(Some(self.finish(exchange, answer)));
        }
        let answer = self.ask(exchange).await?;
        Ok(Some(self.finish(exchange, answer)))
    }

    /// Asks once, or until what is waited for is there.
    async fn ask(&mut self, exchange: &Exchange) -> Result<Answer, PlayError> {
        for _ in 0..LOOKS {
            let response = self.send(exchange).await?;
            let answer = whole(&exchange.name, response).await;
            if is_reached(&answer, &exchange.until) {
                return Ok(answer);
            }
            tokio::time::sleep(PAUSE).await;
        }
        let last = whole(&exchange.name, self.send(exchange).await?).await;
        let last = format!("{} {}", last.status, last.body);
        Err(PlayError::InVain { exchange: exchange.name.clone(), last })
    }

    async fn send(&self, exchange: &Exchange) -> Result<Response<Body>, PlayError> {
        let path = self.variables.fill(&exchange.path(&self.namespace));
        let mut request = Request::builder().method(exchange.method()).uri(path);
        request = request.header(USER_AGENT, AGENT);
        if let Some(accept) = &exchange.accept {
            request = request.header(ACCEPT, self.variables.fill(long_accept(accept)));
        }
        let content = exchange.content.as_deref();
        let content = content.or_else(|| exchange.body.as_ref().map(|_| "json"));
        if let Some(content) = content.filter(|content| *content != "none") {
            request = request.header(CONTENT_TYPE, long_content(content));
        }
        for (name, value) in &exchange.headers {
            if let Some(headers) = request.headers_mut() {
                headers.remove(name);
            }
            request = request.header(name, self.variables.fill(value));
        }
        let body = exchange.body.as_ref().map(|body| self.variables.fill(&text(body)));
        let body = body.map_or_else(Body::empty, |body| Body::from(body.into_bytes()));
        let unsendable = |source| PlayError::Unsendable { exchange: exchange.name.clone(), source };
        let request = request.body(body).map_err(unsendable)?;
        let unanswered = |source| PlayError::Unanswered {
            exchange: exchange.name.clone(),
            source: Box::new(source),
        };
        let answered = tokio::time::timeout(PATIENCE, self.client.send(request)).await;
        let late = |_| PlayError::Late { exchange: exchange.name.clone() };
        answered.map_err(late)?.map_err(unanswered)
    }

    /// Captures from the answer what later exchanges need, and leaves what is compared.
    fn finish(&mut self, exchange: &Exchange, mut answer: Answer) -> Answer {
        for (name, pointer) in &exchange.capture {
            self.variables.capture(name, pointer, &answer.body);
        }
        for members in &exchange.members {
            choose(&mut answer.body, members);
        }
        if !exchange.only.is_empty() {
            answer.body = parts(&answer.body, &exchange.only);
        }
        normalise(&mut answer, &|text| self.variables.name_in(text));
        answer
    }
}

fn blank(name: &str, request: &str) -> Exchange {
    Exchange {
        name: name.to_owned(),
        request: request.to_owned(),
        accept: None,
        content: None,
        headers: BTreeMap::new(),
        body: None,
        capture: BTreeMap::new(),
        until: BTreeMap::new(),
        only: Vec::new(),
        members: Vec::new(),
        open: None,
        read: None,
        cases: Vec::new(),
        uncounted: true,
    }
}

/// Keys are sent in alphabetical order: a server may name what is wrong in the order it reads.
fn text(body: &Value) -> String {
    let mut sorted = body.clone();
    sorted.sort_all_objects();
    body.as_str().map_or_else(|| sorted.to_string(), str::to_owned)
}

fn long_content(word: &str) -> &str {
    match word {
        "json" => "application/json",
        "yaml" => "application/yaml",
        "merge" => "application/merge-patch+json",
        "json-patch" => "application/json-patch+json",
        "strategic" => "application/strategic-merge-patch+json",
        "apply" => "application/apply-patch+yaml",
        other => other,
    }
}

fn long_accept(word: &str) -> &str {
    match word {
        "json" => "application/json",
        "table" => "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
        "partial" => "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
        "partial-list" => "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
        "aggregated" => {
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
        }
        other => other,
    }
}

fn head(name: &str, status: u16, headers: &HeaderMap) -> Answer {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Answer {
        name: name.to_owned(),
        status,
        content_type: headers.get(CONTENT_TYPE).map(text).unwrap_or_default(),
        warnings: headers.get_all(WARNING).iter().map(text).collect(),
        body: Value::Null,
    }
}

async fn whole(name: &str, response: Response<Body>) -> Answer {
    let (parts, body) = response.into_parts();
    let mut answer = head(name, parts.status.as_u16(), &parts.headers);
    let collected = tokio::time::timeout(PATIENCE, body.collect()).await;
    let bytes = collected.ok().and_then(Result::ok).map(Collected::to_bytes).unwrap_or_default();
    if !bytes.is_empty() {
        answer.body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes).as_ref()));
    }
    answer
}

fn is_reached(answer: &Answer, until: &BTreeMap<String, Value>) -> bool {
    until.iter().all(|(place, wanted)| match place.as_str() {
        "status" => wanted.as_u64() == Some(u64::from(answer.status)),
        pointer => answer.body.pointer(pointer).unwrap_or(&Value::Null) == wanted,
    })
}

fn choose(body: &mut Value, members: &Members) {
    let Some(Value::Array(list)) = body.pointer_mut(&members.list) else { return };
    let all = std::mem::take(list);
    for wanted in &members.of {
        list.extend(all.iter().filter(|one| one.pointer(&members.by) == Some(wanted)).cloned());
    }
}

fn parts(body: &Value, pointers: &[String]) -> Value {
    let found = |pointer: &String| {
        let value = body.pointer(pointer).cloned().unwrap_or(Value::Null);
        (pointer.clone(), value)
    };
    Value::Object(pointers.iter().map(found).collect::<Map<_, _>>())
}
