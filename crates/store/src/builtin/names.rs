//! The forms of names, labels, ports and quantities.

/// The longest DNS label.
const LABEL_LIMIT: usize = 63;
/// The longest DNS subdomain.
const SUBDOMAIN_LIMIT: usize = 253;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const WORD_LABEL: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
pub(crate) const QUALIFIED_NAME: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
pub(crate) const NO_NAME: &str = "name part must be non-empty";
const LABEL_KEY: &str = "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const OPTIONAL_PREFIX: &str =
    "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/// Why a text is not a form; `None` when it is.
pub(crate) type Verdict = Option<String>;

/// The form of most names.
pub(crate) fn subdomain(text: &str) -> Verdict {
    too_long(text, SUBDOMAIN_LIMIT)
        .or_else(|| (!text.split('.').all(is_label)).then(|| SUBDOMAIN.to_owned()))
}

/// The form of namespaces and containers.
pub(crate) fn label(text: &str) -> Verdict {
    if text.contains('.') {
        return Some("must not contain dots".to_owned());
    }
    too_long(text, LABEL_LIMIT).or_else(|| (!is_label(text)).then(|| LABEL.to_owned()))
}

/// The form of names that become words in paths and code.
pub(crate) fn word_label(text: &str) -> Verdict {
    let good = is_label(text) && text.starts_with(|c: char| c.is_ascii_lowercase());
    too_long(text, LABEL_LIMIT).or_else(|| (!good).then(|| WORD_LABEL.to_owned()))
}

/// Why a text is not the name of a port: every reason there is.
pub(crate) fn port(text: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if text.len() > 15 {
        return vec!["must be no more than 15 characters".to_owned()];
    }
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !text.chars().all(good) {
        reasons.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    }
    if !text.contains(|c: char| c.is_ascii_lowercase()) {
        reasons.push("must contain at least one letter (a-z)");
    }
    if text.contains("--") {
        reasons.push("must not contain consecutive hyphens");
    }
    if text.starts_with('-') || text.ends_with('-') {
        reasons.push("must not begin or end with a hyphen");
    }
    reasons.into_iter().map(str::to_owned).collect()
}

/// The form of names that only have to be one path segment, as RBAC's.
pub(crate) fn path_segment(text: &str) -> Verdict {
    match text {
        "." | ".." => Some(format!("may not be '{text}'")),
        _ if text.contains('/') => Some("may not contain '/'".into()),
        _ if text.contains('%') => Some("may not contain '%'".into()),
        _ => None,
    }
}

/// The form of label values.
pub(crate) fn label_value(text: &str) -> Verdict {
    too_long(text, LABEL_LIMIT)
        .or_else(|| (!text.is_empty() && !is_word(text)).then(|| LABEL_VALUE.to_owned()))
}

/// The form of label and annotation keys.
pub(crate) fn qualified_name(text: &str) -> Verdict {
    if text.matches('/').count() > 1 {
        return Some(format!("{LABEL_KEY} {OPTIONAL_PREFIX}"));
    }
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    if let Some(bad) = prefix.and_then(subdomain) {
        return Some(format!("prefix part {bad}"));
    }
    if name.is_empty() {
        return Some(NO_NAME.into());
    }
    if name.len() > LABEL_LIMIT {
        return Some("name part must be no more than 63 bytes".into());
    }
    (!is_word(name)).then(|| QUALIFIED_NAME.to_owned())
}

/// The form of keys in config maps and secrets.
pub(crate) fn config_key(text: &str) -> Verdict {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fits = !text.is_empty() && text.chars().all(good);
    too_long(text, SUBDOMAIN_LIMIT).or_else(|| (!fits).then(|| CONFIG_KEY.to_owned()))
}

fn too_long(text: &str, limit: usize) -> Verdict {
    (text.len() > limit).then(|| format!("must be no more than {limit} bytes"))
}

fn is_label(text: &str) -> bool {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(good) && text.ends_with(good) && text.chars().all(|c| good(c) || c == '-')
}

fn is_word(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(edge)
        && text.ends_with(edge)
        && text.chars().all(|c| edge(c) || matches!(c, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_apart() {
        let check = |form: fn(&str) -> Verdict, text: &str, good: bool| {
            assert_eq!(form(text).is_none(), good, "{text}");
        };
        check(subdomain, "a.b-c.d", true);
        check(subdomain, "A", false);
        check(subdomain, "a..b", false);
        check(label, "1a", true);
        check(label, "a.b", false);
        check(label_value, "", true);
        check(label_value, "-a", false);
        check(qualified_name, "example.com/a_b", true);
        check(qualified_name, "example.com/", false);
        check(config_key, "a b", false);
    }
}
