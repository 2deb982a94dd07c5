//! Amounts in a pod template: those that are none, and how Kubernetes writes the others.
//!
//! Upstream reads a template as if amounts that are none were not there, and so do we: a rollout that came
//! up under it must come up here. Start with [`drop_broken`] and [`canonical`].

use k8s_openapi::{
    api::core::v1::{PodSpec, ResourceRequirements},
    apimachinery::pkg::api::resource::Quantity,
};
use std::collections::BTreeMap;

/// Suffixes of powers of a thousand, from the finest on.
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
/// Suffixes of powers of 1024.
const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// Takes out the requests and limits that cannot be read, and the ephemeral containers if one of them has
/// such; says where they were, as JSON pointers into the rollout.
pub(crate) fn drop_broken(pods: &mut PodSpec) -> Vec<String> {
    let mut found = Vec::new();
    let lists = [
        ("containers", Some(&mut pods.containers)),
        ("initContainers", pods.init_containers.as_mut()),
    ];
    for (list, containers) in lists {
        for (index, container) in containers.into_iter().flatten().enumerate() {
            let path = format!("/spec/template/spec/{list}/{index}/resources");
            drop_from(container.resources.as_mut(), &path, &mut found);
        }
    }
    let mut ephemeral = Vec::new();
    for container in pods.ephemeral_containers.iter_mut().flatten() {
        drop_from(container.resources.as_mut(), "", &mut ephemeral);
    }
    if !ephemeral.is_empty() {
        pods.ephemeral_containers = None;
        found.push("/spec/template/spec/ephemeralContainers".to_owned());
    }
    found
}

fn drop_from(resources: Option<&mut ResourceRequirements>, path: &str, found: &mut Vec<String>) {
    let Some(resources) = resources else { return };
    let lists = [("limits", &mut resources.limits), ("requests", &mut resources.requests)];
    for (list, amounts) in lists {
        let broken = broken(amounts.as_ref());
        if broken.is_empty() {
            continue;
        }
        found.extend(broken.iter().map(|name| format!("{path}/{list}/{}", escaped(name))));
        let kept = amounts.take().unwrap_or_default();
        let kept = kept.into_iter().filter(|(name, _)| !broken.contains(name));
        *amounts = Some(kept.collect()).filter(|kept: &BTreeMap<_, _>| !kept.is_empty());
    }
}

/// A name as JSON pointers have it.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn broken(amounts: Option<&BTreeMap<String, Quantity>>) -> Vec<String> {
    let amounts = amounts.into_iter().flatten();
    amounts.filter(|(_, amount)| !is_quantity(&amount.0)).map(|(name, _)| name.clone()).collect()
}

/// An amount as Kubernetes writes it: without fractions, with the greatest fitting suffix. One that cannot
/// be read stays as it is.
pub(crate) fn canonical(text: &str) -> String {
    canonical_form(text).unwrap_or_else(|| text.to_owned())
}

/// `None` also for amounts beyond what 128 bits hold.
fn canonical_form(text: &str) -> Option<String> {
    if !is_quantity(text) {
        return None;
    }
    let end = text.find(|letter: char| !letter.is_ascii_digit() && !"+-.".contains(letter));
    let (number, suffix) = text.split_at(end.unwrap_or(text.len()));
    let scale = Scale::of(suffix)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
    let mut exponent = -i32::try_from(fraction.len()).ok()?;
    match scale {
        Scale::Ten(power) | Scale::Exponent(power) => exponent += power,
        Scale::Two(power) => mantissa = mantissa.checked_mul(1_i128.checked_shl(power)?)?,
    }
    while mantissa % 10 == 0 && mantissa != 0 {
        (mantissa, exponent) = (mantissa / 10, exponent + 1);
    }
    while exponent < NANO {
        // What is finer counts as one more.
        let rest = i128::from(mantissa % 10 > 0);
        (mantissa, exponent) = (mantissa / 10 + rest, exponent + 1);
    }
    if mantissa == 0 {
        return Some("0".to_owned());
    }
    match scale {
        Scale::Two(_) => binary(mantissa, exponent).or_else(|| decimal(mantissa, exponent)),
        Scale::Ten(_) => decimal(mantissa, exponent),
        Scale::Exponent(_) => scientific(mantissa, exponent),
    }
}

/// Powers of ten of the finest amount there is.
const NANO: i32 = -9;

/// How an amount is written.
#[derive(Clone, Copy)]
enum Scale {
    Ten(i32),
    Two(u32),
    Exponent(i32),
}

impl Scale {
    fn of(suffix: &str) -> Option<Self> {
        if let Some(power) = DECIMAL.iter().position(|known| *known == suffix) {
            return Some(Self::Ten(3 * i32::try_from(power).ok()? + NANO));
        }
        if let Some(power) = BINARY.iter().position(|known| *known == suffix) {
            return Some(Self::Two(10 * (u32::try_from(power).ok()? + 1)));
        }
        suffix[1..].parse().ok().map(Self::Exponent)
    }
}

/// Exponents are multiples of three.
fn by_thousands(mantissa: i128, exponent: i32) -> Option<(i128, i32)> {
    let surplus = exponent.rem_euclid(3);
    let mantissa = mantissa.checked_mul(10_i128.pow(surplus.unsigned_abs()))?;
    Some((mantissa, exponent - surplus))
}

fn decimal(mantissa: i128, exponent: i32) -> Option<String> {
    let (mantissa, exponent) = by_thousands(mantissa, exponent)?;
    let suffix = DECIMAL.get(usize::try_from((exponent - NANO) / 3).ok()?)?;
    Some(format!("{mantissa}{suffix}"))
}

fn scientific(mantissa: i128, exponent: i32) -> Option<String> {
    let (mantissa, exponent) = by_thousands(mantissa, exponent)?;
    let suffix = if exponent == 0 { String::new() } else { format!("e{exponent}") };
    Some(format!("{mantissa}{suffix}"))
}

/// Whole amounts from 1024 on; smaller ones are written as decimals.
fn binary(mantissa: i128, exponent: i32) -> Option<String> {
    let mut amount = mantissa.checked_mul(10_i128.checked_pow(u32::try_from(exponent).ok()?)?)?;
    if amount.abs() < 1024 {
        return None;
    }
    let mut power = 0;
    while amount % 1024 == 0 && power < BINARY.len() {
        (amount, power) = (amount / 1024, power + 1);
    }
    let suffix = power.checked_sub(1).map_or("", |power| BINARY[power]);
    Some(format!("{amount}{suffix}"))
}

/// Whether Kubernetes can read an amount.
fn is_quantity(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let (digits, suffix) = unsigned.split_at(end.unwrap_or(unsigned.len()));
    let is_number =
        digits.matches('.').count() <= 1 && digits.bytes().any(|it| it.is_ascii_digit());
    is_number && (DECIMAL.contains(&suffix) || BINARY.contains(&suffix) || is_exponent(suffix))
}

fn is_exponent(suffix: &str) -> bool {
    let Some(rest) = suffix.strip_prefix(['e', 'E']) else { return false };
    let digits = rest.strip_prefix(['+', '-']).unwrap_or(rest);
    !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn amounts_are_read_as_kubernetes_reads_them() {
        for good in ["0", "1", "0.5", ".5", "5.", "-1", "+1", "100m", "16Mi", "1e3", "1E-3", "2E"] {
            assert!(is_quantity(good), "{good}");
        }
        for bad in ["", "m", ".", "invalid", "1.2.3", "1mi", "1 Gi", "1e", "1e+", "0x10"] {
            assert!(!is_quantity(bad), "{bad}");
        }
    }

    #[test]
    fn amounts_are_written_as_kubernetes_writes_them() {
        let pairs = [
            ("0", "0"),
            ("0.5", "500m"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("0.001", "1m"),
            ("2000", "2k"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("0.5Ki", "512"),
            ("1000Ki", "1000Ki"),
            ("1024", "1024"),
            ("1e3", "1e3"),
            ("12E2", "1200"),
            ("100M", "100M"),
            ("1.0", "1"),
            ("0.1n", "1n"),
            ("-500m", "-500m"),
            ("invalid", "invalid"),
            ("0.1Mi", "104857600m"),
        ];
        for (text, expected) in pairs {
            assert_eq!(canonical(text), expected, "{text}");
        }
    }

    #[track_caller]
    fn check(pods: Value, expected: &Value, paths: &[&str]) {
        let mut pods: PodSpec = serde_json::from_value(pods).unwrap();
        assert_eq!(drop_broken(&mut pods), paths);
        assert_eq!(serde_json::to_value(pods).unwrap(), *expected);
    }

    #[test]
    fn only_what_cannot_be_read_is_dropped() {
        let broken = json!({"requests": {"cpu": "1m", "memory": "invalid"}});
        let kept = json!({"requests": {"cpu": "1m"}});
        check(
            json!({"containers": [{"name": "a", "resources": broken}]}),
            &json!({"containers": [{"name": "a", "resources": kept}]}),
            &["/spec/template/spec/containers/0/resources/requests/memory"],
        );
        check(
            json!({"containers": [], "ephemeralContainers": [{"name": "a"}, {"name": "b", "resources": broken}]}),
            &json!({"containers": []}),
            &["/spec/template/spec/ephemeralContainers"],
        );
    }
}
