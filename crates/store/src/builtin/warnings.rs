//! What the server says of a built-in object that it keeps all the same.

use serde_json::Value;

use crate::resource::Resource;

/// The annotation that named the class of an ingress.
const INGRESS_CLASS: &str = "kubernetes.io/ingress.class";

/// Texts for `Warning` headers.
pub(crate) fn of(resource: &Resource, old: Option<&Value>, new: &Value) -> Vec<String> {
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "secrets") => unreadable_certificate(new).into_iter().collect(),
        ("networking.k8s.io", "ingresses") if old.is_none() => {
            let old_way = new["metadata"]["annotations"].get(INGRESS_CLASS).is_some();
            let warning = format!(
                "annotation {INGRESS_CLASS:?} is deprecated, please use 'spec.ingressClassName' instead"
            );
            old_way.then_some(warning).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// A certificate or key that is none at first sight.
fn unreadable_certificate(secret: &Value) -> Option<String> {
    use base64::Engine as _;
    if secret["type"] != "kubernetes.io/tls" {
        return None;
    }
    let has_block = |key: &str| {
        let text = secret["data"][key].as_str().unwrap_or_default();
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
        String::from_utf8_lossy(&bytes).contains("-----BEGIN ")
    };
    let missing = [("tls.crt", "certificate"), ("tls.key", "key")];
    let (_, word) = missing.into_iter().find(|(key, _)| !has_block(key))?;
    Some(format!("tls: failed to find any PEM data in {word} input"))
}
