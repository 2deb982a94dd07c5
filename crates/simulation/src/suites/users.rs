//! T11: somebody does something after a line where the script does not have it.

use super::{Case, Runs, Suite, demands};
use crate::{divergence::Divergence, examine::Against, run::Reference, story::Story};
use chance::Chance;
use rehearsal::{
    Conditions, Refusals,
    script::{Command, Line, parse},
};

/// What people do.
const ACTIONS: [(&str, &str); 14] = [
    ("abort", "abort"),
    ("retry", "retry"),
    ("promote", "promote"),
    ("promote-full", "promote --full"),
    ("pause", "pause"),
    ("resume", "resume"),
    ("restart", "restart"),
    ("undo", "undo"),
    ("new-image", "set image *=argoproj/rollouts-demo:purple"),
    ("old-image", "set image *=argoproj/rollouts-demo:blue"),
    ("grow", "scale 9"),
    ("shrink", "scale 1"),
    ("vanish", "scale 0"),
    ("lose-pod", "lose stable pod"),
];
/// Those that may leave users without a pod.
const TAKES_PODS: [&str; 2] = ["vanish", "lose-pod"];
/// Stories in which what somebody begins or stops at the end keeps the controller at work for hours.
const BUSY: [(&str, &str); 2] = [
    ("a-day-of-hourly-steps", "a release that begins at its end takes another day"),
    (
        "fault-ends-and-retry-succeeds",
        "a release that is stopped is judged every minute all the same",
    ),
];
/// How many pairs are made up for each story.
const PAIRS: usize = 30;

/// Each action after each line, and some pairs of them.
pub(super) const USERS: Suite = Suite {
    name: "T11",
    about: "somebody does something after a line of the script, or two things after two lines",
    cases,
    runs: Runs { ci: 50, whole: 450 },
};

fn cases(story: &Story, _: &Reference, seed: u64) -> Vec<Case> {
    let lines = &story.play.lines;
    let Some(first) = lines.iter().position(|line| matches!(line.command, Command::Apply(_)))
    else {
        return Vec::new();
    };
    let mut cases = Vec::new();
    for after in first..lines.len() {
        for (word, text) in ACTIONS {
            let name = format!("{word}-after-{}", lines[after].number);
            let case = case(name, lines, &[(after, text)]);
            let takes_pods = TAKES_PODS.contains(&word) || (word == "shrink" && loses_pods(lines));
            cases.extend(case.map(|case| {
                if takes_pods { case } else { case.demanding(demands::serves_everybody()) }
            }));
        }
    }
    cases.extend(pairs(story, lines, first, seed));
    if BUSY.iter().any(|(busy, _)| story.name.starts_with(busy)) {
        for case in &mut cases {
            case.excuse = Some(goes_on);
        }
    }
    cases
}

/// Two things at two lines after the `first`, drawn by lot.
fn pairs(story: &Story, lines: &[Line], first: usize, seed: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut chance = Chance::named(seed, &story.name);
    for number in 1..=PAIRS {
        let mut draw =
            || Some((first + chance.below(lines.len() - first), chance.pick(&ACTIONS).copied()?));
        let (Some(one), Some(other)) = (draw(), draw()) else { continue };
        let name = format!("pair-{number}-{}-{}", one.1.0, other.1.0);
        cases.extend(case(name, lines, &[(one.0, one.1.1), (other.0, other.1.1)]));
    }
    cases
}

fn goes_on(divergence: &Divergence) -> bool {
    matches!(divergence, Divergence::Breach { invariant: "I10", found, .. }
        if found.contains(" writes long after the end"))
}

/// Whether a script takes pods away itself; from a version of one pod that is all.
fn loses_pods(lines: &[Line]) -> bool {
    lines.iter().any(|line| matches!(line.command, Command::LosePod(_)))
}

/// A script with lines put in; `None` when an action is not a line.
fn case(name: String, lines: &[Line], inserted: &[(usize, &str)]) -> Option<Case> {
    let mut script = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        script.push(line.clone());
        for (_, text) in inserted.iter().filter(|(after, _)| *after == index) {
            script.extend(parse("inserted", text).ok()?);
        }
    }
    let conditions = Conditions { refusals: Refusals::PassOver, ..Conditions::default() };
    let case = Case::new(name, conditions, Against::InvariantsOnly);
    Some(Case { lines: Some(script), ..case.demanding(demands::settles()) })
}
