//! The images that run, and in which part.

use super::{RolloutInfo, Tag};
use std::collections::{BTreeMap, BTreeSet};

/// An image that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageInfo {
    /// The image.
    pub image: String,
    /// The parts it plays, in the order shown.
    pub tags: Vec<Tag>,
}

/// The images of every ReplicaSet with pods, by name.
pub fn images(info: &RolloutInfo) -> Vec<ImageInfo> {
    let mut found: BTreeMap<&str, Vec<Tag>> = BTreeMap::new();
    for set in info.replica_sets.iter().filter(|set| set.replicas > 0) {
        for image in &set.images {
            merge(found.entry(image), &set.tags);
        }
    }
    found.into_iter().map(|(image, tags)| ImageInfo { image: image.to_owned(), tags }).collect()
}

/// Tags of one ReplicaSet keep their order; those of several are sorted by their words, as upstream has it.
fn merge(entry: std::collections::btree_map::Entry<'_, &str, Vec<Tag>>, tags: &[Tag]) {
    match entry {
        std::collections::btree_map::Entry::Vacant(vacant) => {
            vacant.insert(tags.to_vec());
        }
        std::collections::btree_map::Entry::Occupied(mut occupied) => {
            let all: BTreeSet<Tag> = occupied.get().iter().chain(tags).copied().collect();
            let mut all: Vec<Tag> = all.into_iter().collect();
            all.sort_by_key(|tag| tag.as_str());
            occupied.insert(all);
        }
    }
}
