//! A cluster that is there already, of which a rehearsal sees one namespace.
//!
//! Start at [`Elsewhere`]. Requests pass through unchanged but for their path: what is asked of all
//! namespaces is asked of the one, which also stands for `default`. So everybody on the stage lives in the
//! namespace without knowing it, and many rehearsals can share a cluster.

use crate::stage::NAMESPACE;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{StatusCode, Uri};
use kube::Client;

/// Largest request that is passed on, in bytes; API servers take no larger ones.
const REQUEST_MAX: usize = 3 * 1024 * 1024;
/// What is in no namespace of all that anybody on the stage asks for.
const CLUSTER_WIDE: [&str; 5] = [
    "clusteranalysistemplates",
    "customresourcedefinitions",
    "gatewayclasses",
    "namespaces",
    "nodes",
];

/// A cluster that is there already, and the namespace to play in, which must exist.
#[derive(Clone)]
pub struct Elsewhere {
    /// Who may do everything in the namespace.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
}

impl Elsewhere {
    /// The cluster as a service of this process.
    pub(crate) fn router(&self) -> Router {
        Router::new().fallback(pass_on).with_state(self.clone())
    }
}

async fn pass_on(State(place): State<Elsewhere>, request: Request) -> Response {
    match answer(&place, request).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

async fn answer(
    place: &Elsewhere,
    request: Request,
) -> Result<Response, Box<dyn std::error::Error + Send + Sync>> {
    let (mut head, body) = request.into_parts();
    let uri = head.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    head.uri = within(&place.namespace, &uri).parse::<Uri>()?;
    let body = to_bytes(body, REQUEST_MAX).await?;
    let response = place.client.send(Request::from_parts(head, body.into())).await?;
    Ok(response.map(Body::new))
}

/// The same question, asked of one namespace.
fn within(namespace: &str, uri: &str) -> String {
    let (path, query) = uri.split_at(uri.find('?').unwrap_or(uri.len()));
    let mut parts: Vec<&str> = path.split('/').collect();
    let resource = match parts.get(1) {
        Some(&"api") => 3,
        Some(&"apis") => 4,
        _ => return uri.to_owned(),
    };
    match parts.get(resource).copied() {
        Some("namespaces") if parts.len() > resource + 2 => {
            let named = &mut parts[resource + 1];
            *named = if *named == NAMESPACE { namespace } else { named };
        }
        None | Some("") => {}
        Some(plural) if CLUSTER_WIDE.contains(&plural) => {}
        Some(_) => drop(parts.splice(resource..resource, ["namespaces", namespace])),
    }
    parts.join("/") + query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_namespace_stands_for_all_and_for_the_default_one() {
        let check = |asked: &str, passed_on: &str| assert_eq!(within("ns", asked), passed_on);
        check("/api/v1/pods?watch=1", "/api/v1/namespaces/ns/pods?watch=1");
        check("/apis/apps/v1/replicasets", "/apis/apps/v1/namespaces/ns/replicasets");
        check("/api/v1/namespaces/default/pods/x", "/api/v1/namespaces/ns/pods/x");
        check("/api/v1/namespaces/ns/pods/x/status", "/api/v1/namespaces/ns/pods/x/status");
        check("/api/v1/namespaces/other/pods", "/api/v1/namespaces/other/pods");
        check("/api/v1/namespaces/default", "/api/v1/namespaces/default");
        check("/api/v1/nodes", "/api/v1/nodes");
        check("/apis/apps/v1", "/apis/apps/v1");
        check("/version", "/version");
    }
}
