//! The application's answer to one request, as a value.

use super::{Behaviour, Pace};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

/// The longest delay a request may ask for.
const LONGEST_DELAY: Duration = Duration::from_mins(1);

/// One running copy of the application: its behaviour, its counters, and whether it wants requests.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) behaviour: Option<Behaviour>,
    pub(crate) hostname: String,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) accepting: AtomicBool,
    pub(crate) seed: u64,
    pub(crate) colour_asks: AtomicU64,
    pub(crate) requests: [AtomicU64; 6],
}

/// A request as far as the application looks at it.
#[derive(Debug, Default)]
pub(crate) struct Ask<'a> {
    pub(crate) path: &'a str,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: &'a [u8],
}

/// What the application says, and after how long.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
    pub(crate) delay: Duration,
}

/// What one user of the demo's page asks of one colour.
#[derive(Deserialize)]
struct Slider {
    color: String,
    #[serde(default)]
    return500: Option<f64>,
    #[serde(default, rename = "delayLength")]
    delay_length: Option<f64>,
}

impl App {
    /// An application that has seen no request yet; without a behaviour it only says its name.
    pub(crate) fn new(
        behaviour: Option<Behaviour>,
        hostname: &str,
        env: BTreeMap<String, String>,
        seed: u64,
    ) -> Self {
        Self {
            behaviour,
            hostname: hostname.to_owned(),
            env,
            seed,
            accepting: AtomicBool::new(true),
            colour_asks: AtomicU64::new(0),
            requests: Default::default(),
        }
    }

    /// Answers one request and counts it.
    pub(crate) fn answer(&self, ask: &Ask<'_>) -> Answer {
        let answer = match &self.behaviour {
            None => plain(200, format!("{}\n", self.hostname)),
            Some(behaviour) => self.demo(behaviour, ask),
        };
        let class = usize::from(answer.code / 100).min(5);
        self.requests[class].fetch_add(1, Ordering::Relaxed);
        answer
    }

    fn demo(&self, behaviour: &Behaviour, ask: &Ask<'_>) -> Answer {
        let accepting = self.accepting.load(Ordering::Relaxed);
        let mut parts = ask.path.trim_matches('/').split('/');
        match (parts.next().unwrap_or_default(), parts.next(), parts.next()) {
            ("color", None, None) => self.colour(behaviour, ask.body),
            ("readyz", Some("enable"), None) => self.accept(true),
            ("readyz", Some("disable"), None) => self.accept(false),
            ("delay", Some(seconds), None) => delayed(seconds),
            ("metrics", None, None) => self.metrics(behaviour),
            ("headers", None, None) => json(200, &json!(ask.headers)),
            ("env", None, None) => json(200, &json!(self.env)),
            ("version", None, None) => {
                json(200, &json!({"version": behaviour.version, "commit": "unknown"}))
            }
            ("", None, None) => json(200, &self.about(behaviour)),
            _ => {
                let code = health(behaviour, ask.path, accepting);
                json(code, &json!({"status": if code < 400 { "OK" } else { "not OK" }}))
            }
        }
    }

    fn colour(&self, behaviour: &Behaviour, body: &[u8]) -> Answer {
        let sliders: Vec<Slider> = serde_json::from_slice(body).unwrap_or_default();
        let slider = sliders.into_iter().find(|slider| slider.color == behaviour.colour);
        let asked = |value: fn(&Slider) -> Option<f64>| {
            slider.as_ref().and_then(value).filter(|value| value.is_finite() && *value > 0.0)
        };
        let error_rate = asked(|slider| slider.return500).unwrap_or(behaviour.error_rate);
        let delay =
            asked(|slider| slider.delay_length).and_then(|s| Duration::try_from_secs_f64(s).ok());
        let index = self.colour_asks.fetch_add(1, Ordering::Relaxed);
        let code = if Pace::new(error_rate, self.seed).chooses(index) { 500 } else { 200 };
        let body = json!(behaviour.colour).to_string();
        Answer {
            delay: delay.map_or(behaviour.latency, |delay| delay.min(LONGEST_DELAY)),
            ..plain(code, body)
        }
    }

    fn accept(&self, accepting: bool) -> Answer {
        self.accepting.store(accepting, Ordering::Relaxed);
        json(202, &json!({"status": "OK"}))
    }

    fn about(&self, behaviour: &Behaviour) -> Value {
        json!({
            "hostname": self.hostname,
            "version": behaviour.version,
            "color": behaviour.colour,
            "message": format!("greetings from {}", self.hostname),
        })
    }

    fn metrics(&self, behaviour: &Behaviour) -> Answer {
        let line = |(class, count): (usize, &AtomicU64)| {
            let (colour, count) = (&behaviour.colour, count.load(Ordering::Relaxed));
            format!("http_requests_total{{color=\"{colour}\",status=\"{class}xx\"}} {count}\n")
        };
        let mut text = String::from("# TYPE http_requests_total counter\n");
        text.extend(self.requests.iter().enumerate().skip(2).map(line));
        Answer { content_type: "text/plain; version=0.0.4", ..plain(200, text) }
    }
}

/// The code with which a path answers that only tells how the application is; 404 for unknown paths.
pub(crate) fn health(behaviour: &Behaviour, path: &str, accepting: bool) -> u16 {
    match path.trim_matches('/').split('/').collect::<Vec<_>>().as_slice() {
        ["readyz" | "ready"] => {
            if accepting {
                200
            } else {
                503
            }
        }
        [
            "healthz" | "livez" | "health" | "color" | "" | "version" | "metrics" | "env"
            | "headers",
        ] => {
            if behaviour.error_rate >= 100.0 {
                500
            } else {
                200
            }
        }
        ["status", code] => {
            code.parse().ok().filter(|code| (200..600).contains(code)).unwrap_or(400)
        }
        ["delay", _] => 200,
        _ => 404,
    }
}

fn delayed(seconds: &str) -> Answer {
    let delay =
        seconds.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match delay {
        Some(delay) => Answer {
            delay: delay.min(LONGEST_DELAY),
            ..json(200, &json!({"delay": delay.as_secs_f64()}))
        },
        None => json(400, &json!({"error": "the delay is not a number of seconds"})),
    }
}

fn plain(code: u16, body: String) -> Answer {
    Answer { code, content_type: "text/plain; charset=utf-8", body, delay: Duration::ZERO }
}

fn json(code: u16, value: &Value) -> Answer {
    let body = value.to_string() + "\n";
    Answer { code, content_type: "application/json; charset=utf-8", body, delay: Duration::ZERO }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(image: &str) -> App {
        App::new(Behaviour::of(image, &BTreeMap::new()), "pod", BTreeMap::new(), 0)
    }

    fn check(path: &str, code: u16, body: &str) {
        let answer = app("argoproj/rollouts-demo:blue").answer(&Ask { path, ..Ask::default() });
        assert_eq!(answer.code, code, "{path}");
        assert!(answer.body.contains(body), "{path}: {}", answer.body);
    }

    #[test]
    fn every_documented_path_answers() {
        check("/color", 200, "\"blue\"");
        check("/", 200, "\"hostname\":\"pod\"");
        check("/version", 200, "\"version\":\"blue\"");
        check("/healthz", 200, "OK");
        check("/readyz", 200, "OK");
        check("/readyz/disable", 202, "OK");
        check("/status/418", 418, "not OK");
        check("/status/9", 400, "");
        check("/delay/1.5", 200, "1.5");
        check("/metrics", 200, "http_requests_total");
        check("/headers", 200, "{}");
        check("/env", 200, "{}");
        check("/nowhere", 404, "");
    }

    #[test]
    fn bad_images_fail_fifteen_of_a_hundred() {
        let app = app("argoproj/rollouts-demo:bad-blue");
        let ask = Ask { path: "/color", ..Ask::default() };
        let failed = (0..1000).filter(|_| app.answer(&ask).code == 500).count();
        assert_eq!(failed, 150);
    }

    #[test]
    fn sliders_in_the_body_override_the_image() {
        let app = app("argoproj/rollouts-demo:blue");
        let body = br#"[{"color":"red","return500":1},{"color":"blue","return500":100,"delayLength":0.9}]"#;
        let answer = app.answer(&Ask { path: "/color", body, ..Ask::default() });
        assert_eq!((answer.code, answer.delay), (500, Duration::from_millis(900)));
    }

    #[test]
    fn an_app_that_is_not_ready_says_so() {
        let app = app("argoproj/rollouts-demo:blue");
        app.answer(&Ask { path: "/readyz/disable", ..Ask::default() });
        assert_eq!(app.answer(&Ask { path: "/readyz", ..Ask::default() }).code, 503);
        app.answer(&Ask { path: "/readyz/enable", ..Ask::default() });
        assert_eq!(app.answer(&Ask { path: "/readyz", ..Ask::default() }).code, 200);
    }
}
