//! Specifications that are wrong and are mended, and strategies that are exchanged.

use crate::{
    act::{Act, image},
    case::Case,
    manifest::Kind,
    steps,
};
use actions::Action;
use chance::Chance;
use serde_json::{Value, json};

/// A patch that makes a specification wrong, and one that mends it.
struct Mistake {
    made: Value,
    mended: Value,
}

/// Gives a case mistakes and another strategy, at times.
pub(crate) fn add(chance: &mut Chance, case: &mut Case) {
    if chance.percent(25) {
        let steps = steps::steps(chance, &case.name, case.kind);
        let mut mistakes = of_all();
        mistakes.extend(match case.kind {
            Kind::BlueGreen => of_blue_green(&case.name),
            Kind::Canary | Kind::Nginx => of_canary(&case.name, &steps),
        });
        let mistake = mistakes.swap_remove(chance.below(mistakes.len()));
        let made = 1 + chance.below(case.acts.len());
        let mended = made + 1 + chance.below(2).min(case.acts.len() - made);
        case.acts.insert(made, Act::Edit(mistake.made));
        case.acts.insert(mended, Act::Edit(mistake.mended));
    }
    if chance.percent(12) {
        let patch = exchange(chance, case);
        let place = 1 + chance.below(case.acts.len());
        case.acts.insert(place, Act::Edit(patch));
        let after = chance.one([image("demo:9"), image("demo:9"), Act::Press(Action::PromoteFull)]);
        case.acts.insert(place + 1, after);
    }
}

/// The other strategy in place of the one there is.
fn exchange(chance: &mut Chance, case: &Case) -> Value {
    let (one, two) = (format!("{}-one", case.name), format!("{}-two", case.name));
    if case.kind == Kind::BlueGreen {
        let steps = json!([{ "setWeight": 50 }, { "pause": {} }]);
        let mut canary = json!({ "steps": steps });
        if chance.percent(50) {
            canary["stableService"] = json!(one);
            canary["canaryService"] = json!(two);
        }
        return json!({ "strategy": { "blueGreen": null, "canary": canary } });
    }
    let automatic = chance.percent(50);
    let blue_green = json!({
        "activeService": one,
        "previewService": two,
        "autoPromotionEnabled": automatic,
        "scaleDownDelaySeconds": 1,
    });
    json!({ "strategy": { "canary": null, "blueGreen": blue_green } })
}

fn of_all() -> Vec<Mistake> {
    let restart = |policy: Value| json!({ "template": { "spec": { "restartPolicy": policy } } });
    vec![
        Mistake {
            made: json!({ "minReadySeconds": 2000 }),
            mended: json!({ "minReadySeconds": null }),
        },
        Mistake { made: restart(json!("Never")), mended: restart(Value::Null) },
    ]
}

fn of_blue_green(name: &str) -> Vec<Mistake> {
    let of = |fields: Value| json!({ "strategy": { "blueGreen": fields } });
    let service = |name: &str| of(json!({ "activeService": name }));
    let (one, two) = (format!("{name}-one"), format!("{name}-two"));
    let missing = json!({ "templates": [{ "templateName": format!("{name}-missing") }] });
    vec![
        Mistake {
            made: of(json!({ "previewService": one })),
            mended: of(json!({ "previewService": two })),
        },
        Mistake { made: service(&format!("{name}-missing")), mended: service(&one) },
        Mistake {
            made: of(json!({ "prePromotionAnalysis": missing })),
            mended: of(json!({ "prePromotionAnalysis": null })),
        },
        Mistake {
            made: of(json!({ "scaleDownDelayRevisionLimit": 20 })),
            mended: of(json!({ "scaleDownDelayRevisionLimit": null })),
        },
        Mistake {
            made: json!({ "strategy": { "canary": {} } }),
            mended: json!({ "strategy": { "canary": null } }),
        },
    ]
}

fn of_canary(name: &str, steps: &Value) -> Vec<Mistake> {
    let of = |fields: Value| json!({ "strategy": { "canary": fields } });
    let (one, two) = (format!("{name}-one"), format!("{name}-two"));
    let services = |stable: &str| of(json!({ "stableService": stable, "canaryService": two }));
    let step = |step: Value| Mistake {
        made: of(json!({ "steps": [step] })),
        mended: of(json!({ "steps": steps })),
    };
    let missing = json!({ "templates": [{ "templateName": format!("{name}-missing") }] });
    let unknown = json!({ "name": "answer", "valueFrom": { "fieldRef": { "fieldPath": "metadata.nothing" } } });
    vec![
        Mistake { made: services(&two), mended: services(&one) },
        Mistake { made: services(&format!("{name}-missing")), mended: services(&one) },
        Mistake {
            made: of(json!({ "maxSurge": 0, "maxUnavailable": "0%" })),
            mended: of(json!({ "maxSurge": 1, "maxUnavailable": 0 })),
        },
        Mistake {
            made: of(json!({ "dynamicStableScale": true, "scaleDownDelaySeconds": 5 })),
            mended: of(json!({ "dynamicStableScale": null, "scaleDownDelaySeconds": null })),
        },
        step(json!({ "setWeight": 1001 })),
        step(json!({ "setWeight": 10, "pause": {} })),
        step(json!({ "pause": { "duration": "soon" } })),
        step(json!({})),
        step(json!({ "analysis": missing })),
        step(
            json!({ "analysis": { "templates": [{ "templateName": format!("{name}-asked") }], "args": [unknown] } }),
        ),
        step(
            json!({ "setHeaderRoute": { "name": "route", "match": [{ "headerName": "a", "headerValue": { "exact": "b" } }] } }),
        ),
    ]
}
