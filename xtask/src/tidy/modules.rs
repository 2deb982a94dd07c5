//! Every source file is compiled: a file that no `mod` names is dead.
//!
//! Start at [`complaints`]. Modules within inline modules are not followed.

use super::{crates, entries, files_below, read, relative};
use anyhow::Result;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Files that a crate starts from.
const ROOTS: [&str; 2] = ["lib.rs", "main.rs"];

/// Every source file that no module reaches.
pub(crate) fn complaints(root: &Path) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for directory in crates(root)? {
        let sources = directory.join("src");
        let reached = reached(&sources)?;
        let files = files_below(&sources)?;
        let dead = files.iter().filter(|file| is_rust(file) && !reached.contains(*file));
        complaints.extend(dead.map(|file| format!("no module names {}", relative(file, root))));
    }
    Ok(complaints)
}

fn is_rust(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "rs")
}

/// The files that the roots of a crate reach.
fn reached(sources: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut waiting: Vec<PathBuf> = ROOTS.iter().map(|name| sources.join(name)).collect();
    if sources.join("bin").is_dir() {
        waiting.extend(entries(&sources.join("bin"))?);
    }
    let mut reached = BTreeSet::new();
    while let Some(file) = waiting.pop() {
        if file.is_file() && reached.insert(file.clone()) {
            let home = home_of_modules(&file, sources);
            let text = read(&file)?;
            let beside = file.parent().unwrap_or(sources);
            waiting.extend(text.lines().filter_map(path_named).map(|path| beside.join(path)));
            for name in text.lines().filter_map(module_named) {
                waiting.extend([home.join(format!("{name}.rs")), home.join(name).join("mod.rs")]);
            }
        }
    }
    Ok(reached)
}

/// The directory in which a file's modules live.
fn home_of_modules(file: &Path, sources: &Path) -> PathBuf {
    let is_root = ROOTS.iter().any(|name| file == sources.join(name));
    if is_root || file.ends_with("mod.rs") {
        file.parent().map(Path::to_path_buf).unwrap_or_default()
    } else {
        file.with_extension("")
    }
}

/// The name in a line such as `pub(crate) mod name;`.
fn module_named(line: &str) -> Option<&str> {
    let (before, name) = line.trim().strip_suffix(';')?.split_once("mod ")?;
    let visibility = before.trim();
    (visibility.is_empty() || visibility.starts_with("pub")).then_some(name)
}

/// The path in a line such as `#[path = "name.rs"]`.
fn path_named(line: &str) -> Option<&str> {
    line.trim().strip_prefix("#[path = \"")?.strip_suffix("\"]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_elsewhere_is_found_by_its_path() {
        assert_eq!(path_named("#[path = \"a_tests.rs\"]"), Some("a_tests.rs"));
        assert_eq!(path_named("mod a;"), None);
    }

    #[test]
    fn a_module_is_found_whatever_its_visibility() {
        let check = |line: &str, expected: Option<&str>| assert_eq!(module_named(line), expected);
        check("mod a;", Some("a"));
        check("pub mod a;", Some("a"));
        check("    pub(crate) mod a;", Some("a"));
        check("mod tests {", None);
        check("// mod a;", None);
    }
}
