//! Semantic versions.

use std::cmp::Ordering;

use cel::common::types::{CelBool, CelInt, CelString, Type};
use cel::{DeclarationError, Env, ExecutionError, add_member_overload, add_overload};

use super::failed;

static SEMVER: Type = Type::new_unspecified_type("kubernetes.Semver");

/// A version; what is built beside it does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    numbers: [u64; 3],
    /// The parts of what comes before the version itself.
    before: Vec<String>,
}

opaque_value!(Version, SEMVER);

pub(super) fn extension(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_type(SEMVER.to_owned())?;
    add_overload!(env, fn is_semver: (CelString<'_>) -> CelBool)?;
    add_overload!(env, fn is_loose: (CelString<'_>, CelBool) -> CelBool, name = "isSemver")?;
    add_overload!(env, fn semver: (CelString<'_>) -> Result<Version>)?;
    add_overload!(env, fn loose: (CelString<'_>, CelBool) -> Result<Version>, name = "semver")?;
    add_member_overload!(env, fn major: (Version) -> CelInt)?;
    add_member_overload!(env, fn minor: (Version) -> CelInt)?;
    add_member_overload!(env, fn patch: (Version) -> CelInt)?;
    add_member_overload!(env, fn is_greater_than: (Version, Version) -> CelBool)?;
    add_member_overload!(env, fn is_less_than: (Version, Version) -> CelBool)?;
    add_member_overload!(env, fn compare_to: (Version, Version) -> CelInt)
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let (text, build) = text.split_once('+').unwrap_or((text, "0"));
        let (core, before) = text.split_once('-').map_or((text, None), |(a, b)| (a, Some(b)));
        let mut parts = core.split('.').map(number);
        let numbers = [parts.next()??, parts.next()??, parts.next()??];
        let before: Vec<String> =
            before.map(|before| before.split('.').map(str::to_owned).collect()).unwrap_or_default();
        let plain = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        let all_digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
        let good =
            before.iter().all(|part| plain(part) && (!all_digits(part) || number(part).is_some()));
        let ends = parts.next().is_none() && build.split('.').all(plain);
        (good && ends).then_some(Self { numbers, before })
    }

    /// A version that is said loosely: with a `v`, with zeros in front, or with parts left out.
    fn parse_loosely(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let end = text.find(['-', '+']).unwrap_or(text.len());
        let (core, rest) = text.split_at(end);
        let mut parts: Vec<String> = core
            .split('.')
            .map(|part| part.parse::<u64>().ok().map(|number| number.to_string()))
            .collect::<Option<_>>()?;
        while parts.len() < 3 {
            parts.push("0".to_owned());
        }
        Self::parse(&format!("{}{rest}", parts.join(".")))
    }

    fn order(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| {
            match (self.before.is_empty(), other.before.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => order_before(&self.before, &other.before),
            }
        })
    }
}

/// A number without zeros in front.
fn number(text: &str) -> Option<u64> {
    let plain = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| plain)
}

/// Numbers come before words, and fewer parts before more.
fn order_before(one: &[String], other: &[String]) -> Ordering {
    let pairs = one.iter().zip(other).map(|(one, other)| match (number(one), number(other)) {
        (Some(one), Some(other)) => one.cmp(&other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => one.cmp(other),
    });
    let first = pairs.into_iter().find(|order| *order != Ordering::Equal);
    first.unwrap_or_else(|| one.len().cmp(&other.len()))
}

fn is_semver(text: &CelString<'_>) -> CelBool {
    CelBool::from(Version::parse(text.inner()).is_some())
}

fn is_loose(text: &CelString<'_>, normalize: &CelBool) -> CelBool {
    CelBool::from(loose(text, normalize).is_ok())
}

fn semver(text: &CelString<'_>) -> Result<Version, ExecutionError> {
    Version::parse(text.inner()).ok_or_else(|| failed("semver", "is no semantic version"))
}

fn loose(text: &CelString<'_>, normalize: &CelBool) -> Result<Version, ExecutionError> {
    if !*normalize.inner() {
        return semver(text);
    }
    Version::parse_loosely(text.inner()).ok_or_else(|| failed("semver", "is no semantic version"))
}

fn major(version: &Version) -> CelInt {
    part(version, 0)
}

fn minor(version: &Version) -> CelInt {
    part(version, 1)
}

fn patch(version: &Version) -> CelInt {
    part(version, 2)
}

fn part(version: &Version, place: usize) -> CelInt {
    CelInt::from(i64::try_from(version.numbers[place]).unwrap_or(i64::MAX))
}

fn is_greater_than(one: &Version, other: &Version) -> CelBool {
    CelBool::from(one.order(other) == Ordering::Greater)
}

fn is_less_than(one: &Version, other: &Version) -> CelBool {
    CelBool::from(one.order(other) == Ordering::Less)
}

fn compare_to(one: &Version, other: &Version) -> CelInt {
    CelInt::from(i64::from(one.order(other) as i8))
}
