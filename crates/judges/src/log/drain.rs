//! Templates of masked lines, by Drain (He, Zhu, Zheng and Lyu 2017): a tree of fixed depth.
//!
//! A line is compared only with templates that have as many words and the same first two; it belongs to
//! the one with the most words in common, if those are enough, and where they differ the template gets a
//! gap. Otherwise it is a new template. Templates are few, so the tree is a filter over a list.

use serde::{Deserialize, Serialize};

/// Templates after which everything new is one and the same.
pub const MAX_TEMPLATES: usize = 100;
/// Words of a line that are looked at.
const MAX_WORDS: usize = 64;
/// The first words that must be the same.
const FIXED_WORDS: usize = 2;
/// The share of words that a line must have in common with its template.
const SIMILAR_FROM: f64 = 0.4;
/// What stands where lines differ.
const GAP: &str = "<*>";
/// The text of the template of all that came too late.
const OTHER: &str = "(other lines)";

/// What lines have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template {
    words: Vec<String>,
}

impl Template {
    /// Its words, with gaps.
    pub fn text(&self) -> String {
        self.words.join(" ")
    }

    /// How many words it has in common with a line that may belong to it.
    fn similarity(&self, words: &[&str]) -> Option<usize> {
        let may_belong = self.words.len() == words.len()
            && self.words.iter().zip(words).take(FIXED_WORDS).all(|(a, b)| same_place(a, b));
        let common = || self.words.iter().zip(words).filter(|(a, b)| a == *b).count();
        may_belong.then(common)
    }

    fn open_gaps(&mut self, words: &[&str]) {
        for (ours, theirs) in self.words.iter_mut().zip(words) {
            if ours != theirs {
                GAP.clone_into(ours);
            }
        }
    }
}

/// Whether two words lead to the same branch: masked words all do.
fn same_place(a: &str, b: &str) -> bool {
    a == b || (a.contains('<') && b.contains('<'))
}

/// Templates, by first appearance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Drain {
    templates: Vec<Template>,
}

impl Drain {
    /// The templates; a place in this list stays a template's own.
    pub fn templates(&self) -> &[Template] {
        &self.templates
    }

    /// Finds or makes the template of a masked line, and returns its place.
    pub fn learn(&mut self, masked: &str) -> usize {
        let words: Vec<&str> = masked.split(' ').take(MAX_WORDS).collect();
        if let Some(place) = self.find(&words) {
            self.templates[place].open_gaps(&words);
            return place;
        }
        if self.templates.len() >= MAX_TEMPLATES {
            return MAX_TEMPLATES - 1;
        }
        let is_last = self.templates.len() == MAX_TEMPLATES - 1;
        let words = if is_last { vec![OTHER] } else { words };
        self.templates.push(Template { words: words.into_iter().map(str::to_owned).collect() });
        self.templates.len() - 1
    }

    /// The most similar template; of equals the oldest.
    fn find(&self, words: &[&str]) -> Option<usize> {
        let similar = |(place, template): (usize, &Template)| {
            template.similarity(words).map(|common| (common, place))
        };
        let candidates = self.templates.iter().enumerate().filter_map(similar);
        let (common, place) =
            candidates.max_by_key(|(common, place)| (*common, std::cmp::Reverse(*place)))?;
        let share = crate::numeric::real(common as u64) / crate::numeric::size(words).max(1.0);
        (share >= SIMILAR_FROM).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], expected: &[&str]) {
        let mut drain = Drain::default();
        for line in lines {
            drain.learn(line);
        }
        let texts: Vec<String> = drain.templates().iter().map(Template::text).collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn lines_that_differ_in_some_words_are_one_template() {
        check(
            &[
                "ERROR no user bob in shop",
                "ERROR no user eve in shop",
                "ERROR no cart for you at all",
            ],
            &["ERROR no user <*> in shop", "ERROR no cart for you at all"],
        );
    }

    #[test]
    fn lines_of_another_length_beginning_or_content_are_other_templates() {
        check(&["a b c", "a b c d", "x b c", "a b c"], &["a b c", "a b c d", "x b c"]);
        check(&["a b c d e f", "a b x y z w"], &["a b c d e f", "a b x y z w"]);
    }

    #[test]
    fn too_many_templates_are_one() {
        let mut drain = Drain::default();
        for index in 0..2 * MAX_TEMPLATES {
            drain.learn(&format!("first{index} second"));
        }
        assert_eq!(drain.templates().len(), MAX_TEMPLATES);
        assert_eq!(drain.templates()[MAX_TEMPLATES - 1].text(), OTHER);
        assert_eq!(drain.learn("first3 second"), 3);
        assert_eq!(drain.learn("never seen"), MAX_TEMPLATES - 1);
    }
}
