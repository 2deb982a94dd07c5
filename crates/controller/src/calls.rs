//! Calls to metric providers, made beside the loop.
//!
//! The planner asks for a call; its answer waits here until the plan that used it has been carried out.
//! A slow provider therefore blocks nobody, and after a restart the same call is simply made again.
//!
//! **Invariant.** One call of a key and an id is under way at a time, and never more than
//! [`CALLS_MAX`] in all.

use crate::{http_caller::HttpCaller, key::Key, metrics::Metrics};
use plan::analysis_run::{self, MeasurementCall};
use providers::Destination;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};
use tokio::task::{self, JoinSet};
use vocab::{Reply, ReplyError};

/// How many calls are under way at once.
const CALLS_MAX: usize = 64;
/// Why there is no answer to a call whose task did not come to its end.
const BROKEN_OFF: &str = "the call broke off";

/// What came of a call.
type Answer = Result<Reply, ReplyError>;
/// A run and the name of one of its metrics.
type Id = (Key, String);

/// Who asks whom.
pub(crate) struct Callers {
    /// Asks metric services over the network.
    pub(crate) network: Arc<dyn HttpCaller>,
    /// Asks the API server.
    pub(crate) cluster: Arc<dyn HttpCaller>,
}

impl Callers {
    fn of(&self, to: Destination) -> Arc<dyn HttpCaller> {
        Arc::clone(match to {
            Destination::Network => &self.network,
            Destination::Cluster => &self.cluster,
        })
    }
}

/// Calls under way and answers not used yet.
pub(crate) struct Calls {
    callers: Callers,
    metrics: Arc<Metrics>,
    known: BTreeMap<Key, BTreeMap<String, Entry>>,
    waiting: VecDeque<Id>,
    running: JoinSet<Answer>,
    /// What each task asks; a task that is not listed is no longer heard.
    asked: HashMap<task::Id, Id>,
}

struct Entry {
    call: MeasurementCall,
    answer: Option<Answer>,
}

impl Calls {
    /// No calls yet; they will be made through `callers`.
    pub(crate) fn new(callers: Callers, metrics: Arc<Metrics>) -> Self {
        let (known, waiting) = (BTreeMap::new(), VecDeque::new());
        let (running, asked) = (JoinSet::new(), HashMap::new());
        Self { callers, metrics, known, waiting, running, asked }
    }

    /// Makes the calls of a plan, one a metric.
    pub(crate) fn make(&mut self, key: &Key, calls: Vec<MeasurementCall>) {
        for call in calls {
            let metric = call.metric.clone();
            let of_key = self.known.entry(key.clone()).or_default();
            if of_key.insert(metric.clone(), Entry { call, answer: None }).is_none() {
                self.waiting.push_back((key.clone(), metric));
            }
        }
        self.start_waiting();
    }

    /// The next key that has an answer; nothing while no call is under way.
    pub(crate) async fn next(&mut self) -> Option<Key> {
        loop {
            let (task, answer) = match self.running.join_next_with_id().await? {
                Ok((task, answer)) => (task, Some(answer)),
                Err(error) => (error.id(), None),
            };
            let asked = self.asked.remove(&task);
            let broken_off = asked.as_ref().map(|_| "unreachable");
            if let Some(outcome) = answer.as_ref().map(outcome).or(broken_off) {
                self.metrics.count_call(outcome);
            }
            self.start_waiting();
            if let Some((key, metric)) = asked {
                self.keep(&key, &metric, answer);
                return Some(key);
            }
        }
    }

    /// Names of the metrics of a key that wait for an answer.
    pub(crate) fn in_flight(&self, key: &Key) -> BTreeSet<String> {
        let known = self.known.get(key).into_iter().flatten();
        let open = known.filter(|(_, entry)| entry.answer.is_none());
        open.map(|(metric, _)| metric.clone()).collect()
    }

    /// Whether these metrics of a key wait for an answer and no others, and no answer waits for a plan.
    pub(crate) fn awaits_just(&self, key: &Key, metrics: &BTreeSet<String>) -> bool {
        let known = self.known.get(key).into_iter().flatten();
        let is_open =
            |(metric, entry): (&String, &Entry)| entry.answer.is_none() && metrics.contains(metric);
        known.clone().count() == metrics.len() && known.clone().all(is_open)
    }

    /// The answers that wait for a key's next plan.
    pub(crate) fn answers(&self, key: &Key) -> Vec<analysis_run::Answer> {
        let known = self.known.get(key).into_iter().flatten();
        known.filter_map(|(_, entry)| Some((entry.call.clone(), entry.answer.clone()?))).collect()
    }

    /// Drops answers that a plan has used.
    pub(crate) fn used(&mut self, key: &Key, metrics: &[String]) {
        if let Some(known) = self.known.get_mut(key) {
            known.retain(|metric, _| !metrics.contains(metric));
        }
    }

    /// Forgets a key that is gone; what is under way ends unheard.
    pub(crate) fn forget(&mut self, key: &Key) {
        self.known.remove(key);
        self.waiting.retain(|(of, _)| of != key);
        self.asked.retain(|_, (of, _)| of != key);
    }

    /// Forgets everything, because somebody else measures now.
    pub(crate) fn clear(&mut self) {
        self.known.clear();
        self.waiting.clear();
        self.asked.clear();
        self.running.abort_all();
    }

    /// Keeps an answer; a call that broke off counts as one that reached nobody.
    fn keep(&mut self, key: &Key, metric: &str, answer: Option<Answer>) {
        let entry = self.known.get_mut(key).and_then(|known| known.get_mut(metric));
        let Some(entry) = entry else { return };
        let answer = answer.unwrap_or_else(|| {
            let (url, cause) = (entry.call.call.url.clone(), BROKEN_OFF.to_owned());
            Err(ReplyError::Unreachable { url, cause })
        });
        entry.answer = Some(answer);
    }

    fn start_waiting(&mut self) {
        while self.running.len() < CALLS_MAX {
            let Some(id) = self.waiting.pop_front() else { return };
            let entry = self.known.get(&id.0).and_then(|known| known.get(&id.1));
            let Some((call, to)) = entry.map(|entry| (entry.call.call.clone(), entry.call.to))
            else {
                continue;
            };
            let caller = self.callers.of(to);
            let task = self.running.spawn(async move { caller.call(call).await });
            self.asked.insert(task.id(), id);
        }
    }
}

fn outcome(answer: &Answer) -> &'static str {
    match answer {
        Ok(Reply { status: 200..=299, .. }) => "ok",
        Ok(_) => "refused",
        Err(ReplyError::Unreachable { .. }) => "unreachable",
        Err(ReplyError::TimedOut { .. }) => "timeout",
        Err(ReplyError::TooLong { .. }) => "tooLong",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Name;
    use futures::future::BoxFuture;
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        time::Duration,
    };
    use vocab::Call;

    struct Slow;

    impl HttpCaller for Slow {
        fn call(&self, call: Call) -> BoxFuture<'_, Answer> {
            Box::pin(async move {
                tokio::time::sleep(call.timeout).await;
                Ok(Reply { status: 200, headers: BTreeMap::new(), body: Vec::new() })
            })
        }
    }

    fn call(metric: &str, seconds: u64) -> MeasurementCall {
        let call = Call {
            method: "GET".to_owned(),
            url: "http://prometheus/".to_owned(),
            headers: Vec::new(),
            body: None,
            timeout: Duration::from_secs(seconds),
            insecure: false,
        };
        let (metric, state) = (metric.to_owned(), serde_json::Value::Null);
        let to = Destination::Network;
        MeasurementCall { metric, call, to, state, started_at: jiff::Timestamp::UNIX_EPOCH }
    }

    fn run(name: &str) -> Key {
        Key::Run(Name::new("shop", name))
    }

    fn calls() -> Calls {
        calls_through(Arc::new(Slow))
    }

    fn calls_through(network: Arc<dyn HttpCaller>) -> Calls {
        let callers = Callers { network, cluster: Arc::new(Slow) };
        Calls::new(callers, Arc::new(Metrics::default()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_provider_does_not_hold_back_a_quick_one() {
        let mut calls = calls();
        calls.make(&run("slow"), vec![call("rate", 60)]);
        calls.make(&run("quick"), vec![call("rate", 1)]);
        assert_eq!(calls.next().await, Some(run("quick")));
        assert_eq!(calls.next().await, Some(run("slow")));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_waits_until_it_is_used() {
        let mut calls = calls();
        calls.make(&run("a"), vec![call("rate", 1), call("latency", 2)]);
        let [rate, latency] = ["rate", "latency"].map(|name| BTreeSet::from([name.to_owned()]));
        let both = &rate | &latency;
        let awaits = |calls: &Calls, metrics| calls.awaits_just(&run("a"), metrics);
        assert!(awaits(&calls, &both) && !awaits(&calls, &latency));
        calls.next().await;
        assert_eq!(calls.in_flight(&run("a")), latency);
        assert_eq!(calls.answers(&run("a")).len(), 1);
        assert!(!awaits(&calls, &latency));
        calls.used(&run("a"), &["rate".to_owned()]);
        assert!(calls.answers(&run("a")).is_empty());
        assert!(awaits(&calls, &latency) && !awaits(&calls, &rate));
        assert!(calls.next().await.is_some());
        assert_eq!(calls.next().await, None);
    }

    /// Panics at its first call.
    struct PanicsOnce(AtomicBool);

    impl HttpCaller for PanicsOnce {
        fn call(&self, call: Call) -> BoxFuture<'_, Answer> {
            assert!(self.0.swap(true, Ordering::SeqCst), "the first call");
            Slow.call(call)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_panics_is_answered_as_unreachable_and_can_be_made_again() {
        let http = Arc::new(PanicsOnce(AtomicBool::new(false)));
        let mut calls = calls_through(http);
        for reached in [false, true] {
            calls.make(&run("a"), vec![call("rate", 1)]);
            assert_eq!(calls.next().await, Some(run("a")));
            assert!(calls.in_flight(&run("a")).is_empty());
            let answers = calls.answers(&run("a"));
            let unreachable = matches!(answers[0].1, Err(ReplyError::Unreachable { .. }));
            assert_eq!((answers.len(), unreachable), (1, !reached));
            calls.used(&run("a"), &["rate".to_owned()]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_leads_again_makes_each_call_once_and_hears_nothing_of_before() {
        let mut calls = calls();
        let names: Vec<String> = (0..=CALLS_MAX).map(|number| format!("m{number}")).collect();
        let all = |seconds| names.iter().map(|name| call(name, seconds)).collect();
        calls.make(&run("a"), all(1));
        tokio::time::sleep(Duration::from_secs(2)).await;
        calls.clear();
        calls.make(&run("a"), all(60));
        let began = tokio::time::Instant::now();
        for _ in &names {
            assert_eq!(calls.next().await, Some(run("a")));
            assert!(began.elapsed() >= Duration::from_mins(1));
        }
        assert_eq!((calls.next().await, calls.in_flight(&run("a")).len()), (None, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_no_longer_leads_forgets_what_it_asked() {
        let mut calls = calls();
        calls.make(&run("a"), vec![call("rate", 1)]);
        calls.clear();
        assert_eq!(calls.next().await, None);
        assert!(calls.in_flight(&run("a")).is_empty());
    }
}
