//! One case: objects and what people do to them, all of it decided by a seed.

use crate::{
    act::{self, Act},
    additions,
    manifest::{self, Kind},
};
use actions::Action;
use chance::Chance;
use serde_json::Value;
use std::collections::BTreeSet;

/// The first seed with everything that is drawn; those before mean what they meant when less was.
pub const EVERYTHING_FROM: u64 = 1_000;

/// The image that every case begins with.
const FIRST_IMAGE: &str = "demo:1";

/// What is applied and done to both controllers.
#[derive(Clone, Debug)]
pub struct Case {
    /// What everything else follows from.
    pub seed: u64,
    /// The name of the Rollout, with which all other names begin.
    pub name: String,
    /// The way in which it is rolled out.
    pub kind: Kind,
    /// The objects that are applied first, the Rollout last, without a namespace.
    pub objects: Vec<Value>,
    /// What is done then.
    pub acts: Vec<Act>,
}

impl Case {
    /// The case of a seed.
    pub fn of_seed(seed: u64) -> Self {
        let mut chance = choices(seed);
        let kind = chance.one([Kind::Canary, Kind::Nginx, Kind::BlueGreen]);
        let name = format!("c{seed:05}");
        let objects = manifest::objects(&mut chance, &name, kind);
        let acts = act::sequence(&mut chance, kind, &name);
        let mut case = Self { seed, name, kind, objects, acts };
        if seed >= EVERYTHING_FROM {
            additions::add(&mut case);
        }
        case
    }

    /// Has an object applied before the Rollout.
    pub(crate) fn add_beside(&mut self, object: Value) {
        self.objects.insert(self.objects.len().saturating_sub(1), object);
    }

    /// The Rollout's specification.
    pub(crate) fn spec_mut(&mut self) -> &mut Value {
        let last = self.objects.len().saturating_sub(1);
        &mut self.objects[last]["spec"]
    }

    /// The fields of its strategy.
    pub(crate) fn strategy_mut(&mut self) -> &mut Value {
        let kind = self.strategy();
        &mut self.spec_mut()["strategy"][kind]
    }

    fn strategy(&self) -> &'static str {
        if self.kind == Kind::BlueGreen { "blueGreen" } else { "canary" }
    }

    /// A field of its strategy.
    pub(crate) fn of_strategy(&self, field: &str) -> &Value {
        &self.rollout()["spec"]["strategy"][self.strategy()][field]
    }

    /// Whether somebody gives it a strategy.
    pub(crate) fn is_given(&self, strategy: &str) -> bool {
        let gives = |patch: &Value| patch["strategy"][strategy].is_object();
        self.acts.iter().any(|act| matches!(act, Act::Edit(patch) if gives(patch)))
    }

    /// Whether somebody takes a former version back.
    pub(crate) fn goes_back(&self) -> bool {
        self.acts.iter().any(|act| matches!(act, Act::Press(Action::Undo { .. })))
    }

    /// Whether somebody asks for a version that there was before.
    pub(crate) fn asks_for_a_former_version(&self) -> bool {
        let image = |act: &Act| match act {
            Act::Press(Action::SetImage { image, .. }) => Some(image.clone()),
            Act::Apply | Act::Press(_) | Act::Restart | Act::Edit(_) | Act::Amend { .. } => None,
        };
        let mut asked = BTreeSet::from([FIRST_IMAGE.to_owned()]);
        let mut images = self.acts.iter().filter_map(image);
        self.goes_back() || images.any(|image| !asked.insert(image))
    }

    /// Whether somebody exchanges the services that it names.
    pub(crate) fn names_other_services(&self) -> bool {
        let names =
            |act: &Act| matches!(act, Act::Edit(patch) if patch.to_string().contains("Service\":"));
        self.acts.iter().any(names)
    }

    /// The Rollout.
    pub fn rollout(&self) -> &Value {
        self.objects.last().unwrap_or(&Value::Null)
    }
}

/// What a seed decides; the seeds next to it decide otherwise from the first choice on.
fn choices(seed: u64) -> Chance {
    Chance::of(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xd1b5_4a32_d192_ed03)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_makes_the_same_case() {
        let text = |seed| format!("{:?}", Case::of_seed(seed));
        assert_eq!(text(42), text(42));
        assert_ne!(text(42), text(43));
    }

    #[test]
    fn the_first_seeds_mean_what_they_always_meant() {
        let mut text = String::new();
        for case in (0..200).map(Case::of_seed) {
            let lines = case.acts.iter().map(ToString::to_string);
            let lines = std::iter::once(case.rollout()["spec"].to_string()).chain(lines);
            lines.for_each(|line| text.push_str(&(line + "\n")));
        }
        assert_eq!(Chance::named(0, &text).bits(), 16_159_281_285_114_096_267);
    }

    #[test]
    fn all_ways_of_rolling_out_are_among_a_few_seeds() {
        let kinds: BTreeSet<_> =
            (0..30).map(|seed| format!("{:?}", Case::of_seed(seed).kind)).collect();
        assert_eq!(kinds.len(), 3);
    }

    #[test]
    fn names_of_a_case_begin_with_the_name_of_its_rollout() {
        for seed in 0..100 {
            let case = Case::of_seed(seed);
            let names = case.objects.iter().map(|object| object["metadata"]["name"].as_str());
            assert!(names.flatten().all(|name| name.starts_with(&case.name)), "seed {seed}");
            assert_eq!(case.rollout()["kind"], "Rollout");
        }
    }
}
