//! Reading scripts and manifests from disk, and the story that is played when there is no script.

use crate::{
    play::Play,
    script::{self, Command, Line, Manifest, ParseError},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// How the ends of manifests' names are spelled.
const MANIFEST_ENDINGS: [&str; 3] = ["yaml", "yml", "json"];
/// The story that is played for each rollout when there is no script.
const RELEASE: &str = "expect phase Healthy within 30m";
/// How long a release may take when there is no script.
const RELEASE_TAKES: &str = "7d";
/// Requests per second when there is no script.
const RELEASE_TRAFFIC: &str = "traffic 50";

/// Why nothing can be played.
#[derive(Debug, thiserror::Error)]
pub enum LoadFailed {
    /// A file or folder cannot be read.
    #[error("{file} cannot be read")]
    Unreadable {
        /// Which one.
        file: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A folder holds nothing to apply.
    #[error("{0} has no manifest in it; their names end in .yaml, .yml or .json")]
    Empty(String),
    /// A manifest that the script names cannot be read.
    #[error("{script}:{line}:{column}: {file} cannot be read")]
    ManifestUnreadable {
        /// The script.
        script: String,
        /// Line, counted from 1.
        line: usize,
        /// Column of the manifest's name, counted from 1.
        column: usize,
        /// The manifest.
        file: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Lines of the script that say nothing.
    #[error("{}", lines(.0))]
    Script(Vec<ParseError>),
    /// A manifest is broken.
    #[error(transparent)]
    Manifest(#[from] embedded::ApplyError),
    /// There is no script, and nothing to release.
    #[error(
        "no Rollout with a container is among the manifests; name one, or pass --scenario FILE"
    )]
    NoRollout,
}

fn lines(errors: &[ParseError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Reads everything that a rehearsal needs: manifests (files or folders), then the script, if there is one.
///
/// # Errors
/// [`LoadFailed`], with file, line and column where there is one.
pub fn load(manifests: &[PathBuf], scenario: Option<&Path>, seed: u64) -> Result<Play, LoadFailed> {
    let mut files = BTreeMap::new();
    let mut lines = Vec::new();
    for path in in_folders(manifests)? {
        let name = path.display().to_string();
        files.insert(name.clone(), checked(&path)?);
        lines.push(Line {
            number: 0,
            text: format!("apply {name}"),
            command: Command::Apply(Manifest::File(name)),
        });
    }
    let (name, script) = match scenario {
        Some(path) => (path.display().to_string(), scripted(path, &mut files)?),
        None => ("rehearsal".to_owned(), release(&files)?),
    };
    lines.extend(script);
    Ok(Play { name, lines, files, seed })
}

/// Says where in the script the manifest is named that cannot be read.
fn placed(failed: LoadFailed, script: &str, line: &Line) -> LoadFailed {
    match failed {
        LoadFailed::Unreadable { file, source } => {
            let column = 1 + "apply ".len();
            LoadFailed::ManifestUnreadable {
                script: script.to_owned(),
                line: line.number,
                column,
                file,
                source,
            }
        }
        other => other,
    }
}

/// The files named, and in place of each folder the manifests in it.
fn in_folders(paths: &[PathBuf]) -> Result<Vec<PathBuf>, LoadFailed> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(in_folder(path)?);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, LoadFailed> {
    let unreadable = |source| LoadFailed::Unreadable { file: folder.display().to_string(), source };
    let is_manifest = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        ending.is_some_and(|ending| MANIFEST_ENDINGS.contains(&ending)) && path.is_file()
    };
    let entries = fs::read_dir(folder)
        .and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
        })
        .map_err(unreadable)?;
    let mut files: Vec<PathBuf> = entries.into_iter().filter(is_manifest).collect();
    files.sort();
    if files.is_empty() { Err(LoadFailed::Empty(folder.display().to_string())) } else { Ok(files) }
}

fn read(path: &Path) -> Result<String, LoadFailed> {
    fs::read_to_string(path)
        .map_err(|source| LoadFailed::Unreadable { file: path.display().to_string(), source })
}

/// Reads a manifest and makes sure that it is one.
fn checked(path: &Path) -> Result<String, LoadFailed> {
    let text = read(path)?;
    embedded::read(&path.display().to_string(), &text)?;
    Ok(text)
}

/// Reads a script and the manifests it names, which stand relative to it.
fn scripted(path: &Path, files: &mut BTreeMap<String, String>) -> Result<Vec<Line>, LoadFailed> {
    let name = path.display().to_string();
    let lines = script::parse(&name, &read(path)?).map_err(LoadFailed::Script)?;
    for line in &lines {
        match &line.command {
            Command::Apply(Manifest::File(file)) if !files.contains_key(file) => {
                let beside = path.parent().unwrap_or(Path::new("")).join(file);
                let text = checked(&beside).map_err(|failed| placed(failed, &name, line))?;
                files.insert(file.clone(), text);
            }
            Command::Apply(Manifest::Inline(text)) => {
                // Blank lines put the error where it stands in the script.
                let above = "\n".repeat(line.number);
                embedded::read(&name, &format!("{above}{text}"))?;
            }
            _ => {}
        }
    }
    Ok(lines)
}

/// Without a script each rollout is released once, and promoted whenever it waits for a person.
fn release(files: &BTreeMap<String, String>) -> Result<Vec<Line>, LoadFailed> {
    let mut objects = Vec::new();
    for (name, text) in files {
        objects.extend(embedded::read(name, text)?);
    }
    let mut text = format!("{RELEASE_TRAFFIC}\n");
    let rollouts = objects.iter().filter(|object| object["kind"] == "Rollout");
    let stories: Vec<String> = rollouts.filter_map(|rollout| story(rollout, &objects)).collect();
    if stories.is_empty() {
        return Err(LoadFailed::NoRollout);
    }
    text.extend(stories);
    script::parse("rehearsal", &text).map_err(LoadFailed::Script)
}

fn story(rollout: &Value, objects: &[Value]) -> Option<String> {
    let name = rollout.pointer("/metadata/name")?.as_str()?;
    let workload = rollout.pointer("/spec/workloadRef/name");
    let templated = match workload {
        Some(name) => objects.iter().find(|object| {
            object["kind"] == "Deployment" && object.pointer("/metadata/name") == Some(name)
        })?,
        None => rollout,
    };
    let container = templated.pointer("/spec/template/spec/containers/0")?;
    let (part, image) = (container["name"].as_str()?, container["image"].as_str()?);
    let next = next_image(image);
    let namespace = rollout.pointer("/metadata/namespace").and_then(Value::as_str);
    let name = namespace.map_or(name.to_owned(), |namespace| format!("{namespace}/{name}"));
    Some(format!(
        "rollout {name}\n{RELEASE}\nset image {part}={next}\nsee-through {RELEASE_TAKES}\n"
    ))
}

/// The same image under another tag.
fn next_image(image: &str) -> String {
    let name = image.split('@').next().unwrap_or(image);
    let name =
        name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(name, |(name, _)| name);
    format!("{name}:rehearsed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_image_differs_in_its_tag_alone() {
        for (image, next) in [
            ("nginx", "nginx:rehearsed"),
            ("nginx:1.27", "nginx:rehearsed"),
            ("localhost:5000/shop", "localhost:5000/shop:rehearsed"),
            ("shop:1@sha256:abc", "shop:rehearsed"),
        ] {
            assert_eq!(next_image(image), next, "{image}");
        }
    }

    #[test]
    fn every_rollout_is_released_even_one_whose_template_is_elsewhere() {
        let text = "
kind: Deployment
metadata: {name: shop-template}
spec: {template: {spec: {containers: [{name: shop, image: 'shop:1'}]}}}
---
kind: Rollout
metadata: {name: shop}
spec: {workloadRef: {name: shop-template}}
---
kind: Rollout
metadata: {name: web}
spec: {template: {spec: {containers: [{name: app, image: 'web:1'}]}}}
";
        let files = BTreeMap::from([("a.yaml".to_owned(), text.to_owned())]);
        let texts: Vec<_> = release(&files).unwrap().into_iter().map(|line| line.text).collect();
        assert_eq!(
            texts,
            [
                "traffic 50",
                "rollout shop",
                "expect phase Healthy within 30m",
                "set image shop=shop:rehearsed",
                "see-through 7d",
                "rollout web",
                "expect phase Healthy within 30m",
                "set image app=web:rehearsed",
                "see-through 7d",
            ]
        );
    }

    #[test]
    fn manifests_without_a_rollout_need_a_script() {
        let files = BTreeMap::from([("a.yaml".to_owned(), "kind: Service".to_owned())]);
        assert!(matches!(release(&files), Err(LoadFailed::NoRollout)));
    }
}
