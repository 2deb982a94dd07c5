//! Functions of texts.

use super::{
    super::{
        limits::{Budget, MAX_REPEATS},
        value::Value,
    },
    text, whole,
};

/// What a part of a text needs besides its letters.
const PART_BYTES: usize = 2 * size_of::<Value>();

/// What a function answers; none when it is not one of these.
///
/// # Errors
/// Upstream's sentence, when it has no answer to these values, or the limit that was passed.
pub(super) fn called(
    name: &str,
    given: &[Value],
    budget: &mut Budget,
) -> Result<Option<Value>, String> {
    let [first, more @ ..] = given else { return Ok(None) };
    let is_one = matches!(
        name,
        "upper"
            | "lower"
            | "trim"
            | "trimPrefix"
            | "trimSuffix"
            | "split"
            | "splitAfter"
            | "replace"
            | "indexOf"
            | "lastIndexOf"
            | "hasPrefix"
            | "hasSuffix"
    );
    if !is_one {
        return Ok(None);
    }
    let subject = text(first)?;
    let second = more.first().map(text).transpose()?;
    let answer = match (name, second) {
        ("upper", _) => subject.to_uppercase(),
        ("lower", _) => subject.to_lowercase(),
        ("trim", None) => subject.trim().to_owned(),
        ("trim", Some(cut)) => subject.trim_matches(|it: char| cut.contains(it)).to_owned(),
        ("trimPrefix", cut) => without(subject.strip_prefix(cut.unwrap_or(" ")), subject),
        ("trimSuffix", cut) => without(subject.strip_suffix(cut.unwrap_or(" ")), subject),
        ("replace", Some(from)) => replaced(subject, from, &more[1..], budget)?,
        ("hasPrefix", Some(part)) => return Ok(Some(Value::Bool(subject.starts_with(part)))),
        ("hasSuffix", Some(part)) => return Ok(Some(Value::Bool(subject.ends_with(part)))),
        ("indexOf", Some(part)) => return Ok(Some(position(subject.find(part)))),
        ("lastIndexOf", Some(part)) => return Ok(Some(position(subject.rfind(part)))),
        (_, Some(separator)) => return split(name, subject, separator, more.get(1), budget),
        _ => return Ok(None),
    };
    budget.make(answer.len())?;
    Ok(Some(Value::text(&answer)))
}

/// Repeats a text.
///
/// # Errors
/// Upstream's sentence, or the limit that was passed.
pub(super) fn repeated(given: &Value, count: &Value, budget: &mut Budget) -> Result<Value, String> {
    let (subject, count) = (text(given)?, whole(count)?);
    let count = usize::try_from(count).map_err(|_| {
        format!("invalid argument for repeat (expected positive integer, got {count})")
    })?;
    if count > MAX_REPEATS {
        return Err(format!("memory budget exceeded: repeat() of more than {MAX_REPEATS} times"));
    }
    budget.make(subject.len().saturating_mul(count))?;
    Ok(Value::text(&subject.repeat(count)))
}

fn without(cut: Option<&str>, whole: &str) -> String {
    cut.unwrap_or(whole).to_owned()
}

fn position(at: Option<usize>) -> Value {
    Value::Int(at.map_or(-1, |at| i64::try_from(at).unwrap_or(i64::MAX)))
}

fn replaced(
    subject: &str,
    from: &str,
    more: &[Value],
    budget: &mut Budget,
) -> Result<String, String> {
    let [to, more @ ..] = more else { return Err("replace() takes three texts".to_owned()) };
    let to = text(to)?;
    let most = match more.first() {
        Some(count) => usize::try_from(whole(count)?).unwrap_or(usize::MAX),
        None => usize::MAX,
    };
    let places = subject.matches(from).count().min(most);
    budget.make(places.saturating_mul(to.len()))?;
    Ok(subject.replacen(from, to, most))
}

/// Splits a text as Go does: between letters where the separator is empty, and into no more than so many
/// parts where a number is given that is not negative.
fn split(
    name: &str,
    subject: &str,
    separator: &str,
    most: Option<&Value>,
    budget: &mut Budget,
) -> Result<Option<Value>, String> {
    let most = match most {
        Some(most) => usize::try_from(whole(most)?).unwrap_or(usize::MAX),
        None => usize::MAX,
    };
    let cuts =
        if separator.is_empty() { subject.len() } else { subject.matches(separator).count() };
    budget.make((cuts + 1).min(most).saturating_mul(PART_BYTES).saturating_add(subject.len()))?;
    let kept = if name == "splitAfter" { separator.len() } else { 0 };
    let mut parts = Vec::new();
    let mut rest = subject;
    while parts.len() + 1 < most {
        let end = if separator.is_empty() {
            rest.chars().next().map(char::len_utf8).filter(|end| *end < rest.len())
        } else {
            rest.find(separator)
        };
        let Some(end) = end else { break };
        parts.push(Value::text(&rest[..end + kept]));
        rest = &rest[end + separator.len()..];
    }
    if most > 0 && !(separator.is_empty() && rest.is_empty()) {
        parts.push(Value::text(rest));
    }
    Value::list(parts).map(Some)
}
