//! Random steps of a canary.

use crate::manifest::Kind;
use chance::Chance;
use serde_json::{Value, json};

/// The longest list of steps.
const LONGEST: usize = 6;

/// Some steps, perhaps none.
pub(crate) fn steps(chance: &mut Chance, name: &str, kind: Kind) -> Value {
    let count = chance.below(LONGEST + 1);
    Value::Array((0..count).map(|_| step(chance, name, kind)).collect())
}

fn step(chance: &mut Chance, name: &str, kind: Kind) -> Value {
    match chance.below(100) {
        0..42 => {
            json!({ "setWeight": chance.one([0, 5, 10, 20, 25, 33, 40, 50, 60, 75, 90, 100]) })
        }
        42..72 => pause(chance),
        72..87 => analysed(chance, name),
        _ if kind == Kind::Nginx || chance.percent(5) => scale(chance),
        _ => json!({ "setWeight": chance.one([10, 30, 50, 80]) }),
    }
}

fn pause(chance: &mut Chance) -> Value {
    let for_ever = json!({});
    let short = json!({ "duration": 1 });
    let spelled = json!({ "duration": "1s" });
    let long = json!({ "duration": "1h" });
    json!({ "pause": chance.one([for_ever.clone(), for_ever, short, spelled, long]) })
}

/// What runs the template that ends so.
pub(crate) fn analysis(name: &str, verdict: &str) -> Value {
    json!({ "templates": [{ "templateName": format!("{name}-{verdict}") }] })
}

fn analysed(chance: &mut Chance, name: &str) -> Value {
    let verdict = chance.one(["good", "good", "good-often", "bad", "unclear", "endless"]);
    json!({ "analysis": analysis(name, verdict) })
}

fn scale(chance: &mut Chance) -> Value {
    json!({ "setCanaryScale": chance.one([
        json!({ "replicas": 1 }),
        json!({ "replicas": 3 }),
        json!({ "weight": 25 }),
        json!({ "weight": 100 }),
        json!({ "matchTrafficWeight": true }),
    ]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_step_comes_up() {
        let mut chance = Chance::of(3);
        let text: String =
            (0..100).map(|_| steps(&mut chance, "x", Kind::Nginx).to_string()).collect();
        for word in ["setWeight", "pause", "analysis", "setCanaryScale", "matchTrafficWeight"] {
            assert!(text.contains(word), "{word}");
        }
    }
}
