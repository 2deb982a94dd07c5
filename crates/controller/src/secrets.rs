//! Reading secrets by name, when a measurement needs them.
//!
//! **Invariant.** No secret is watched, cached, logged or written; it lives for one piece of work.

use crate::{
    fault::{Cause, RequestFailed},
    writer::Writer,
};
use api::argo::AnalysisRun;
use k8s_openapi::api::core::v1::Secret;
use plan::analysis_run::{SecretRead, SecretRef, reads};
use std::collections::BTreeMap;
use vocab::ObjectRef;

/// Reads everything that a run's arguments take from secrets.
pub(crate) async fn read(
    writer: &Writer,
    run: &AnalysisRun,
) -> Result<BTreeMap<SecretRef, SecretRead>, RequestFailed> {
    let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
    let mut secrets: BTreeMap<String, Option<Secret>> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for wanted in reads(run) {
        if !secrets.contains_key(&wanted.name) {
            let secret = get(writer, namespace, &wanted.name).await?;
            secrets.insert(wanted.name.clone(), secret);
        }
        let secret = secrets.get(&wanted.name).and_then(Option::as_ref);
        let value = secret.map_or(SecretRead::NoSecret, |secret| value(secret, &wanted.key));
        found.insert(wanted, value);
    }
    Ok(found)
}

async fn get(
    writer: &Writer,
    namespace: &str,
    name: &str,
) -> Result<Option<Secret>, RequestFailed> {
    let target = ObjectRef::new("v1", "Secret", namespace, name);
    let Some(live) = writer.get(&target).await? else { return Ok(None) };
    // The error would quote the secret.
    serde_json::from_value(live).map(Some).map_err(|_| RequestFailed {
        verb: "read",
        target,
        cause: Cause::Invalid("it is not a Secret".to_owned()),
    })
}

fn value(secret: &Secret, key: &str) -> SecretRead {
    let bytes = secret.data.as_ref().and_then(|data| data.get(key));
    bytes.map_or(SecretRead::NoKey, |bytes| {
        SecretRead::Value(String::from_utf8_lossy(&bytes.0).into_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_key_is_told_from_a_missing_one() {
        let secret = json!({"metadata": {"name": "token"}, "data": {"key": "aHVudGVyMg=="}});
        let secret: Secret = serde_json::from_value(secret).unwrap();
        assert!(value(&secret, "key") == SecretRead::Value("hunter2".to_owned()));
        assert!(value(&secret, "other") == SecretRead::NoKey);
    }
}
