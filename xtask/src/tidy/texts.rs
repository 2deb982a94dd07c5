//! Source files stay short, and no file names a path of somebody's machine.
//!
//! Start at [`complaints`]. Files that are not text are passed over.

use super::{crates, entries, files_below, relative};
use anyhow::Result;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Most lines of a source file.
const MOST_LINES: usize = 600;

/// Directories whose files are read, besides the crates.
const DIRECTORIES: [&str; 6] = [".cargo", ".ci", ".github", "deploy", "docs", "scenarios"];

/// Beginnings of paths that exist on one machine only, split so that this file passes.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Every source file that is too long, and every line that names a machine's path.
pub(crate) fn complaints(root: &Path) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for file in files(root)? {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let name = relative(&file, root).to_string();
        complaints.extend(too_long(&name, &text));
        complaints.extend(machine_paths(&name, &text));
    }
    Ok(complaints)
}

/// All files of the workspace that people write.
fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> =
        entries(root)?.into_iter().filter(|path| path.is_file()).collect();
    for directory in crates(root)?.into_iter().chain(DIRECTORIES.map(|name| root.join(name))) {
        files.extend(files_below(&directory)?);
    }
    Ok(files)
}

fn too_long(name: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    let is_source = Path::new(name).extension().is_some_and(|extension| extension == "rs");
    (is_source && lines > MOST_LINES)
        .then(|| format!("{name} has {lines} lines, {MOST_LINES} are allowed"))
}

fn machine_paths(name: &str, text: &str) -> Vec<String> {
    let lines = text.lines().enumerate().filter(|(_, line)| names_machine_path(line));
    lines.map(|(index, _)| format!("{name}:{} names a path of a machine", index + 1)).collect()
}

/// Tells whether a line names such a path at its top, not within an address or a longer path.
fn names_machine_path(line: &str) -> bool {
    let starts = |at: usize| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "./-_}*".contains(c))
    };
    MACHINE_PATHS.iter().any(|path| line.match_indices(path).any(|(at, _)| starts(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_from_the_top_belong_to_a_machine() {
        let check = |line: &str, expected: bool| assert_eq!(names_machine_path(line), expected);
        check(concat!("see /wo", "rk/notes"), true);
        check(concat!("\"/ho", "me/someone/x\""), true);
        check(concat!("https://example.com/wo", "rk/notes"), false);
        check("a network/path", false);
    }

    #[test]
    fn a_long_source_file_is_a_complaint_and_long_data_is_not() {
        let text = "\n".repeat(601);
        assert!(too_long("a.rs", &text).is_some());
        assert!(too_long("a.tsv", &text).is_none());
    }
}
