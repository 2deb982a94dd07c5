//! What holds of every provider; in the modules, what each makes of its service's answers.

#[cfg(test)]
mod cloud_watch;
#[cfg(test)]
mod compare;
#[cfg(test)]
mod compare_latency;
#[cfg(test)]
mod compare_logs;
#[cfg(test)]
mod compare_no_data;
#[cfg(test)]
mod compare_quantile;
#[cfg(test)]
mod datadog;
#[cfg(test)]
mod graphite;
#[cfg(test)]
mod influxdb;
#[cfg(test)]
mod kayenta;
#[cfg(test)]
mod new_relic;
#[cfg(test)]
mod prometheus;
#[cfg(test)]
mod skywalking;
#[cfg(test)]
mod support;
#[cfg(test)]
mod wavefront;
#[cfg(test)]
mod web;

use providers::{Exposure, MeasuredValue, PROVIDERS, Provider, Source, VARIABLES, by_name};
use serde_json::{Value, json};
use support::{HIDDEN, NOW, Stage, body, play, reply, working};
use vocab::{Exchange, Reply, ReplyError};

/// The providers that sign in with a password or a token of their metric's.
fn with_authentication() -> impl Iterator<Item = &'static dyn Provider> {
    PROVIDERS.iter().copied().filter(|it| matches!(it.name(), "prometheus" | "web"))
}

#[test]
fn providers_are_in_alphabetical_order_and_found_by_name() {
    let names: Vec<&str> = PROVIDERS.iter().map(|provider| provider.name()).collect();
    assert!(names.is_sorted(), "{names:?}");
    assert!(names.iter().all(|name| by_name(name).is_some()));
    assert!(by_name("none").is_none());
}

#[test]
fn a_working_configuration_has_no_problems_and_makes_a_bounded_call() {
    for provider in PROVIDERS {
        assert_eq!(provider.validate(&working(*provider)), [], "{}", provider.name());
        let stage = Stage::of(*provider);
        let (call, _) = stage.first_call();
        assert!(!call.timeout.is_zero() && !call.insecure);
        assert_eq!(stage.first_call(), stage.first_call());
    }
}

#[test]
fn a_broken_configuration_is_an_error_and_never_a_panic() {
    for provider in PROVIDERS {
        for config in [
            json!(null),
            json!([]),
            json!("x"),
            json!({}),
            json!({"timeout": "x", "timeoutSeconds": []}),
        ] {
            assert!(!provider.validate(&config).is_empty(), "{} took {config}", provider.name());
            let stage = Stage::new(provider.name(), &config);
            assert!(matches!(provider.start(&stage.asked(), NOW), Exchange::Done(Err(_))));
            let (_, kept) = Stage::of(*provider).first_call();
            let resumed = provider.resume(&stage.asked(), &kept, Ok(reply(200, "{}")), NOW);
            assert!(matches!(resumed, Exchange::Done(Err(_))));
        }
    }
}

#[test]
fn a_service_that_does_not_answer_is_an_error_in_its_words() {
    let url = || "http://x".to_owned();
    for provider in PROVIDERS {
        let stage = Stage::of(*provider);
        let (_, kept) = stage.first_call();
        for error in [
            ReplyError::Unreachable { url: url(), cause: "connection refused".to_owned() },
            ReplyError::TimedOut { url: url(), seconds: 30 },
            ReplyError::TooLong { url: url(), limit: 1 },
        ] {
            let turn = provider.resume(&stage.asked(), &kept, Err(error.clone()), NOW);
            let Exchange::Done(Err(got)) = turn else { panic!("{turn:?}") };
            assert!(got.message.ends_with(&error.to_string()), "{got}");
        }
    }
}

#[test]
fn an_answer_that_is_no_success_is_an_error() {
    for provider in PROVIDERS {
        for status in [100, 204, 301, 302, 400, 401, 403, 404, 429, 500, 503] {
            // One that is asked again in another way gets the same answer.
            let answers = [reply(status, "<html>"), reply(status, "<html>")];
            let (_, outcome) = Stage::of(*provider).play(&answers);
            // An empty or textual answer is a value to `web` alone, and only with a 2xx.
            let textual = provider.name() == "web" && status == 204;
            assert_eq!(outcome.is_err(), !textual, "{} took {status}", provider.name());
        }
    }
}

/// Answers with 200 that say nothing, or nonsense.
fn nonsense() -> Vec<Reply> {
    let deep = "[".repeat(5_000);
    let bodies = [
        "",
        "<html>",
        "{",
        "null",
        "[]",
        "{}",
        "1",
        "\"x\"",
        "[1]",
        "[null]",
        "[[]]",
        "\u{0}",
        r#"{"data":null}"#,
        r#"{"data":{}}"#,
        r#"{"data":[]}"#,
        r#"{"data":{"attributes":null}}"#,
        r#"{"series":null}"#,
        r#"{"series":[{}]}"#,
        r#"{"timeseries":[{"data":[]}]}"#,
        r#"{"timeseries":[{"data":[[1,null]]}]}"#,
        r#"[{"datapoints":null}]"#,
        r#"{"MetricDataResults":null}"#,
        "#datatype,string\n#group,false\n",
        &deep,
    ];
    let mut replies: Vec<Reply> = bodies.iter().map(|body| reply(200, body)).collect();
    replies.push(Reply { body: vec![0xff, 0xfe, b'{'], ..reply(200, "") });
    replies
}

#[test]
fn nonsense_is_an_error_or_no_data_and_never_a_number() {
    for provider in PROVIDERS.iter().filter(|provider| provider.name() != "web") {
        for answer in nonsense() {
            let shown = String::from_utf8_lossy(&answer.body).chars().take(40).collect::<String>();
            let (_, outcome) = Stage::of(*provider).play(&[answer]);
            let Ok(measured) = outcome else { continue };
            let is_nothing = match &measured.result {
                MeasuredValue::Number(_) => false,
                MeasuredValue::Numbers(numbers) => numbers.is_empty(),
                MeasuredValue::Json(json) => {
                    json.is_null() || json == &json!([]) || provider.name() == "skywalking"
                }
            };
            assert!(is_nothing, "{} made {measured:?} of {shown}", provider.name());
        }
    }
}

#[test]
fn a_foreign_state_is_an_error() {
    for provider in PROVIDERS {
        let stage = Stage::of(*provider);
        let kept = json!({"foreign": 1});
        let turn = provider.resume(&stage.asked(), &kept, Ok(reply(200, "{}")), NOW);
        assert!(matches!(turn, Exchange::Done(Err(_))));
    }
}

#[test]
fn what_providers_ask_of_the_environment_is_known() {
    for provider in PROVIDERS {
        for wanted in provider.credentials(&working(*provider)) {
            if let Source::Variable(name) | Source::FileOf(name) = wanted.source {
                assert!(VARIABLES.contains(&name), "{} asks for {name}", provider.name());
            }
        }
    }
    assert!(VARIABLES.is_sorted());
}

/// Every text that leaves a provider for people, given one answer.
fn told(stage: &mut Stage, answer: &Reply) -> String {
    let (calls, outcome) = stage.play(&[answer.clone(), reply(500, ""), reply(500, "")]);
    let metadata = stage.provider.metadata(&stage.config);
    format!("{calls:?} {outcome:?} {metadata:?} {:?}", stage.credentials)
}

#[test]
fn no_credential_is_in_what_people_see() {
    let refused = |status| reply(status, r#"{"message": "no", "errors": [{"message": "no"}]}"#);
    let answers = nonsense().into_iter().chain([refused(400), refused(401), refused(403)]);
    let answers: Vec<Reply> = answers.collect();
    for provider in PROVIDERS {
        for answer in &answers {
            let told = told(&mut Stage::of(*provider), answer);
            assert!(!told.contains(HIDDEN), "{} told {told}", provider.name());
        }
    }
}

#[test]
fn hidden_credentials_are_sent() {
    for provider in PROVIDERS {
        let stage = Stage::of(*provider);
        let refs = provider.credentials(&stage.config);
        let hides = refs.iter().any(|wanted| wanted.exposure == Exposure::Hidden);
        let (call, _) = stage.first_call();
        let sent = call.headers.iter().any(|(_, value)| value.contains(HIDDEN));
        assert_eq!(sent, hides, "{}", provider.name());
        assert!(!call.url.contains(HIDDEN) && !body(&call).contains(HIDDEN));
    }
}

#[test]
fn without_credentials_nothing_is_asked() {
    for provider in PROVIDERS {
        let stage = Stage::of(*provider).with(&[]);
        let needs = !provider.credentials(&stage.config).is_empty();
        let turn = provider.start(&stage.asked(), NOW);
        assert_eq!(matches!(turn, Exchange::Done(Err(_))), needs, "{}", provider.name());
    }
}

#[test]
fn a_password_signs_in() {
    for provider in with_authentication() {
        let mut config = working(provider);
        config["authentication"] = json!({"basicAuth": {"username": "u", "password": "p"}});
        let (call, _) = Stage::new(provider.name(), &config).first_call();
        assert!(call.headers.contains(&("Authorization".to_owned(), "Basic dTpw".to_owned())));
        config["authentication"] = json!({"basicAuth": {"username": "u"}});
        let expected = "missing mandatory parameter in metric for basic auth setup: password";
        let problem = ("authentication.basicAuth.password".to_owned(), expected.to_owned());
        assert_eq!(provider.validate(&config), [problem]);
    }
}

#[test]
fn a_token_is_fetched_first_and_both_ways_are_tried() {
    for provider in with_authentication() {
        let mut config: Value = working(provider);
        config["authentication"] = json!({"oauth2": {"tokenUrl": "http://id/token", "clientId": "me", "clientSecret": "s&x", "scopes": ["a", "b"]}});
        let granted = reply(200, r#"{"access_token": "T", "token_type": "bearer"}"#);
        let answers = [reply(401, ""), granted, reply(500, "")];
        let (calls, outcome) = play(provider.name(), &config, &answers);
        assert!(outcome.is_err());
        assert_eq!(calls[0].url, "http://id/token");
        assert_eq!(body(&calls[0]), "grant_type=client_credentials&scope=a+b");
        let basic = support::header(&calls[0], "Authorization");
        assert!(basic.is_some_and(|value| value.starts_with("Basic ")));
        assert!(body(&calls[1]).ends_with("client_id=me&client_secret=s%26x"));
        assert!(calls[2].headers.contains(&("Authorization".to_owned(), "Bearer T".to_owned())));
        let (_, refused) = play(provider.name(), &config, &[reply(401, ""), reply(403, "")]);
        assert_eq!(refused.unwrap_err(), "oauth2: cannot fetch token: 403");
        let (_, without) = play(provider.name(), &config, &[reply(200, "{}"), reply(200, "{}")]);
        assert_eq!(without.unwrap_err(), "oauth2: server response missing access_token");
    }
}
