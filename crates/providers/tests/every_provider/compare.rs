//! `plugin ringfence/compare`: two versions counted by a Prometheus, look after look.

use crate::support::{NOW, Stage, found, reply, working};
use jiff::{SignedDuration, Timestamp};
use providers::{Asked, Measured, Verdict, by_name};
use serde_json::{Value, json};
use vocab::{Call, Exchange, Reply, ReplyError};

/// Its name among the providers.
pub(crate) const NAME: &str = "plugin ringfence/compare";
/// How long between two looks.
const EVERY: SignedDuration = SignedDuration::from_mins(1);

/// What Prometheus knows of one look: bad and total of the canary, then of the stable version.
type Counts = [[f64; 2]; 2];

const GOOD: Counts = [[2.0, 200.0], [18.0, 1800.0]];
const BAD: Counts = [[12.0, 200.0], [18.0, 1800.0]];

fn config(own: &Value) -> Value {
    let compare = by_name(NAME).unwrap();
    let mut config = working(compare);
    config.as_object_mut().unwrap().remove("missing");
    config.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    config
}

fn vector(values: &[&str]) -> Reply {
    let series = |value: &&str| json!({"metric": {}, "value": [1_700_000_000.0, value]});
    let result: Vec<Value> = values.iter().map(series).collect();
    let data = json!({"resultType": "vector", "result": result});
    reply(200, &json!({"status": "success", "data": data}).to_string())
}

/// The answer of a Prometheus that knows these counts; a count below zero is one that it does not know.
fn counted(call: &Call, [canary, stable]: Counts) -> Reply {
    let query = String::from_utf8(call.body.clone().unwrap()).unwrap();
    let [bad, total] = if query.contains("canary") { canary } else { stable };
    let number = if query.contains("bad") { bad } else { total };
    if number < 0.0 { vector(&[]) } else { vector(&[&number.to_string()]) }
}

/// A measurement that is played look by look.
pub(crate) struct Play {
    pub(crate) stage: Stage,
    pub(crate) now: Timestamp,
    pub(crate) looks: u32,
    /// Every state that was kept, as text.
    pub(crate) kept: Vec<String>,
    /// What an earlier measurement has learned.
    learned: Option<Value>,
}

impl Play {
    pub(crate) fn of(own: &Value) -> Self {
        let stage = Stage::new(NAME, &config(own));
        Self { stage, now: NOW, looks: 0, kept: Vec::new(), learned: None }
    }

    /// Takes looks until the end; each call is answered by `answer`, with the number of the look.
    pub(crate) fn play(
        &mut self,
        answer: impl Fn(u32, &Call) -> Result<Reply, ReplyError>,
    ) -> Result<Measured, String> {
        let provider = self.stage.provider;
        let asked = Asked { learned: self.learned.as_ref(), ..self.stage.asked() };
        let mut turn = provider.start(&asked, self.now);
        loop {
            turn = match turn {
                Exchange::Call(call, state) => {
                    let reply = answer(self.looks, &call);
                    provider.resume(&self.stage.asked(), &reread(&state), reply, self.now)
                }
                Exchange::Wait(at, state) => {
                    assert!(at > self.now);
                    self.looks += 1;
                    self.now = at;
                    self.kept.push(state.to_string());
                    provider.wake(&self.stage.asked(), &reread(&state), self.now)
                }
                Exchange::Done(outcome) => return outcome.map_err(|error| error.message),
            }
        }
    }

    fn with_counts(&mut self, counts: Counts) -> Measured {
        self.play(|_, call| Ok(counted(call, counts))).unwrap()
    }

    pub(crate) fn told(&self) -> std::collections::BTreeMap<String, String> {
        let last = serde_json::from_str(self.kept.last().expect("a wait")).unwrap();
        self.stage.provider.waiting(&last)
    }
}

/// What is left of a state in a status.
pub(crate) fn reread(state: &Value) -> Value {
    serde_json::from_str(&state.to_string()).unwrap()
}

#[track_caller]
fn check(own: &Value, counts: Counts, verdict: Verdict, reason: Option<&str>) -> Value {
    let measured = Play::of(own).with_counts(counts);
    let value: Value = serde_json::from_str(&measured.value).unwrap();
    assert_eq!((measured.verdict, value["reason"].as_str()), (Some(verdict), reason), "{value}");
    value
}

#[test]
fn a_bad_canary_fails_with_the_evidence() {
    let value = check(&json!({}), BAD, Verdict::Failed, None);
    assert_eq!(value["verdict"], "fail");
    assert!(value["lnE"].as_f64() >= value["failsAt"].as_f64());
    assert!(value["pValue"].as_f64().unwrap() <= 0.05);
    let looks = value["looks"].as_u64().unwrap();
    assert_eq!(value["canary"], json!({"bad": 12 * looks, "total": 200 * looks, "rate": 0.06}));
    assert_eq!(value["stable"], json!({"bad": 18 * looks, "total": 1800 * looks, "rate": 0.01}));
    assert!((value["ratio"].as_f64().unwrap() - 6.0).abs() < 1e-9);
}

#[test]
fn a_good_canary_passes() {
    let value = check(&json!({}), GOOD, Verdict::Successful, None);
    assert_eq!(value["verdict"], "pass");
    check(&json!({"judge": "proportion"}), GOOD, Verdict::Successful, None);
}

#[test]
fn every_judge_fails_a_canary_that_is_bad_enough() {
    let terrible = [[100.0, 200.0], [18.0, 1800.0]];
    for judge in ["rate", "proportion", "sign"] {
        let value = check(&json!({"judge": judge}), terrible, Verdict::Failed, None);
        assert_eq!(value["judge"], judge);
    }
}

#[test]
fn the_judge_of_signs_passes_nothing() {
    let sign = json!({"judge": "sign", "atMost": "10m"});
    check(&sign, GOOD, Verdict::Inconclusive, Some("no verdict within 10m0s"));
}

#[test]
fn looks_come_at_even_times_until_it_has_lasted_long_enough() {
    let mut play = Play::of(&json!({"atMost": "10m"}));
    let measured = play.with_counts([[0.0, 0.0], [0.0, 0.0]]);
    assert_eq!(measured.verdict, Some(Verdict::Inconclusive));
    assert_eq!((play.looks, play.now), (10, NOW + EVERY * 10));
}

#[test]
fn without_traffic_there_is_no_verdict() {
    let over = Some("no verdict within 10m0s");
    let ten = json!({"atMost": "10m"});
    check(&ten, [[0.0, 0.0], [0.0, 0.0]], Verdict::Inconclusive, over);
    check(&ten, [[0.0, 0.0], [18.0, 1800.0]], Verdict::Inconclusive, over);
    check(&ten, [[2.0, 200.0], [0.0, 0.0]], Verdict::Inconclusive, over);
    check(&ten, [[-1.0, -1.0], [18.0, 1800.0]], Verdict::Inconclusive, over);
    check(&ten, [[-1.0, -1.0], [-1.0, -1.0]], Verdict::Inconclusive, over);
}

#[test]
fn data_that_must_be_there_fails_where_stable_has_some() {
    let must = json!({"atMost": "10m", "mustHaveData": "true"});
    let lacks = "the source has no data of the canary, and has some of the stable version";
    check(&must, [[-1.0, -1.0], [18.0, 1800.0]], Verdict::Failed, Some(lacks));
    let over = Some("no verdict within 10m0s");
    check(&must, [[-1.0, -1.0], [-1.0, -1.0]], Verdict::Inconclusive, over);
}

#[test]
fn bad_requests_that_nobody_has_seen_are_none() {
    let value =
        check(&json!({"budget": 0.01}), [[-1.0, 200.0], [-1.0, 1800.0]], Verdict::Successful, None);
    assert_eq!((&value["basis"], &value["canary"]["bad"]), (&json!("budget"), &json!(0)));
    let over = Some("no verdict within 10m0s");
    check(&json!({"atMost": "10m"}), [[-1.0, 200.0], [-1.0, 1800.0]], Verdict::Inconclusive, over);
}

#[test]
fn counts_are_rounded_and_may_be_a_little_apart() {
    let value = check(&json!({}), [[204.4, 199.6], [18.0, 1800.0]], Verdict::Failed, None);
    assert_eq!(value["canary"], json!({"bad": 200, "total": 200, "rate": 1.0}));
}

#[test]
fn a_source_out_of_reach_holds_and_is_inconclusive_at_last() {
    let mut play = Play::of(&json!({"unreachableLimit": "3"}));
    let measured =
        play.play(|_, call| Err(ReplyError::TimedOut { url: call.url.clone(), seconds: 30 }));
    let measured = measured.unwrap();
    assert_eq!((measured.verdict, play.looks), (Some(Verdict::Inconclusive), 3));
    assert!(measured.value.contains("\"reason\":\"canary.total: "), "{}", measured.value);
    assert!(play.told()["problem"].starts_with("canary.total: "), "{:?}", play.told());
}

#[test]
fn a_source_that_comes_back_is_believed() {
    let measured = Play::of(&json!({}))
        .play(|look, call| if look % 5 == 4 { Ok(counted(call, BAD)) } else { Ok(reply(503, "")) });
    let measured = measured.unwrap();
    assert_eq!(measured.verdict, Some(Verdict::Failed));
    let unreachable = Play::of(&json!({"missing": "error"})).play(|_, _| Ok(reply(503, "")));
    assert_eq!(unreachable.unwrap_err(), "canary.total: server_error: server error: 503");
}

#[test]
fn what_is_no_count_is_dropped_and_says_so() {
    for wrong in ["NaN", "+Inf", "-3", "1e300"] {
        let mut play = Play::of(&json!({"atMost": "5m"}));
        let measured = play.play(|_, _| Ok(vector(&[wrong]))).unwrap();
        assert_eq!(measured.verdict, Some(Verdict::Inconclusive), "{wrong}");
        assert!(play.told()["problem"].starts_with("canary"), "{:?}", play.told());
        let value: Value = serde_json::from_str(&measured.value).unwrap();
        assert_eq!(value["canary"]["total"], 0);
        // Looks at nothing but nonsense are no reason to fail a release, unless there must be data.
        let measured = Play::of(&json!({})).play(|_, _| Ok(vector(&[wrong]))).unwrap();
        assert_eq!(measured.verdict, Some(Verdict::Inconclusive), "{wrong}");
        let must = json!({"mustHaveData": true});
        let measured = Play::of(&must).play(|_, _| Ok(vector(&[wrong]))).unwrap();
        assert_eq!(measured.verdict, Some(Verdict::Failed), "{wrong}");
    }
    let mut play = Play::of(&json!({}));
    let measured = play.play(|_, _| Ok(vector(&["1", "2"]))).unwrap();
    assert_eq!(measured.verdict, Some(Verdict::Inconclusive));
    let expected = "canary.total: the answer has 2 values: a count must be one number";
    assert_eq!(play.told()["problem"], expected);
}

#[test]
fn people_are_told_where_it_stands() {
    let mut play = Play::of(&json!({}));
    let _ = play.with_counts(GOOD);
    let told = play.told();
    assert_eq!(
        (told["verdict"].as_str(), told["looks"].as_str()),
        ("continue", play.looks.to_string().as_str())
    );
    assert!(told["lnE"].ends_with(" of 3.00") && told["lnEPass"].ends_with(" of 3.00"), "{told:?}");
    assert!(told["evidence"].starts_with("canary "), "{told:?}");
    let about = play.stage.provider.metadata(&play.stage.config);
    assert_eq!(about["canary.bad"], "canary bad");
    assert_eq!((about["judge"].as_str(), about["source"].as_str()), ("rate", "prometheus"));
}

#[test]
fn a_controller_that_dies_anywhere_comes_to_the_same_end() {
    let mut whole = Play::of(&json!({}));
    let expected = whole.with_counts(GOOD);
    let mut play = Play::of(&json!({}));
    let provider = play.stage.provider;
    let mut kept: Option<Value> = None;
    // Dies after every call, with only what was kept; then takes that look to its end.
    let outcome = loop {
        for calls in 0..=4 {
            let asked = play.stage.asked();
            let mut turn = match &kept {
                None => provider.start(&asked, play.now),
                Some(state) => provider.wake(&asked, &reread(state), play.now),
            };
            for _ in 0..calls {
                let Exchange::Call(call, state) = turn else { panic!("{turn:?}") };
                turn = provider.resume(&asked, &state, Ok(counted(&call, GOOD)), play.now);
            }
            if let Exchange::Wait(at, state) = &turn {
                assert_eq!(state.to_string(), whole.kept[play.looks as usize]);
                (kept, play.now) = (Some(state.clone()), *at);
                play.looks += 1;
            } else if let Exchange::Done(outcome) = turn {
                kept = None;
                play.kept.push(outcome.unwrap().value);
            }
        }
        if kept.is_none() {
            break play.kept.pop().unwrap();
        }
    };
    assert_eq!(outcome, expected.value);
}

#[test]
fn a_late_look_moves_those_that_follow() {
    let play = Play::of(&json!({}));
    let provider = play.stage.provider;
    let asked = play.stage.asked();
    let wait_of = |mut turn, now| loop {
        turn = match turn {
            Exchange::Call(call, state) => {
                provider.resume(&asked, &state, Ok(counted(&call, GOOD)), now)
            }
            Exchange::Wait(at, state) => return (at, state),
            Exchange::Done(outcome) => panic!("{outcome:?}"),
        }
    };
    let (first, state) = wait_of(provider.start(&asked, NOW), NOW);
    assert_eq!(first, NOW + EVERY);
    let prompt = first + SignedDuration::from_secs(2);
    assert_eq!(wait_of(provider.wake(&asked, &state, prompt), prompt).0, NOW + EVERY * 2);
    let late = first + SignedDuration::from_secs(50);
    assert_eq!(wait_of(provider.wake(&asked, &state, late), late).0, late + EVERY);
}

#[test]
fn a_state_from_other_settings_begins_anew() {
    let mut play = Play::of(&json!({}));
    let _ = play.with_counts(GOOD);
    let state: Value = serde_json::from_str(play.kept.last().unwrap()).unwrap();
    let anew = |own: &Value| {
        let other = Stage::new(NAME, &config(own));
        let turn = other.provider.wake(&other.asked(), &state, play.now);
        let Exchange::Call(_, look) = turn else { panic!("{turn:?}") };
        look["progress"]["looks"] == 0
    };
    assert!(!anew(&json!({})));
    assert!(!anew(
        &json!({"source": {"prometheus": {"address": "http://prom:9090", "headers": [{"key": "X", "value": "s"}]}}})
    ));
    // Evidence is the same whatever it is held against.
    assert!(!anew(&json!({"alpha": 0.01})));
    assert!(anew(&json!({"tolerance": 1.5})));
    assert!(anew(&json!({"judge": "proportion"})));
    assert!(anew(&json!({"stable": {"bad": "other", "total": "stable total"}})));
    assert!(anew(&json!({"source": {"prometheus": {"address": "http://other:9090"}}})));
}

#[test]
fn other_sources_sign_in_as_they_do() {
    let mut stage = Stage::new(NAME, &config(&json!({"source": {"datadog": {}}})));
    let refs = stage.provider.credentials(&stage.config).into_iter();
    stage.credentials = refs.map(|wanted| (wanted.clone(), found(&wanted.source))).collect();
    let (call, _) = stage.first_call();
    assert!(call.url.contains("canary+total"), "{}", call.url);
    assert!(call.headers.contains(&("DD-API-KEY".to_owned(), "dd-api-s3cr3t".to_owned())));
}

#[test]
fn numbers_may_be_texts() {
    let texts =
        json!({"alpha": "0.01", "tolerance": "1.5", "minRequests": " 10 ", "budget": "0.1"});
    let numbers = json!({"alpha": 0.01, "tolerance": 1.5, "minRequests": 10, "budget": 0.1});
    let end = |own| Play::of(own).with_counts(BAD).value;
    assert_eq!(end(&texts), end(&numbers));
}

#[test]
fn every_problem_is_named_by_its_path_at_once() {
    let wrong = json!({
        "source": {"prometheus": {"address": "no address", "query": "up"}},
        "canary": {"bad": "x"},
        "stable": "up",
        "judge": "rate", "alpha": 0, "beta": "x", "tolerance": 3, "passRatio": 2,
        "atMost": "1", "mustHaveData": "perhaps", "unreachableLimit": -1, "missing": "what",
        "thin": true,
    });
    let problems = by_name(NAME).unwrap().validate(&wrong);
    let expected = [
        ("thin", "there is no such setting"),
        ("canary.total", "a query for the count of all requests is needed"),
        ("stable.total", "a query for the count of all requests is needed"),
        ("stable.bad", "a query for the count of bad requests is needed"),
        ("source.prometheus.query", "queries are those of canary and stable"),
        ("source.prometheus.address", "prometheus address is not in url format"),
        ("alpha", "alpha is 0: must be between 0 and 1, both excluded"),
        ("beta", "must be a number"),
        ("passRatio", "pass ratio is 2: must be from 1 to 1000, and not below the tolerance"),
        ("every", "how long to wait between two looks is needed"),
        ("atMost", "time: missing unit in duration \"1\""),
        ("missing", "must be hold or error"),
        ("mustHaveData", "must be true or false"),
        ("unreachableLimit", "must be a whole number"),
    ];
    let expected = expected.map(|(path, message)| (path.to_owned(), message.to_owned()));
    assert_eq!(problems, expected);
}

#[test]
fn settings_that_a_judge_does_not_heed_are_refused() {
    let refused = |own: &Value| {
        let problems = by_name(NAME).unwrap().validate(&config(own));
        problems.into_iter().map(|(path, _)| path).collect::<Vec<_>>()
    };
    assert_eq!(refused(&json!({"judge": "sign", "beta": 0.1, "budget": 0.1})), ["beta", "budget"]);
    assert_eq!(refused(&json!({"judge": "proportion", "tolerance": 2})), ["tolerance"]);
    assert_eq!(refused(&json!({"judge": "other"})), ["judge"]);
    assert_eq!(refused(&json!({"every": "1h", "atMost": "1m"})), ["atMost"]);
    assert_eq!(refused(&json!({"source": {"web": {"url": "http://x"}}})), ["source"]);
    assert_eq!(refused(&json!({"source": {"prometheus": {}, "graphite": {}}})), ["source"]);
}

/// What a measurement that ended leaves to the next one, which begins so much later.
fn next_of(measured: &Measured, play: &Play, later: SignedDuration) -> (Play, Value) {
    let learned = reread(measured.learned.as_ref().expect("something was learned"));
    let mut next = Play::of(&json!({}));
    next.now = play.now + later;
    (next, learned)
}

#[test]
fn a_measurement_goes_on_from_what_an_earlier_one_has_learned() {
    let slightly: Counts = [[5.0, 200.0], [18.0, 1800.0]];
    let mut whole = Play::of(&json!({}));
    let expected = whole.with_counts(slightly);
    assert!(whole.looks > 2);
    let mut first = Play::of(&json!({"atMost": "1m"}));
    let cut_off = first.with_counts(slightly);
    assert_eq!(cut_off.verdict, Some(Verdict::Inconclusive));
    let (mut next, learned) = next_of(&cut_off, &first, SignedDuration::from_secs(10));
    next.learned = Some(learned);
    let measured = next.with_counts(slightly);
    let value = |measured: &Measured| serde_json::from_str::<Value>(&measured.value).unwrap();
    let (whole_value, value) = (value(&expected), value(&measured));
    for key in ["verdict", "lnE", "canary", "stable", "intervals"] {
        assert_eq!(value[key], whole_value[key], "{key}");
    }
    assert_eq!(value["looks"].as_u64().unwrap() + 2, u64::from(whole.looks) + 1);
    assert!(next.kept[0].contains("goes on from 2 looks"), "{}", next.kept[0]);
}

#[test]
fn what_was_learned_with_other_settings_is_left_aside() {
    let mut first = Play::of(&json!({"atMost": "1m", "tolerance": 1.5}));
    let measured = first.with_counts(GOOD);
    let (mut next, learned) = next_of(&measured, &first, SignedDuration::from_secs(10));
    next.learned = Some(learned);
    let measured = next.with_counts(BAD);
    let value: Value = serde_json::from_str(&measured.value).unwrap();
    assert_eq!(value["looks"], value["intervals"]);
}
