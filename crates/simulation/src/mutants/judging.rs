//! Bugs of analysis.

use super::{
    Mutant,
    bent::{judge, seeing, stated, with, without},
    bug, misjudging,
};
use api::argo::AnalysisPhase;
use plan::{
    analysis_run::{AnalysisPlan, SecretRead},
    rollout::{Observed, plan},
};
use serde_json::{Value, json};
use std::sync::Arc;
use vocab::{Reply, Write};

pub(super) const MUTANTS: &[Mutant] = &[
    misjudging(
        "flagger_191_an_outage_counts_as_a_failure",
        "a provider that cannot be reached has measured nothing but errors",
        &["metric-outage-holds", "metric-outage-is-bounded"],
        |seen, answers, now| {
            let bent = answers.iter().cloned();
            let bent = bent.map(|(call, reply)| (call, reply.or_else(|_| Ok(number("0")))));
            judge(seen, &bent.collect::<Vec<_>>(), now)
        },
    ),
    misjudging(
        "flagger_1581_nothing_measured_counts_as_a_success",
        "an empty result passes",
        &["no-traffic-is-inconclusive", "flagger_883"],
        |seen, answers, now| {
            let filled = answers.iter().cloned().map(|(call, reply)| {
                let empty = reply.as_ref().is_ok_and(|reply| is_empty(&reply.body));
                (call, if empty { Ok(number("1")) } else { reply })
            });
            judge(seen, &filled.collect::<Vec<_>>(), now)
        },
    ),
    misjudging(
        "argo_4770_an_error_counts_as_a_success",
        "a measurement that could not be taken passes",
        &["metric-outage-is-bounded", "metric-outage-holds", "web-provider"],
        |seen, answers, now| relabelled(judge(seen, answers, now), "Error", "Successful"),
    ),
    misjudging(
        "argo_4692_missing_data_counts_as_a_failure",
        "an inconclusive measurement fails",
        &["no-traffic-is-inconclusive", "flagger_883"],
        |seen, answers, now| relabelled(judge(seen, answers, now), "Inconclusive", "Failed"),
    ),
    misjudging(
        "secrets_stand_in_the_status",
        "a token that a metric needs is written into the run's message",
        &["a-token-stays-secret"],
        |seen, answers, now| {
            let secret = seen.secrets.values().find_map(|found| match found {
                SecretRead::Value(value) => Some(value.clone()),
                SecretRead::NoSecret | SecretRead::NoKey | SecretRead::Refused(_) => None,
            });
            let mut planned = judge(seen, answers, now);
            planned.plan = match secret {
                Some(secret) => in_any_patch(planned.plan, &secret),
                None => planned.plan,
            };
            planned
        },
    ),
    bug(
        "argo_3850_an_inconclusive_run_promotes",
        "an inconclusive run counts as a successful one",
        &["argo_3850", "no-traffic-is-inconclusive"],
        |seen, now| {
            with(seen, now, |seen| {
                rephased(seen, AnalysisPhase::Inconclusive, AnalysisPhase::Successful);
            })
        },
    ),
    bug(
        "argo_1411_a_failed_analysis_does_not_stop",
        "a failed run counts as one that goes on",
        &["errors-caught-inline", "argo_1411", "errors-caught-in-the-background"],
        |seen, now| {
            with(seen, now, |seen| rephased(seen, AnalysisPhase::Failed, AnalysisPhase::Running))
        },
    ),
    bug(
        "argo_1411_a_failed_analysis_passes",
        "a failed run counts as a successful one",
        &["errors-caught-inline"],
        |seen, now| {
            with(seen, now, |seen| rephased(seen, AnalysisPhase::Failed, AnalysisPhase::Successful))
        },
    ),
    bug(
        "argo_243_runs_are_made_again_and_again",
        "runs get names by chance, and those not seen yet are made again",
        &["argo_243", "good-release-passes-inline"],
        |seen, now| {
            let mut planned = with(seen, now, |seen| seen.analysis_runs.clear());
            for write in &mut planned.writes {
                if let Write::Create { object } = write
                    && object["kind"] == "AnalysisRun"
                {
                    let name = format!(
                        "{}-{}",
                        object["metadata"]["name"].as_str().unwrap_or_default(),
                        now.as_second()
                    );
                    object["metadata"]["name"] = name.into();
                }
            }
            planned
        },
    ),
    bug(
        "argo_1372_an_overtaken_analysis_goes_on",
        "runs are never told to end",
        &["argo_1372", "argo_3220", "new-image-in-the-middle"],
        |seen, now| {
            without(
                plan(seen, now),
                |write| matches!(write, Write::Patch { target, .. } if target.kind == "AnalysisRun"),
            )
        },
    ),
    bug(
        "argo_2824_a_retry_is_not_judged_anew",
        "a retry takes the verdict from before",
        &["argo_2824", "fault-ends-and-retry"],
        |seen, now| {
            seeing(seen, now, |rollout| {
                if rollout["status"]["abort"] != true {
                    rollout["status"]["abortedAt"] = Value::Null;
                }
            })
        },
    ),
    bug(
        "argo_990_a_verdict_is_not_waited_for",
        "a step is done as soon as its run was made",
        &["good-release-passes-inline", "errors-caught-inline"],
        |seen, now| {
            with(seen, now, |seen| {
                rephased(seen, AnalysisPhase::Running, AnalysisPhase::Successful);
            })
        },
    ),
    bug(
        "argo_1107_the_phase_of_a_run_is_forgotten",
        "the status never says which run judges",
        &["good-release-passes-inline", "errors-caught-in-the-background"],
        |seen, now| {
            stated(plan(seen, now), |status| {
                if let Some(canary) = status["canary"].as_object_mut() {
                    canary.remove("currentStepAnalysisRunStatus");
                    canary.remove("currentBackgroundAnalysisRunStatus");
                }
            })
        },
    ),
];

fn number(value: &str) -> Reply {
    let result = json!([{"metric": {}, "value": [0, value]}]);
    let body = json!({"status": "success", "data": {"resultType": "vector", "result": result}});
    Reply {
        status: 200,
        headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
        body: body.to_string().into_bytes(),
    }
}

fn is_empty(body: &[u8]) -> bool {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let result = &said["data"]["result"];
    let nothing = result[0]["value"][1] == "NaN";
    nothing || result.as_array().is_some_and(Vec::is_empty)
}

/// Changes the phase of measurements and metrics in what is written of a run.
fn relabelled(mut planned: AnalysisPlan, from: &str, to: &str) -> AnalysisPlan {
    let writes = planned.plan.writes.iter_mut().chain(planned.plan.status.as_mut());
    for write in writes {
        let Write::Patch { body, .. } = write else { continue };
        relabel(body, from, to);
    }
    planned
}

fn relabel(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::Array(parts) => {
            for part in parts {
                relabel(part, from, to);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if name == "phase" && *value == from {
                    *value = to.into();
                } else {
                    relabel(value, from, to);
                }
            }
        }
        _ => {}
    }
}

fn in_any_patch(mut planned: vocab::Plan, text: &str) -> vocab::Plan {
    for write in planned.writes.iter_mut().chain(planned.status.as_mut()) {
        if let Write::Patch { body, .. } = write
            && body["status"].is_object()
        {
            body["status"]["message"] = format!("asked with {text}").into();
        }
    }
    planned
}

fn rephased(seen: &mut Observed, from: AnalysisPhase, to: AnalysisPhase) {
    for status in seen.analysis_runs.iter_mut().filter_map(|run| Arc::make_mut(run).status.as_mut())
    {
        if status.phase == from {
            status.phase = to;
        }
    }
}
