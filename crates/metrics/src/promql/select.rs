//! Selectors: which series, and which of their samples.

use super::eval::Evaluator;
use super::value::{Element, Matrix, SeriesPoints, Window};
use super::{Generation, QueryError, text};
use crate::labels::{Labels, METRIC_NAME};
use crate::number;
use crate::series::{Point, Ring, SeriesStore};
use promql_parser::label::{MatchOp, Matchers};
use promql_parser::parser::{AtModifier, MatrixSelector, Offset, VectorSelector};
use std::time::{Duration, SystemTime};

/// The series that all matchers select, in the order of their labels.
pub(crate) fn matching_series<'a>(
    store: &'a SeriesStore,
    matchers: &Matchers,
) -> Vec<(&'a Labels, &'a Ring)> {
    let named = matchers
        .matchers
        .iter()
        .find(|m| m.name == METRIC_NAME && m.op == MatchOp::Equal && !m.value.is_empty());
    let all = |labels: &Labels| {
        matchers.matchers.iter().all(|matcher| matcher.is_match(labels.get(&matcher.name)))
    };
    let mut found = store.series(named.map(|matcher| matcher.value.as_str()));
    found.retain(|(labels, _)| all(labels));
    found
}

impl<'a> Evaluator<'a> {
    /// The newest value of each selected series, with the time it was taken.
    pub(super) fn newest(
        &self,
        selector: &VectorSelector,
        at: i64,
    ) -> Result<Vec<(Element, i64)>, QueryError> {
        let at = self.shifted(at, selector.at.as_ref(), selector.offset.as_ref());
        let oldest = at.saturating_sub(self.lookback_millis());
        let mut found = Vec::new();
        for (labels, ring) in self.selection(selector).iter() {
            let upto = ring.partition_point(|point| point.at <= at);
            let newest = upto.checked_sub(1).and_then(|index| ring.get(index));
            let Some(point) = newest.filter(|point| self.is_within(point.at, oldest)) else {
                continue;
            };
            if !number::is_stale(point.value) {
                let element = Element { labels: (*labels).clone(), value: point.value };
                found.push((element, point.at));
            }
        }
        self.spend(found.len())?;
        Ok(found)
    }

    pub(super) fn window_of(
        &self,
        selector: &MatrixSelector,
        at: i64,
    ) -> Result<Matrix, QueryError> {
        let end = self.shifted(at, selector.vs.at.as_ref(), selector.vs.offset.as_ref());
        let window = Window { start: end.saturating_sub(millis(selector.range)), end };
        let mut series = Vec::new();
        for (labels, ring) in self.selection(&selector.vs).iter() {
            let points = self.points(ring, window);
            self.spend(points.len())?;
            if !points.is_empty() {
                series.push(SeriesPoints { labels: (*labels).clone(), points });
            }
        }
        Ok(Matrix { series, window })
    }

    /// The time a selector looks at when it is evaluated at `at`.
    pub(super) fn shifted(
        &self,
        at: i64,
        modifier: Option<&AtModifier>,
        offset: Option<&Offset>,
    ) -> i64 {
        let (start, end) = self.bounds;
        let at = match modifier {
            None => at,
            Some(AtModifier::Start) => start,
            Some(AtModifier::End) => end,
            Some(AtModifier::At(time)) => unix_millis(*time),
        };
        match offset {
            None => at,
            Some(Offset::Pos(span)) => at.saturating_sub(millis(*span)),
            Some(Offset::Neg(span)) => at.saturating_add(millis(*span)),
        }
    }

    pub(super) fn is_within(&self, at: i64, start: i64) -> bool {
        match self.options.generation {
            Generation::V2 => at >= start,
            Generation::V3 => at > start,
        }
    }

    fn points(&self, ring: &Ring, window: Window) -> Vec<Point> {
        let first = ring.partition_point(|point| !self.is_within(point.at, window.start));
        let kept = ring.range(first..).take_while(|point| point.at <= window.end);
        kept.filter(|point| !number::is_stale(point.value)).copied().collect()
    }

    fn selection(&self, selector: &VectorSelector) -> std::rc::Rc<[(&'a Labels, &'a Ring)]> {
        let key = std::ptr::from_ref(selector).addr();
        if let Some(known) = self.selections.borrow().get(&key) {
            return known.clone();
        }
        let matchers = text::with_name(selector.matchers.clone(), selector.name.clone());
        let found: std::rc::Rc<[_]> = matching_series(self.store, &matchers).into();
        self.selections.borrow_mut().insert(key, found.clone());
        found
    }
}

pub(super) fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

fn unix_millis(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => millis(since),
        Err(before) => -millis(before.duration()),
    }
}
