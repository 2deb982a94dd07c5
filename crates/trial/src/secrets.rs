//! Secrets of a run outside a cluster: from the environment, or not at all.

use plan::analysis_run::{Observed, SecretRead, credentials, reads};
use providers::{CredentialRead, Source, VARIABLES};

/// What the names of variables with secrets begin with.
const PREFIX: &str = "RINGFENCE_SECRET_";
/// What stands for a secret where nobody asks for it.
const PLACEHOLDER: &str = analysis::arguments::SECRET_PLACEHOLDER;
/// The longest file with a token that is read, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Secrets that arguments need and the environment does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Missing(Vec<String>);

/// The variable that holds a key of a Secret: `RINGFENCE_SECRET_NAME_KEY`, in capitals, with an underscore
/// for whatever is neither letter nor digit.
pub fn variable(name: &str, key: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let text: String = format!("{name}_{key}").chars().map(letter).collect();
    format!("{PREFIX}{text}")
}

/// Reads what the run's arguments and its providers need from the environment.
///
/// # Errors
/// [`Missing`], which names the variable of every Secret that an argument needs and that is not there. A
/// provider says itself what it misses.
pub fn read(
    observed: &mut Observed,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(), Missing> {
    let mut missing = Vec::new();
    for wanted in reads(&observed.run) {
        let name = variable(&wanted.name, &wanted.key);
        match environment(&name) {
            Some(value) => drop(observed.secrets.insert(wanted, SecretRead::Value(value))),
            None => missing.push(format!(
                "the value of secret {} key {} is not here; set {name}",
                wanted.name, wanted.key
            )),
        }
    }
    if !missing.is_empty() {
        return Err(Missing(missing));
    }
    let found = credentials(observed).into_iter().map(|wanted| {
        let read = credential(&wanted.source, environment);
        (wanted, read)
    });
    observed.credentials = found.collect();
    Ok(())
}

/// Stands something in for every secret, for a run that shows them to nobody.
pub fn stand_in(observed: &mut Observed) {
    for wanted in reads(&observed.run) {
        observed.secrets.insert(wanted, SecretRead::Value(PLACEHOLDER.to_owned()));
    }
}

fn credential(source: &Source, environment: &dyn Fn(&str) -> Option<String>) -> CredentialRead {
    let found =
        |value: Option<String>| value.map_or(CredentialRead::Nothing, CredentialRead::Value);
    match source {
        Source::Secret { name, key, .. } => found(environment(&variable(name, key))),
        Source::Variable(name) if VARIABLES.contains(name) => found(environment(name)),
        Source::FileOf(name) if VARIABLES.contains(name) => match environment(name) {
            Some(path) => file(&path),
            None => CredentialRead::Nothing,
        },
        Source::Variable(_) | Source::FileOf(_) => CredentialRead::Nothing,
    }
}

fn file(path: &str) -> CredentialRead {
    let refused = |why: &str| CredentialRead::Refused(format!("{path} {why}"));
    match std::fs::metadata(path) {
        Ok(found) if found.len() > MAX_FILE_BYTES => return refused("is too long for a token"),
        Ok(_) => {}
        Err(error) => return refused(&format!("cannot be read: {error}")),
    }
    match std::fs::read_to_string(path) {
        Ok(text) => CredentialRead::Value(text.trim().to_owned()),
        Err(error) => refused(&format!("cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn a_secret_comes_from_the_variable_that_its_absence_names() {
        let run = json!({
            "metadata": {},
            "spec": {
                "metrics": [],
                "args": [{"name": "t", "valueFrom": {"secretKeyRef": {"name": "web-token", "key": "a.b"}}}],
            },
        });
        let run = serde_json::from_value(run).unwrap();
        let mut observed = Observed { run: Arc::new(run), ..Observed::default() };
        let missing = read(&mut observed, &|_| None).unwrap_err();
        let expected =
            "the value of secret web-token key a.b is not here; set RINGFENCE_SECRET_WEB_TOKEN_A_B";
        assert_eq!(missing.to_string(), expected);
        let environment =
            |name: &str| (name == "RINGFENCE_SECRET_WEB_TOKEN_A_B").then(|| "s3cr3t".to_owned());
        read(&mut observed, &environment).unwrap();
        let values: Vec<&SecretRead> = observed.secrets.values().collect();
        assert_eq!(values, [&SecretRead::Value("s3cr3t".to_owned())]);
    }
}
