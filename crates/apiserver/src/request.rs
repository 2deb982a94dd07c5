//! What a path of the resource API asks for.

use http::Method;
use percent_encoding::percent_decode_str;

/// The place a request points at, before anyone knows whether such a resource exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    /// Empty for the core group.
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) namespace: Option<String>,
    pub(crate) resource: String,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
    /// Whether the path itself asks to watch, as `/api/v1/watch/…` once did.
    pub(crate) watches: bool,
}

impl Target {
    /// Reads `/api/v1/…` and `/apis/{group}/{version}/…`; `None` for every other path.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let decode = |part: &str| percent_decode_str(part).decode_utf8().ok().map(Into::into);
        let parts: Option<Vec<String>> = path.trim_matches('/').split('/').map(decode).collect();
        let parts = parts?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match parts.as_slice() {
            ["api", "v1", "watch", rest @ ..] => Some(Self::within("", "v1", rest)?.watched()),
            ["api", "v1", rest @ ..] => Self::within("", "v1", rest),
            ["apis", group, version, "watch", rest @ ..] => {
                Some(Self::within(group, version, rest)?.watched())
            }
            ["apis", group, version, rest @ ..] => Self::within(group, version, rest),
            _ => None,
        }
    }

    fn watched(self) -> Self {
        Self { watches: true, ..self }
    }

    fn within(group: &str, version: &str, rest: &[&str]) -> Option<Self> {
        let target = |namespace: Option<&str>, rest: &[&str]| {
            let [resource, rest @ ..] = rest else { return None };
            Some(Self {
                group: group.to_owned(),
                version: version.to_owned(),
                namespace: namespace.map(str::to_owned),
                resource: (*resource).to_owned(),
                name: rest.first().map(|name| (*name).to_owned()),
                subresource: rest.get(1..).filter(|sub| !sub.is_empty()).map(|sub| sub.join("/")),
                watches: false,
            })
        };
        match rest {
            ["namespaces", _] | ["namespaces", _, "status" | "finalize"] if group.is_empty() => {
                target(None, rest)
            }
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => {
                target(Some(namespace), rest)
            }
            _ => target(None, rest),
        }
    }
}

/// What to do at a [`Target`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    List,
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
}

impl Verb {
    /// The verb of an HTTP method at a target with or without a name; `None` for a method not allowed.
    pub(crate) fn of(method: &Method, target: &Target) -> Option<Self> {
        let named = target.name.is_some();
        match method.as_str() {
            "GET" => Some(if named { Self::Get } else { Self::List }),
            "POST" if !named || target.subresource.is_some() => Some(Self::Create),
            "PUT" if named => Some(Self::Update),
            "PATCH" if named => Some(Self::Patch),
            "DELETE" => Some(if named { Self::Delete } else { Self::DeleteCollection }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: [&str; 6]) {
        let target = Target::parse(path).unwrap();
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let found = [
            target.group.clone(),
            target.version.clone(),
            text(&target.namespace),
            target.resource.clone(),
            text(&target.name),
            text(&target.subresource),
        ];
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn paths_name_group_namespace_resource_name_and_subresource() {
        check("/api/v1/pods", ["", "v1", "", "pods", "", ""]);
        check("/api/v1/namespaces", ["", "v1", "", "namespaces", "", ""]);
        check("/api/v1/namespaces/a", ["", "v1", "", "namespaces", "a", ""]);
        check("/api/v1/namespaces/a/finalize", ["", "v1", "", "namespaces", "a", "finalize"]);
        check("/api/v1/namespaces/a/pods/p/log", ["", "v1", "a", "pods", "p", "log"]);
        check(
            "/apis/apps/v1/namespaces/a/deployments/d",
            ["apps", "v1", "a", "deployments", "d", ""],
        );
        check(
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
            ["rbac.authorization.k8s.io", "v1", "", "clusterroles", "system:node", ""],
        );
    }

    #[test]
    fn a_group_version_alone_is_no_target() {
        assert_eq!(Target::parse("/apis/apps/v1"), None);
        assert_eq!(Target::parse("/version"), None);
    }
}
