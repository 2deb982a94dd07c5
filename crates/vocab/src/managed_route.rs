//! Routes that a rollout puts into a router's objects for a while, beside those that people wrote.

use serde::{Deserialize, Serialize};

/// A route that a step asks for, by its name among `managedRoutes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedRoute {
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: ManagedKind,
}

impl ManagedRoute {
    /// The name of the rule of this number, from 0 on, in a route.
    pub fn rule_name(&self, number: usize) -> String {
        if number == 0 { self.name.clone() } else { format!("{}-{number}", self.name) }
    }

    /// Whether a rule has the name of one of the managed route of this name.
    pub fn is_rule_of(rule: &str, managed: &str) -> bool {
        let number = rule.strip_prefix(managed).and_then(|rest| rest.strip_prefix('-'));
        rule == managed || number.is_some_and(|number| number.parse::<u32>().is_ok())
    }
}

/// What a managed route does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ManagedKind {
    /// Leads the requests that have all of these headers to the canary.
    Header(Vec<NamedText>),
    /// Leads requests as everywhere else, and a copy of some of them to the canary.
    Mirror {
        /// The requests it is for: those that are like one of these.
        matches: Vec<RequestMatch>,
        /// How many of a hundred are copied.
        percent: u8,
    },
}

/// What a request must be like in every respect that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestMatch {
    /// Its method, such as `GET`.
    pub method: Option<String>,
    /// Its path; a prefix is one of whole segments.
    pub path: Option<TextMatch>,
    /// Its headers, all of them.
    pub headers: Vec<NamedText>,
}

/// A header and what it must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedText {
    /// Name of the header.
    pub name: String,
    /// What it must hold.
    pub value: TextMatch,
}

/// How a text is matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TextMatch {
    /// It is this.
    Exact(String),
    /// It begins with this.
    Prefix(String),
    /// The whole of it matches this regular expression.
    Pattern(String),
}
