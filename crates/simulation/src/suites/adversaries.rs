//! T10: others act on the same objects.

use super::{Case, Excuse, LONG_PATIENCE, Runs, Suite, actors, demands};
use crate::{divergence::Divergence, examine::Against, run::Reference, story::Story};
use rehearsal::{Companion, Conditions, Refusals};
use std::time::Duration;

/// How many times, and with what pauses in seconds, others act.
const PACES: [(usize, u64); 3] = [(2, 30), (6, 13), (15, 7)];

/// A story in which a restart changes the weights in the middle of a fight over them; whoever is fought with
/// meanwhile begins anew to be patient.
const RESTARTED: &str = "argo_4221";

/// An autoscaler that oscillates, a deployer that reverts what we write, pods that are lost or evicted,
/// and somebody who annotates our replica sets.
pub(super) const ADVERSARIES: Suite = Suite {
    name: "T10",
    about: "others scale, revert, evict, delete and annotate while a release goes on",
    cases,
    runs: Runs { ci: 25, whole: 220 },
};

fn cases(story: &Story, _: &Reference, _: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    for (times, seconds) in PACES {
        let every = Duration::from_secs(seconds);
        let gentle: [(&str, Companion); 3] = [
            ("annotates", actors::annotates(times, every)),
            ("loses-pods", actors::loses_pods(times, every)),
            ("evicts-pods", actors::evicts_pods(times, every)),
        ];
        for (word, companion) in gentle {
            let case = case(format!("{word}-{times}"), companion);
            let is_harmless = word == "annotates";
            cases.push(if is_harmless {
                case.demanding(demands::serves_everybody())
            } else {
                case
            });
        }
        let rude: [(&str, Companion); 3] = [
            ("scales", actors::scales(times, every)),
            ("reverts-services", actors::reverts_services(times, every)),
            ("reverts-routes", actors::reverts_routes(times, every)),
        ];
        for (word, companion) in rude {
            let case = case(format!("{word}-{times}"), companion);
            let restarts = word == "reverts-routes" && story.name.starts_with(RESTARTED);
            cases.push(Case { excuse: restarts.then_some(is_drawn_out as Excuse), ..case });
        }
    }
    cases
}

fn is_drawn_out(divergence: &Divergence) -> bool {
    matches!(divergence, Divergence::Breach { invariant: "I12", found, .. }
        if found == "web is fought over")
}

fn case(name: String, companion: Companion) -> Case {
    let conditions = Conditions {
        companions: vec![companion],
        patience: LONG_PATIENCE,
        refusals: Refusals::PassOver,
        ..Conditions::default()
    };
    Case::new(name, conditions, Against::InvariantsOnly).demanding(demands::settles())
}
