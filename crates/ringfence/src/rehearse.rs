//! `ringfence rehearse`: manifests through the real controller on virtual time.

use crate::{
    args::{Output, RehearseArguments},
    screen,
};
use anyhow::{Context, bail};
use rehearsal::{
    Play,
    script::{self, Command, Line, Manifest},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Plays and prints; exits 1 when something did not go as expected.
pub(crate) fn run(arguments: &RehearseArguments) -> anyhow::Result<ExitCode> {
    let play = play(arguments)?;
    let report = rehearsal::rehearse(&play)
        .map_err(|error| anyhow::anyhow!("{:#}", anyhow::Error::from(error)))?;
    match arguments.output {
        Output::Text => screen::text(&rehearsal::text(&report))?,
        Output::Json => screen::line(&serde_json::to_string(&report)?)?,
    }
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn play(arguments: &RehearseArguments) -> anyhow::Result<Play> {
    let mut files = BTreeMap::new();
    let mut lines = Vec::new();
    for manifest in &arguments.manifests {
        let name = manifest.display().to_string();
        files.insert(name.clone(), read(manifest)?);
        lines.push(Line {
            number: 0,
            text: format!("apply {name}"),
            command: Command::Apply(Manifest::File(name)),
        });
    }
    let (name, script) = match &arguments.scenario {
        Some(path) => (path.display().to_string(), scenario(path, &mut files)?),
        None => ("rehearsal".to_owned(), release(&files)?),
    };
    lines.extend(script);
    Ok(Play { name, lines, files, seed: arguments.seed })
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// Reads a script and the manifests it names, which stand relative to it.
fn scenario(path: &PathBuf, files: &mut BTreeMap<String, String>) -> anyhow::Result<Vec<Line>> {
    let parsed = script::parse(&path.display().to_string(), &read(path)?);
    let lines = parsed.map_err(|errors| {
        anyhow::anyhow!(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })?;
    for line in &lines {
        if let Command::Apply(Manifest::File(file)) = &line.command {
            let beside = path.parent().unwrap_or(Path::new("")).join(file);
            files.insert(
                file.clone(),
                read(&beside).with_context(|| format!("{}:{}", path.display(), line.number))?,
            );
        }
    }
    Ok(lines)
}

/// Without a script: wait until the first version is healthy, release a new image, and watch.
fn release(files: &BTreeMap<String, String>) -> anyhow::Result<Vec<Line>> {
    let Some(image) = first_image(files)? else {
        bail!(
            "no Rollout with a container is among the manifests; name one, or pass --scenario FILE"
        );
    };
    let text = format!(
        "traffic 50\nexpect phase Healthy within 30m\nset image *={}\nexpect phase Healthy within 48h\n",
        next_image(&image)
    );
    script::parse("rehearsal", &text).map_err(|errors| anyhow::anyhow!("{errors:?}"))
}

fn first_image(files: &BTreeMap<String, String>) -> anyhow::Result<Option<String>> {
    for (name, text) in files {
        let objects = embedded::read(name, text)?;
        let rollout = objects.iter().find(|object| object["kind"] == "Rollout");
        let image =
            rollout.and_then(|rollout| rollout.pointer("/spec/template/spec/containers/0/image"));
        if let Some(image) = image.and_then(Value::as_str) {
            return Ok(Some(image.to_owned()));
        }
    }
    Ok(None)
}

/// The same image under another tag.
fn next_image(image: &str) -> String {
    let name = image
        .rsplit_once(':')
        .filter(|(_, tag)| !tag.contains('/'))
        .map_or(image, |(name, _)| name);
    format!("{name}:rehearsed")
}
