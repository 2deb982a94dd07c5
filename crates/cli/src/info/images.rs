//! The images that run, and in which part.

use super::{ExperimentInfo, ReplicaSetInfo, RolloutInfo};
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

/// An image that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageInfo {
    /// The image.
    pub image: String,
    /// The parts it plays, in the order shown.
    pub tags: Vec<String>,
}

/// The images of every ReplicaSet with pods, those of experiments too, by name.
pub fn images(info: &RolloutInfo) -> Vec<ImageInfo> {
    let of_experiments = info.experiments.iter().flat_map(|experiment| &experiment.replica_sets);
    collect(info.replica_sets.iter().chain(of_experiments))
}

/// The images of an experiment's ReplicaSets with pods, by name.
pub fn experiment_images(info: &ExperimentInfo) -> Vec<ImageInfo> {
    collect(info.replica_sets.iter())
}

fn collect<'a>(sets: impl Iterator<Item = &'a ReplicaSetInfo>) -> Vec<ImageInfo> {
    let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for set in sets.filter(|set| set.replicas > 0) {
        let parts = set.tags.iter().map(|tag| tag.as_str().to_owned());
        let template = set.template.as_ref().map(|template| format!("Σ:{template}"));
        let tags: Vec<String> = parts.chain(template).collect();
        for image in &set.images {
            merge(found.entry(image), &tags);
        }
    }
    found.into_iter().map(|(image, tags)| ImageInfo { image: image.to_owned(), tags }).collect()
}

/// Tags of one ReplicaSet keep their order; those of several are sorted by their words, as upstream has it.
fn merge(entry: Entry<'_, &str, Vec<String>>, tags: &[String]) {
    match entry {
        Entry::Vacant(vacant) => {
            vacant.insert(tags.to_vec());
        }
        Entry::Occupied(mut occupied) => {
            let all: BTreeSet<String> = occupied.get().iter().chain(tags).cloned().collect();
            occupied.insert(all.into_iter().collect());
        }
    }
}
