//! What an image will do, read from its name and environment.

use k8s_openapi::api::core::v1::Pod;
use std::{collections::BTreeMap, time::Duration};

/// Share of failed requests of a `bad-` image, in percent.
const BAD_ERROR_RATE: f64 = 15.0;
/// Latency of a `slow-` image.
const SLOW_LATENCY: Duration = Duration::from_secs(2);
/// Colours that the demo's page knows.
const COLOURS: [&str; 6] = ["red", "orange", "yellow", "green", "blue", "purple"];
/// The longest latency that is taken from the environment.
const LONGEST_LATENCY: Duration = Duration::from_mins(10);

/// How the demo application answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Behaviour {
    /// The colour it names on `/color`.
    pub colour: String,
    /// Share of requests answered with 500, in percent.
    pub error_rate: f64,
    /// Time it takes before it answers.
    pub latency: Duration,
    /// The version it names on `/version`: the image's tag.
    pub version: String,
}

impl Behaviour {
    /// What an image of the demo does under an environment; `None` for other images.
    ///
    /// `COLOR`, `LATENCY` (seconds) and `ERROR_RATE` (percent) override what the tag says; values
    /// that cannot be read are left out, as upstream does.
    pub fn of(image: &str, env: &BTreeMap<String, String>) -> Option<Self> {
        let name = image.split('@').next().unwrap_or_default();
        let (path, tag) = match name.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, tag),
            _ => (name, "latest"),
        };
        let mut behaviour = match path.rsplit('/').next().unwrap_or_default() {
            "rollouts-demo" => Self::tagged(tag),
            "podinfo" => Self { colour: "blue".into(), version: tag.into(), ..Self::default() },
            _ => return None,
        };
        behaviour.override_from(env);
        Some(behaviour)
    }

    /// What the first container of a pod that is the demo does.
    pub fn of_pod(pod: &Pod) -> Option<Self> {
        pod.spec.iter().flat_map(|spec| &spec.containers).find_map(|container| {
            let env = container.env.iter().flatten();
            let env =
                env.filter_map(|variable| Some((variable.name.clone(), variable.value.clone()?)));
            Self::of(container.image.as_deref().unwrap_or_default(), &env.collect())
        })
    }

    fn tagged(tag: &str) -> Self {
        let (error_rate, latency, colour) = if let Some(colour) = tag.strip_prefix("bad-") {
            (BAD_ERROR_RATE, Duration::ZERO, colour)
        } else if let Some(colour) = tag.strip_prefix("slow-") {
            (0.0, SLOW_LATENCY, colour)
        } else {
            (0.0, Duration::ZERO, tag)
        };
        Self { colour: colour_of(colour), error_rate, latency, version: tag.to_owned() }
    }

    fn override_from(&mut self, env: &BTreeMap<String, String>) {
        let number = |key: &str| env.get(key).and_then(|text| text.trim().parse::<f64>().ok());
        if let Some(colour) = env.get("COLOR").filter(|colour| !colour.is_empty()) {
            self.colour.clone_from(colour);
        }
        if let Some(seconds) = number("LATENCY") {
            let latency = Duration::try_from_secs_f64(seconds).unwrap_or_default();
            self.latency = latency.min(LONGEST_LATENCY);
        }
        if let Some(percent) = number("ERROR_RATE").filter(|percent| percent.is_finite()) {
            self.error_rate = percent.clamp(0.0, 100.0);
        }
    }
}

/// A tag that is no colour gets one, always the same.
fn colour_of(tag: &str) -> String {
    if COLOURS.contains(&tag) {
        return tag.to_owned();
    }
    let sum =
        tag.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    COLOURS[sum % COLOURS.len()].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(image: &str, env: &[(&str, &str)], expected: Option<(&str, f64, u64)>) {
        let env = env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let found = Behaviour::of(image, &env);
        let found =
            found.as_ref().map(|b| (b.colour.as_str(), b.error_rate, b.latency.as_millis()));
        assert_eq!(found, expected.map(|(c, e, l)| (c, e, u128::from(l))), "{image}");
    }

    #[test]
    fn tags_and_environment_say_what_an_image_does() {
        check("argoproj/rollouts-demo:blue", &[], Some(("blue", 0.0, 0)));
        check("argoproj/rollouts-demo:bad-yellow", &[], Some(("yellow", 15.0, 0)));
        check("quay.io:5000/x/rollouts-demo:slow-red", &[], Some(("red", 0.0, 2000)));
        check(
            "argoproj/rollouts-demo:blue",
            &[("ERROR_RATE", "40"), ("LATENCY", "0.25")],
            Some(("blue", 40.0, 250)),
        );
        check(
            "argoproj/rollouts-demo:bad-blue",
            &[("ERROR_RATE", "many"), ("COLOR", "green")],
            Some(("green", 15.0, 0)),
        );
        check("nginx:1.27", &[], None);
    }
}
