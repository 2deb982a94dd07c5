//! Which elements of two vectors belong together.

use super::arithmetic::Operator;
use super::value::Element;
use super::{Generation, QueryError};
use crate::labels::{Labels, METRIC_NAME};
use promql_parser::parser::{BinModifier, LabelModifier, VectorMatchCardinality};
use std::collections::{BTreeMap, BTreeSet};

/// How two vectors are matched.
pub(super) struct Matching<'a> {
    labels: &'a [String],
    on: bool,
    card: VectorMatchCardinality,
}

impl<'a> Matching<'a> {
    pub(super) fn of(modifier: Option<&'a BinModifier>) -> Self {
        let card = modifier.map_or(VectorMatchCardinality::OneToOne, |m| m.card.clone());
        match modifier.and_then(|modifier| modifier.matching.as_ref()) {
            Some(LabelModifier::Include(names)) => Self { labels: &names.labels, on: true, card },
            Some(LabelModifier::Exclude(names)) => Self { labels: &names.labels, on: false, card },
            None => Self { labels: &[], on: false, card },
        }
    }

    /// What an element must have in common with its partner.
    pub(super) fn signature(&self, labels: &Labels) -> Labels {
        labels.dropping(|name| {
            if self.on { !self.lists(name) } else { name == METRIC_NAME || self.lists(name) }
        })
    }

    /// The results of `operation` on every pair.
    pub(super) fn pairs(
        &self,
        operation: Operation,
        left: Vec<Element>,
        right: Vec<Element>,
    ) -> Result<Vec<Element>, QueryError> {
        let swapped = matches!(self.card, VectorMatchCardinality::OneToMany(_));
        let (many, one) = if swapped { (right, left) } else { (left, right) };
        let partners = self.partners(&one, if swapped { "left" } else { "right" })?;
        let mut seen: BTreeMap<Labels, BTreeSet<Labels>> = BTreeMap::new();
        let mut results = Vec::new();
        for element in many {
            let signature = self.signature(&element.labels);
            let Some(partner) = partners.get(&signature) else { continue };
            let (l, r) = if swapped {
                (partner.value, element.value)
            } else {
                (element.value, partner.value)
            };
            let Some(value) = operation.value(l, r) else { continue };
            let labels = self.labels_of(&operation.labels(&element.labels), &partner.labels);
            self.check_unique(&mut seen, signature, &labels)?;
            results.push(Element { labels, value });
        }
        Ok(results)
    }

    fn lists(&self, name: &str) -> bool {
        self.labels.iter().any(|listed| listed == name)
    }

    fn is_one_to_one(&self) -> bool {
        matches!(self.card, VectorMatchCardinality::OneToOne)
    }

    fn partners<'e>(
        &self,
        one: &'e [Element],
        side: &str,
    ) -> Result<BTreeMap<Labels, &'e Element>, QueryError> {
        let mut partners: BTreeMap<Labels, &Element> = BTreeMap::new();
        for element in one {
            let signature = self.signature(&element.labels);
            if let Some(other) = partners.get(&signature) {
                return Err(QueryError::failed(format!(
                    "found duplicate series for the match group {signature} on the {side} \
                     hand-side of the operation: [{}, {}];many-to-many matching not allowed: \
                     matching labels must be unique on one side",
                    element.labels, other.labels
                )));
            }
            partners.insert(signature, element);
        }
        Ok(partners)
    }

    fn labels_of(&self, kept: &Labels, one: &Labels) -> Labels {
        match &self.card {
            VectorMatchCardinality::ManyToOne(include)
            | VectorMatchCardinality::OneToMany(include) => {
                let mut labels = kept.edit();
                for name in &include.labels {
                    labels.set(name.as_str(), one.get(name));
                }
                labels.finish()
            }
            _ if self.on => kept.dropping(|name| !self.lists(name)),
            _ => kept.dropping(|name| self.lists(name)),
        }
    }

    fn check_unique(
        &self,
        seen: &mut BTreeMap<Labels, BTreeSet<Labels>>,
        signature: Labels,
        labels: &Labels,
    ) -> Result<(), QueryError> {
        let results = seen.entry(signature).or_default();
        if self.is_one_to_one() && !results.is_empty() {
            return Err(QueryError::failed(
                "multiple matches for labels: many-to-one matching must be explicit \
                 (group_left/group_right)",
            ));
        }
        if !results.insert(labels.clone()) {
            return Err(QueryError::failed(
                "multiple matches for labels: grouping labels must ensure unique matches",
            ));
        }
        Ok(())
    }
}

/// What a comparison gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Returns {
    /// The elements for which it holds.
    Matches,
    /// 1 or 0 for every element, which is what `bool` asks for.
    Truth,
}

/// An operator as it stands in a query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    pub(super) operator: Operator,
    pub(super) returns: Returns,
    pub(super) generation: Generation,
}

impl Operation {
    pub(super) fn value(self, left: f64, right: f64) -> Option<f64> {
        let value = self.operator.apply(left, right);
        match self.returns {
            Returns::Matches => value,
            Returns::Truth => Some(if value.is_some() { 1.0 } else { 0.0 }),
        }
    }

    /// Whether elements are passed on as they are.
    pub(super) fn filters(self) -> bool {
        self.operator.is_comparison() && self.returns == Returns::Matches
    }

    /// The labels of a result; Prometheus 2 forgot to drop the name for one operator.
    pub(super) fn labels(self, labels: &Labels) -> Labels {
        let forgotten = self.operator == Operator::Atan2 && self.generation == Generation::V2;
        if self.filters() || forgotten { labels.clone() } else { labels.without_name() }
    }
}
