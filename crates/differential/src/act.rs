//! What people do to a rollout, in a random order.

use crate::{manifest::Kind, steps};
use actions::Action;
use chance::Chance;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fmt;

/// The most that is done to one rollout after it was first applied.
const MOST: usize = 6;

/// Something that is done to a rollout.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// The first version is applied.
    Apply,
    /// A button or a command.
    Press(Action),
    /// Every pod that is older than now is to be replaced.
    Restart,
    /// A merge patch of the specification.
    Edit(Value),
    /// A merge patch of another object of the case.
    Amend {
        /// Its kind.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The patch.
        patch: Value,
    },
}

impl Act {
    /// The action of a client, at this time; nothing where the specification is edited.
    pub(crate) fn action(&self, now: Timestamp) -> Option<Action> {
        match self {
            Self::Press(action) => Some(action.clone()),
            Self::Restart => {
                Some(Action::Restart { at: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string() })
            }
            Self::Apply | Self::Edit(_) | Self::Amend { .. } => None,
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply => f.write_str("apply"),
            Self::Restart => f.write_str("restart"),
            Self::Press(Action::SetImage { image, .. }) => write!(f, "image {image}"),
            Self::Press(action) => write!(f, "{action:?}"),
            Self::Edit(patch) => write!(f, "edit {patch}"),
            Self::Amend { kind, patch, .. } => write!(f, "amend {kind} {patch}"),
        }
    }
}

/// The acts of one case: the first version, a second one, and then whatever comes.
pub(crate) fn sequence(chance: &mut Chance, kind: Kind, name: &str) -> Vec<Act> {
    let mut acts = vec![Act::Apply, image("demo:2")];
    let more = 1 + chance.below(MOST - 1);
    let mut version = 2;
    for _ in 0..more {
        let act = match chance.below(100) {
            0..20 => {
                version += 1;
                image(&format!("demo:{version}"))
            }
            20..24 => image("demo:does-not-exist"),
            24..30 => image(&format!("demo:{}", 1 + chance.below(version))),
            30..48 => Act::Press(Action::Promote),
            48..57 => Act::Press(Action::PromoteFull),
            57..68 => Act::Press(Action::Abort),
            68..76 => Act::Press(Action::Retry),
            76..81 => Act::Press(Action::Undo { to_revision: None }),
            81..84 => Act::Press(Action::Pause),
            84..87 => Act::Press(Action::Resume),
            87..90 => Act::Restart,
            90..97 => Act::Edit(json!({ "replicas": chance.one([0, 1, 2, 3, 5, 6]) })),
            _ if kind == Kind::BlueGreen => {
                Act::Edit(json!({ "strategy": { "blueGreen": { "autoPromotionEnabled": false } } }))
            }
            _ => Act::Edit(
                json!({ "strategy": { "canary": { "steps": steps::steps(chance, name, kind) } } }),
            ),
        };
        acts.push(act);
    }
    acts
}

/// A version with another image.
pub(crate) fn image(image: &str) -> Act {
    Act::Press(Action::SetImage { container: "main".to_owned(), image: image.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn everything_that_people_do_comes_up() {
        let mut chance = Chance::of(5);
        let acts = (0..300).flat_map(|_| sequence(&mut chance, Kind::Canary, "x"));
        let words: BTreeSet<String> = acts
            .map(|act| act.to_string().split(' ').next().unwrap_or_default().to_owned())
            .collect();
        for word in [
            "apply",
            "image",
            "Promote",
            "PromoteFull",
            "Abort",
            "Retry",
            "Undo",
            "restart",
            "edit",
        ] {
            assert!(words.contains(word), "{word} is not among {words:?}");
        }
    }

    #[test]
    fn the_first_act_is_to_apply() {
        assert_eq!(sequence(&mut Chance::of(1), Kind::BlueGreen, "x")[0], Act::Apply);
    }
}
