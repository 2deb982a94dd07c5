//! The scripts that are played.

use anyhow::{Context, Result};
use rehearsal::{Play, load};
use std::path::{Path, PathBuf};

/// A script and what it needs.
#[derive(Clone, Debug)]
pub struct Story {
    /// The file's name without its ending.
    pub name: String,
    /// The script, ready to be played.
    pub play: Play,
}

/// Every script of a folder and of its folder `regressions`, by name.
///
/// # Errors
/// When a folder or a script cannot be read.
pub fn stories(folder: &Path, seed: u64) -> Result<Vec<Story>> {
    let mut files = scripts(folder)?;
    let regressions = folder.join("regressions");
    if regressions.is_dir() {
        files.extend(scripts(&regressions)?);
    }
    files.sort();
    files.iter().map(|file| story(file, seed)).collect()
}

/// Every so manieth story is in a sample.
const SAMPLED: usize = 4;
/// Parts of the names of stories without which a sample does not stand for the whole: the only ones with a
/// secret, and with two rollouts.
const IN_EVERY_SAMPLE: [&str; 2] = ["a-token-stays-secret", "two-rollouts"];

/// The stories that stand for the whole in CI.
pub fn sample(stories: Vec<Story>) -> Vec<Story> {
    let is_in = |(place, story): &(usize, Story)| {
        place % SAMPLED == 0 || IN_EVERY_SAMPLE.iter().any(|part| story.name.contains(part))
    };
    stories.into_iter().enumerate().filter(is_in).map(|(_, story)| story).collect()
}

fn scripts(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder);
    let entries = entries.with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "scenario") {
            files.push(path);
        }
    }
    Ok(files)
}

fn story(file: &Path, seed: u64) -> Result<Story> {
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let play = load(&[], Some(file), seed).with_context(|| format!("{name} cannot be read"))?;
    Ok(Story { name, play })
}
