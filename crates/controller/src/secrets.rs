//! Reading secrets by name, when a measurement needs them, and what providers ask of the surroundings.
//!
//! **Invariant.** No secret is watched, cached, logged or written; it lives for one piece of work.

use crate::{
    fault::{Cause, RequestFailed},
    surroundings::Surroundings,
    writer::Writer,
};
use k8s_openapi::api::core::v1::Secret;
use plan::analysis_run::{Observed, SecretRead, SecretRef, credentials, reads};
use providers::{CredentialRead, Credentials, Place, Source};
use std::collections::{BTreeMap, btree_map::Entry};
use vocab::ObjectRef;

/// The longest file with a token that is read, in bytes.
const FILE_MAX: u64 = 64 * 1024;

/// Reads everything that a run's arguments take from secrets, then what its providers ask for.
pub(crate) async fn read(
    writer: &Writer,
    surroundings: &Surroundings,
    observed: &mut Observed,
) -> Result<(), RequestFailed> {
    let namespace = observed.run.metadata.namespace.clone().unwrap_or_default();
    let mut secrets = Secrets { writer, read: BTreeMap::new() };
    observed.secrets = of_arguments(&mut secrets, &namespace, observed).await?;
    observed.credentials = of_providers(&mut secrets, surroundings, observed).await?;
    Ok(())
}

async fn of_arguments(
    secrets: &mut Secrets<'_>,
    namespace: &str,
    observed: &Observed,
) -> Result<BTreeMap<SecretRef, SecretRead>, RequestFailed> {
    let mut found = BTreeMap::new();
    for wanted in reads(&observed.run) {
        let read = of_argument(&mut *secrets, namespace, &wanted).await?;
        found.insert(wanted, read);
    }
    Ok(found)
}

/// A Secret that we may not read ends its run; it holds up nothing.
async fn of_argument(
    secrets: &mut Secrets<'_>,
    namespace: &str,
    wanted: &SecretRef,
) -> Result<SecretRead, RequestFailed> {
    match secrets.get(namespace, &wanted.name).await {
        Ok(secret) => Ok(secret.map_or(SecretRead::NoSecret, |secret| value(secret, &wanted.key))),
        Err(failed) => refused(&failed).ok_or(failed),
    }
}

fn refused(failed: &RequestFailed) -> Option<SecretRead> {
    refusal(failed).map(SecretRead::Refused)
}

async fn of_providers(
    secrets: &mut Secrets<'_>,
    surroundings: &Surroundings,
    observed: &Observed,
) -> Result<Credentials, RequestFailed> {
    let namespace = observed.run.metadata.namespace.as_deref().unwrap_or_default();
    let mut found = Vec::new();
    for wanted in credentials(observed) {
        let read = match &wanted.source {
            Source::Secret { place, name, key } => {
                let namespace = match place {
                    Place::Controller => &surroundings.namespace,
                    Place::Run => namespace,
                };
                of_secret(secrets, (namespace, name, key)).await?
            }
            Source::Variable(name) => surroundings
                .variable(name)
                .map_or(CredentialRead::Nothing, |value| CredentialRead::Value(value.to_owned())),
            Source::FileOf(name) => match surroundings.variable(name) {
                Some(path) => file(path).await,
                None => CredentialRead::Nothing,
            },
        };
        found.push((wanted, read));
    }
    Ok(found.into_iter().collect())
}

/// A Secret that we may not read is the measurement's error; it holds up no other metric.
async fn of_secret(
    secrets: &mut Secrets<'_>,
    (namespace, name, key): (&str, &str, &str),
) -> Result<CredentialRead, RequestFailed> {
    match secrets.get(namespace, name).await {
        Ok(secret) => Ok(credential(secret, key)),
        Err(failed) => refusal(&failed).map(CredentialRead::Refused).ok_or(failed),
    }
}

fn credential(secret: Option<&Secret>, key: &str) -> CredentialRead {
    match secret.map(|secret| value(secret, key)) {
        Some(SecretRead::Value(value)) => CredentialRead::Value(value),
        Some(SecretRead::Refused(why)) => CredentialRead::Refused(why),
        Some(SecretRead::NoSecret | SecretRead::NoKey) => CredentialRead::NoKey,
        None => CredentialRead::Nothing,
    }
}

fn refusal(failed: &RequestFailed) -> Option<String> {
    match &failed.cause {
        Cause::Forbidden(why) => Some(why.clone()),
        _ => None,
    }
}

async fn file(path: &str) -> CredentialRead {
    let refused = |why: &str| CredentialRead::Refused(format!("{path} {why}"));
    match tokio::fs::metadata(path).await {
        Ok(found) if found.len() > FILE_MAX => return refused("is too long for a token"),
        Ok(_) => {}
        Err(error) => return refused(&format!("cannot be read: {error}")),
    }
    match tokio::fs::read_to_string(path).await {
        Ok(text) => CredentialRead::Value(text.trim().to_owned()),
        Err(error) => refused(&format!("cannot be read: {error}")),
    }
}

/// Each Secret is read once for a piece of work.
struct Secrets<'a> {
    writer: &'a Writer,
    read: BTreeMap<(String, String), Option<Secret>>,
}

impl Secrets<'_> {
    async fn get(&mut self, namespace: &str, name: &str) -> Result<Option<&Secret>, RequestFailed> {
        let secret = match self.read.entry((namespace.to_owned(), name.to_owned())) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(get(self.writer, namespace, name).await?),
        };
        Ok(secret.as_ref())
    }
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

    fn secret() -> Secret {
        let secret = json!({"metadata": {"name": "token"}, "data": {"key": "aHVudGVyMg=="}});
        serde_json::from_value(secret).unwrap()
    }

    #[test]
    fn a_key_is_told_from_a_missing_one() {
        assert!(value(&secret(), "key") == SecretRead::Value("hunter2".to_owned()));
        assert!(value(&secret(), "other") == SecretRead::NoKey);
    }

    #[test]
    fn a_secret_that_may_not_be_read_is_the_measurements_error_alone() {
        let target = ObjectRef::new("v1", "Secret", "argo-rollouts", "datadog");
        let failed = |cause| RequestFailed { verb: "get", target: target.clone(), cause };
        let forbidden = Cause::Forbidden("no".to_owned());
        assert_eq!(refusal(&failed(forbidden)).as_deref(), Some("no"));
        assert_eq!(refusal(&failed(Cause::Throttled(String::new()))), None);
        let refused = refused(&failed(Cause::Forbidden("no".to_owned()))).unwrap();
        assert!(refused == SecretRead::Refused("no".to_owned()));
        assert!(super::refused(&failed(Cause::Throttled(String::new()))).is_none());
        assert_eq!(credential(None, "key"), CredentialRead::Nothing);
        assert_eq!(credential(Some(&secret()), "other"), CredentialRead::NoKey);
    }

    #[tokio::test]
    async fn a_token_file_is_read_anew_each_time() {
        let path = std::env::temp_dir().join(format!("ringfence-token-{}", std::process::id()));
        let text = path.to_string_lossy().into_owned();
        for token in ["first\n", "second"] {
            std::fs::write(&path, token).unwrap();
            let expected = CredentialRead::Value(token.trim().to_owned());
            assert!(file(&text).await == expected);
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(file(&text).await, CredentialRead::Refused(_)));
    }
}
