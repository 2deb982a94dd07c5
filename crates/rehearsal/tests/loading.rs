//! Broken files: every message names the place and the way out.

use rehearsal::{LoadFailed, load};
use std::{fs, path::PathBuf};

/// A folder of its own for each test, gone when it is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("tests may write to their own folder");
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("tests may write to their own folder");
        path
    }

    /// The error's words without the folder's name.
    fn words(&self, error: &LoadFailed) -> String {
        error.to_string().replace(&format!("{}/", self.0.display()), "")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_broken_line_of_a_script_is_named_at_once() {
    let folder = Folder::new("broken-script");
    let script =
        folder.file("a.scenario", "traffic lots\nadvance 5m\nexpect luck\nfault errors=200%\n");
    let error = load(&[], Some(&script), 1).unwrap_err();
    let words = folder.words(&error);
    let places: Vec<&str> = words.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(places, ["a.scenario:1:9", "a.scenario:3:8", "a.scenario:4:7"]);
}

#[test]
fn a_broken_line_of_a_manifest_is_named() {
    let folder = Folder::new("broken-manifest");
    let manifest = folder.file("a.yaml", "kind: Rollout\nmetadata:\n  name: [web\n");
    let error = load(&[manifest], None, 1).unwrap_err();
    let words = folder.words(&error);
    assert!(
        words.starts_with("a.yaml:") && words.split(':').nth(1).unwrap().parse::<u32>().is_ok(),
        "{words}"
    );
}

#[test]
fn a_broken_manifest_inside_a_script_is_named_where_it_stands_in_the_script() {
    let folder = Folder::new("broken-inline");
    let text = "traffic 5\napply <<END\nkind: Service\nmetadata: }\nEND\n";
    let script = folder.file("a.scenario", text);
    let words = folder.words(&load(&[], Some(&script), 1).unwrap_err());
    assert!(words.starts_with("a.scenario:4:"), "{words}");
}

#[test]
fn files_that_are_not_there_are_named() {
    let folder = Folder::new("absent");
    let script = folder.file("a.scenario", "apply nowhere.yaml\n");
    let words = folder.words(&load(&[], Some(&script), 1).unwrap_err());
    assert_eq!(words, "a.scenario:1:7: nowhere.yaml cannot be read");
    let words = folder.words(&load(&[folder.0.join("b.yaml")], None, 1).unwrap_err());
    assert_eq!(words, "b.yaml cannot be read");
}

#[test]
fn a_folder_stands_for_the_manifests_in_it() {
    let folder = Folder::new("folder");
    let rollout = "kind: Rollout\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: web, image: a}]}}}\n";
    folder.file("b.yaml", rollout);
    folder.file("a.yml", "kind: Service\n");
    folder.file("README.md", "no manifest");
    let play = load(std::slice::from_ref(&folder.0), None, 1).unwrap();
    let names: Vec<_> = play.files.keys().filter_map(|name| name.rsplit('/').next()).collect();
    assert_eq!(names, ["a.yml", "b.yaml"]);
    let empty = Folder::new("empty");
    let error = load(std::slice::from_ref(&empty.0), None, 1).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("has no manifest in it; their names end in .yaml, .yml or .json")
    );
}
