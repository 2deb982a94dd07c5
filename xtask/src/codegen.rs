//! The files that are made from Rust: `deploy/crds` from types, `manifests` from them and the rights of
//! the controller.
//!
//! Start at [`write`]; [`stale`] tells which committed files no longer match.

use crate::manifests;
use anyhow::{Context, Result};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use std::{collections::BTreeMap, fs, path::Path};

/// Where the definitions are kept, seen from the top of the workspace.
const DIRECTORY: &str = "deploy/crds";

/// First line of every file.
const HEADER: &str = "# Made by `cargo xtask codegen` from crates/api. Do not edit.\n";

/// Writes every file and returns their paths.
pub(crate) fn write(root: &Path) -> Result<Vec<String>> {
    let files = files()?;
    for (path, text) in &files {
        let place = root.join(path);
        let folder = place.parent().unwrap_or(root);
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::write(place, text).with_context(|| format!("cannot write {path}"))?;
    }
    Ok(files.into_keys().collect())
}

/// The paths of the files that differ from what their types say, or are not there.
pub(crate) fn stale(root: &Path) -> Result<Vec<String>> {
    let differs = |path: &String, text: &String| {
        fs::read_to_string(root.join(path)).ok().as_ref() != Some(text)
    };
    Ok(files()?
        .into_iter()
        .filter(|(path, text)| differs(path, text))
        .map(|(path, _)| path)
        .collect())
}

/// Every file by its path.
fn files() -> Result<BTreeMap<String, String>> {
    let definitions = api::crds();
    let mut files = definitions.iter().map(file).collect::<Result<BTreeMap<_, _>>>()?;
    let bodies = definitions.iter().map(body).collect::<Result<Vec<_>>>()?;
    files.extend(manifests::files(&bodies));
    Ok(files)
}

fn file(definition: &CustomResourceDefinition) -> Result<(String, String)> {
    let path = format!("{DIRECTORY}/{}.yaml", definition.spec.names.plural);
    Ok((path, format!("{HEADER}{}", body(definition)?)))
}

fn body(definition: &CustomResourceDefinition) -> Result<String> {
    let name = &definition.spec.names.plural;
    serde_saphyr::to_string(definition).with_context(|| format!("cannot write {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_definitions_are_those_of_the_types() {
        assert_eq!(stale(&crate::root()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_written_reads_back_as_the_same_definition() {
        for definition in api::crds() {
            let (path, text) = file(&definition).unwrap();
            let read: CustomResourceDefinition = serde_saphyr::from_str(&text).unwrap();
            assert_eq!(read, definition, "{path}");
        }
    }
}
