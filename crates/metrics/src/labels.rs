//! Label sets: the identity of a series.

use std::fmt;
use std::sync::Arc;

/// The label that holds a metric's name.
pub const METRIC_NAME: &str = "__name__";

type Pair = (Arc<str>, Arc<str>);

/// A set of labels sorted by name, without empty values; copies share their memory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<[Pair]>);

impl Default for Labels {
    fn default() -> Self {
        Self(Arc::from(Vec::new()))
    }
}

impl Labels {
    /// A set of the given pairs; the last of equal names wins and empty values are left out.
    pub fn new<N: Into<Arc<str>>, V: Into<Arc<str>>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut builder = Builder { pairs: Vec::new() };
        for (name, value) in pairs {
            builder.set(name.into(), value.into());
        }
        builder.finish()
    }

    /// The value of `name`, or the empty string, which is what PromQL takes a missing label for.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| &**n == name).map_or("", |(_, v)| v)
    }

    /// The metric's name, or the empty string.
    pub fn metric_name(&self) -> &str {
        self.get(METRIC_NAME)
    }

    /// Every pair in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (&**n, &**v))
    }

    /// Whether no label is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same set without the metric's name.
    #[must_use]
    pub fn without_name(&self) -> Self {
        self.dropping(|name| name == METRIC_NAME)
    }

    /// The same set without the labels for which `drops` holds.
    #[must_use]
    pub fn dropping(&self, drops: impl Fn(&str) -> bool) -> Self {
        if self.0.iter().any(|(n, _)| drops(n)) {
            Self(self.0.iter().filter(|(n, _)| !drops(n)).cloned().collect())
        } else {
            self.clone()
        }
    }

    /// A copy to be changed label by label.
    pub fn edit(&self) -> Builder {
        Builder { pairs: self.0.to_vec() }
    }

    /// Where in memory the set is: the same for copies, and for no other set while one is held.
    pub(crate) fn place(&self) -> usize {
        self.0.as_ptr().addr()
    }

    pub(crate) fn shared_pairs(&self) -> &[Pair] {
        &self.0
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.metric_name())?;
        f.write_str("{")?;
        let others = self.iter().filter(|(name, _)| *name != METRIC_NAME);
        for (index, (name, value)) in others.enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name}={value:?}")?;
        }
        f.write_str("}")
    }
}

/// A label set under construction.
#[derive(Clone, Debug)]
pub struct Builder {
    pairs: Vec<Pair>,
}

impl Builder {
    /// Sets a label; an empty value removes it.
    pub fn set(&mut self, name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) {
        let (name, value) = (name.into(), value.into());
        self.pairs.retain(|(n, _)| *n != name);
        if !value.is_empty() {
            self.pairs.push((name, value));
        }
    }

    /// The finished set.
    pub fn finish(mut self) -> Labels {
        self.pairs.sort();
        Labels(Arc::from(self.pairs))
    }
}

/// Whether `name` may name a label: a letter or underscore, then letters, digits and underscores.
pub fn is_label_name(name: &str) -> bool {
    let head = |c: char| c.is_ascii_alphabetic() || c == '_';
    let tail = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().next().is_some_and(head) && name.chars().all(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_sorted_and_has_no_empty_values() {
        let labels = Labels::new([("b", "2"), ("a", "1"), ("c", ""), ("b", "3")]);
        let pairs: Vec<_> = labels.iter().collect();
        assert_eq!(pairs, [("a", "1"), ("b", "3")]);
    }

    #[test]
    fn a_set_reads_as_a_selector() {
        let labels = Labels::new([(METRIC_NAME, "up"), ("job", "a\"b")]);
        assert_eq!(labels.to_string(), r#"up{job="a\"b"}"#);
    }
}
