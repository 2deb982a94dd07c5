//! Playing many cases of many stories, a few at a time.

use crate::{
    divergence::Divergence,
    run::Reference,
    story::Story,
    suites::{Case, Suite},
    tally::{Named, Regressions, SuiteTally, Tally},
};
use rehearsal::Conditions;
use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// How much is played.
#[derive(Clone, Debug)]
pub struct Season {
    /// The suites.
    pub suites: Vec<Suite>,
    /// Only the case of this name.
    pub case: Option<String>,
    /// Decides what is left to chance.
    pub seed: u64,
    /// How many of a suite's cases.
    pub extent: Extent,
    /// How many runs go on at once.
    pub jobs: usize,
}

/// How many of a suite's cases are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// A part that stands for the whole within minutes.
    Ci,
    /// As many as fit into half an hour.
    Whole,
    /// Every case there is.
    Everything,
}

/// One run that was not as it had to be.
#[derive(Clone, Debug)]
pub struct Diverged {
    /// The suite's name.
    pub suite: &'static str,
    /// The story's name.
    pub story: String,
    /// The case's name.
    pub case: String,
    /// Decided what was left to chance.
    pub seed: u64,
    /// How long the run took in real time.
    pub took: Duration,
    /// What was wrong.
    pub found: Vec<Divergence>,
}

impl std::fmt::Display for Diverged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { suite, story, case, seed, .. } = self;
        write!(
            f,
            "cargo xtask sim --suite {suite} --scenario {story} --case {case} --seed {seed}"
        )?;
        self.found.iter().try_for_each(|divergence| write!(f, "\n    {divergence}"))
    }
}

/// A story with what it is like when nothing goes wrong.
#[derive(Clone, Debug)]
pub struct Known {
    /// The story.
    pub story: Story,
    /// Its reference.
    pub reference: Reference,
}

struct Job<'a> {
    known: &'a Known,
    case: Case,
}

impl Season {
    /// Plays every story undisturbed.
    ///
    /// # Errors
    /// Which story cannot be played, and why.
    pub fn know(&self, stories: &[Story]) -> Result<Vec<Known>, String> {
        let known = each(self.jobs, stories, |story| {
            let reference = Reference::of(story, Conditions::default());
            let reference =
                reference.map_err(|why| format!("{} cannot be played: {why}", story.name))?;
            Ok(Known { story: story.clone(), reference })
        });
        known.into_iter().collect()
    }

    /// Plays the suites; `tell` hears of each run that diverged.
    pub fn play(&self, known: &[Known], tell: impl Fn(&Diverged) + Sync) -> Tally {
        let mut tally = Tally { regressions: regressions(known), ..Tally::default() };
        for suite in &self.suites {
            tally.suites.insert(Named(suite.name), self.play_suite(suite, known, &tell));
        }
        tally
    }

    /// Every case that is played, with its suite and its story.
    pub fn chosen<'a>(&self, known: &'a [Known]) -> Vec<(Suite, &'a Known, Case)> {
        let of = |suite: &Suite| {
            let suite = *suite;
            let jobs = self.jobs_of(&suite, known).into_iter();
            jobs.map(move |job| (suite, job.known, job.case))
        };
        self.suites.iter().flat_map(of).collect()
    }

    fn play_suite(
        &self,
        suite: &Suite,
        known: &[Known],
        tell: &(impl Fn(&Diverged) + Sync),
    ) -> SuiteTally {
        let began = Instant::now();
        let jobs = self.jobs_of(suite, known);
        let scenarios: BTreeSet<_> = jobs.iter().map(|job| &job.known.story.name).collect();
        let verdicts = each(self.jobs, &jobs, |job| {
            let started = Instant::now();
            let found = job.case.judge(&job.known.story, &job.known.reference);
            let (story, case) = (job.known.story.name.clone(), job.case.name.clone());
            let (seed, took) = (self.seed, started.elapsed());
            let diverged = Diverged { suite: suite.name, story, case, seed, took, found };
            if !diverged.found.is_empty() {
                tell(&diverged);
            }
            diverged.found.is_empty()
        });
        SuiteTally {
            scenarios: scenarios.len(),
            runs: jobs.len(),
            divergences: verdicts.iter().filter(|is_good| !**is_good).count(),
            seconds: (began.elapsed().as_secs_f64() * 10.0).round() / 10.0,
        }
    }

    /// The cases that are played: spread evenly over all stories, so that a part stands for the whole.
    fn jobs_of<'a>(&self, suite: &Suite, known: &'a [Known]) -> Vec<Job<'a>> {
        let mut jobs = Vec::new();
        for known in known {
            let cases = (suite.cases)(&known.story, &known.reference, self.seed);
            let cases = cases.into_iter().filter(|case| self.wants(case));
            jobs.extend(cases.map(|case| Job { known, case }));
        }
        let most = match self.extent {
            Extent::Ci => suite.runs.ci,
            Extent::Whole => suite.runs.whole,
            Extent::Everything => usize::MAX,
        };
        spread(jobs, most)
    }

    fn wants(&self, case: &Case) -> bool {
        self.case.as_ref().is_none_or(|only| *only == case.name)
    }
}

/// So many of some things, the first of as many equal parts each.
fn spread<T>(things: Vec<T>, most: usize) -> Vec<T> {
    let all = things.len();
    if all <= most {
        return things;
    }
    let chosen: BTreeSet<usize> =
        (0..most).map(|number| number * all / most + all / most / 2).collect();
    let kept = things.into_iter().enumerate().filter(|(index, _)| chosen.contains(index));
    kept.map(|(_, thing)| thing).collect()
}

/// The stories of the folder `regressions` are named after the product whose bug they tell.
fn regressions(known: &[Known]) -> Regressions {
    let is_regression = |known: &&Known| {
        known.story.name.starts_with("argo_") || known.story.name.starts_with("flagger_")
    };
    let stories: Vec<_> = known.iter().filter(is_regression).collect();
    let passing = stories.iter().filter(|known| known.reference.ran.report.ok).count();
    Regressions { total: stories.len(), passing }
}

/// Does something with each of some things, `workers` at once; results are in the things' order.
pub(crate) fn each<T: Sync, R: Send>(
    workers: usize,
    things: &[T],
    act: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for _ in 0..workers.max(1) {
            threads.spawn(|| {
                let take = || next.fetch_add(1, Ordering::Relaxed);
                for index in std::iter::repeat_with(take).take_while(|index| *index < things.len())
                {
                    let result = act(&things[index]);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_spread_over_the_whole() {
        assert_eq!(spread((0..10).collect(), 5), [1, 3, 5, 7, 9]);
        assert_eq!(spread((0..10).collect(), 3), [1, 4, 7]);
        assert_eq!(spread(vec![1, 2], 5), [1, 2]);
    }
}
