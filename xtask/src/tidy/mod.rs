//! Rules of the house that neither the compiler nor Clippy can hold.
//!
//! Start at [`complaints`]. Nothing here changes a file.

mod edges;
mod modules;
mod texts;

use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Everything that breaks a rule, one sentence each.
pub(crate) fn complaints(root: &Path) -> Result<Vec<String>> {
    let mut complaints = edges::complaints(root)?;
    complaints.extend(modules::complaints(root)?);
    complaints.extend(texts::complaints(root)?);
    complaints.extend(lints(root)?);
    Ok(complaints)
}

/// Clippy reads only the nearest `clippy.toml`, so each must repeat the lines of the root's.
fn lints(root: &Path) -> Result<Vec<String>> {
    let common = read(&root.join("clippy.toml"))?;
    let mut complaints = Vec::new();
    for name in edges::PURE {
        let path = root.join("crates").join(name).join("clippy.toml");
        let own = fs::read_to_string(&path).unwrap_or_default();
        let missing = common.lines().filter(|line| {
            !line.trim().is_empty()
                && !line.starts_with('#')
                && !own.lines().any(|own| own == *line)
        });
        complaints.extend(missing.map(|line| format!("crates/{name}/clippy.toml lacks `{line}`")));
    }
    Ok(complaints)
}

/// The directories of all crates.
fn crates(root: &Path) -> Result<Vec<PathBuf>> {
    let mut crates = entries(&root.join("crates"))?;
    crates.push(root.join("xtask"));
    Ok(crates)
}

/// All files below a directory, in order; none when there is no such directory.
fn files_below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if !directory.is_dir() {
        return Ok(files);
    }
    for entry in entries(directory)? {
        if entry.is_dir() {
            files.extend(files_below(&entry)?);
        } else {
            files.push(entry);
        }
    }
    Ok(files)
}

/// What a directory holds, in order.
fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>());
    let mut entries = entries.with_context(|| format!("cannot list {}", directory.display()))?;
    entries.sort();
    Ok(entries)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// A path as seen from the top of the workspace.
fn relative<'a>(path: &'a Path, root: &Path) -> std::path::Display<'a> {
    path.strip_prefix(root).unwrap_or(path).display()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_workspace_is_tidy() {
        let complaints = super::complaints(&crate::root()).unwrap();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }
}
