//! The gate: every request of its clients goes through [`Gate::pass`].

use crate::{
    answer,
    cut::{Cut, Moment},
    outage::{Outage, OutageSort, Outages, outlast},
    passed::{Fate, Passed, Sender, Verb, in_the_name_of, resource},
    past::{self, Memory, Past},
    rule::{Rule, Standing, Trouble},
    watches::{Disorder, WatchTrouble, befall, lines, mix},
};
use axum::{Router, body::Body, extract::Request, response::Response};
use clock::Clock;
use futures::{StreamExt, future::pending};
use kube::Client;
use std::{
    collections::{BTreeSet, VecDeque},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, watch};
use tower::{ServiceExt, service_fn};

/// How long a client waits for an answer: the default of kube's client.
const CLIENT_PATIENCE: Duration = Duration::from_secs(295);

/// What stands between clients and the API server. Copies share everything.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    clock: Clock,
    seed: u64,
    state: Mutex<State>,
    /// Kinds whose watches are held back.
    frozen: Mutex<BTreeSet<String>>,
    /// Told in the order of waiting, so that a run repeats.
    thawed: Notify,
    writes: watch::Sender<usize>,
    dead: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    lives: usize,
    cuts: VecDeque<Cut>,
    rules: Vec<Standing>,
    disorders: Vec<Disorder>,
    outages: Outages,
    memory: Memory,
    log: Vec<Passed>,
}

/// One client of the gate, from its making to its end.
struct Life {
    sender: Sender,
    cut: Option<Cut>,
    state: Mutex<LifeState>,
}

#[derive(Default)]
struct LifeState {
    writes: usize,
    is_over: bool,
}

impl Inner {
    fn frozen(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.frozen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a kind is not held back.
    async fn thawed(&self, resource: &str) {
        loop {
            let thawed = self.thawed.notified();
            if !self.frozen().contains(resource) {
                return;
            }
            thawed.await;
        }
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl Gate {
    /// A gate that lets everything through; `seed` decides what is left to chance later.
    pub fn open(clock: Clock, seed: u64) -> Self {
        Self(Arc::new(Inner {
            clock,
            seed,
            state: Mutex::default(),
            frozen: Mutex::default(),
            thawed: Notify::new(),
            writes: watch::Sender::default(),
            dead: watch::Sender::default(),
        }))
    }

    /// A client whose requests reach `router` through this gate, in the name of `name`. It begins a new
    /// life, which takes the next [`Cut`] if there is one.
    pub fn client(&self, router: Router, name: &str) -> Client {
        let mut state = self.state();
        let sender = Sender { name: name.to_owned(), life: state.lives };
        state.lives += 1;
        let cut = state.cuts.pop_front();
        drop(state);
        let life = Arc::new(Life { sender, cut, state: Mutex::default() });
        let gate = self.clone();
        let service = service_fn(move |request: http::Request<kube::client::Body>| {
            let (gate, life, router) = (gate.clone(), Arc::clone(&life), router.clone());
            async move { gate.pass(&life, router, request.map(Body::new)).await }
        });
        Client::new(service, "default")
    }

    /// Makes the next life that has no cut yet end at a write.
    pub fn cut(&self, cut: Cut) {
        self.state().cuts.push_back(cut);
    }

    /// Makes some requests fare ill from now on.
    pub fn rule(&self, rule: Rule) {
        self.state().rules.push(Standing::new(rule));
    }

    /// Makes some watches that are opened from now on fare ill.
    pub fn disturb(&self, disorder: Disorder) {
        self.state().disorders.push(disorder);
    }

    /// Cuts its clients off for a while, from a write on.
    pub fn interrupt(&self, outage: Outage) {
        self.state().outages.plan(outage);
    }

    /// Shows later lives the past first.
    pub fn lag(&self, past: Past) {
        self.state().memory.plan(past);
    }

    /// Ends all rules, outages and disorders; streams that are open already keep theirs.
    pub fn heal(&self) {
        let mut state = self.state();
        state.rules.clear();
        state.disorders.clear();
        state.outages.end();
        state.memory.end();
        drop(state);
        self.thaw();
    }

    /// Holds back whatever watches of a kind, by its plural, would tell, until [`Gate::thaw`].
    pub fn freeze(&self, resource: &str) {
        self.0.frozen().insert(resource.to_owned());
    }

    /// Tells everything that was held back.
    pub fn thaw(&self) {
        self.0.frozen().clear();
        self.0.thawed.notify_waiters();
    }

    /// Every request that has come so far.
    pub fn passed(&self) -> Vec<Passed> {
        self.state().log.clone()
    }

    /// The writes that have come so far.
    pub fn writes(&self) -> Vec<Passed> {
        self.state().log.iter().filter(|passed| passed.verb.is_write()).cloned().collect()
    }

    /// Waits until that many writes have come.
    pub async fn reached(&self, writes: usize) {
        let mut count = self.0.writes.subscribe();
        drop(count.wait_for(|count| *count >= writes).await);
    }

    /// How many lives were cut so far; changes when one is.
    pub fn deaths(&self) -> watch::Receiver<usize> {
        self.0.dead.subscribe()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn pass(&self, life: &Life, router: Router, request: Request) -> io::Result<Response> {
        let verb = Verb::of(request.method(), request.uri());
        let fatal = self.count(life, verb, request.uri().path()).await;
        if is_work(verb, request.uri().path()) {
            self.remember(&router).await;
        }
        let (number, trouble) = self.note(life, verb, &request);
        if fatal == Some(Moment::Before) {
            return self.die(number, Fate::Lost).await;
        }
        // Whoever gives up waiting drops this future: a life must end before the wait, or it never does.
        if fatal.is_some() && matches!(trouble, Some(Trouble::Lost)) {
            return self.die(number, Fate::Lost).await;
        }
        if let Some(answer) = self.spare_the_server(number, trouble).await {
            return if fatal.is_some() { self.end_life().await } else { answer };
        }
        if verb == Verb::Read
            && let Some(old) = self.recall(life, number, &request)
        {
            return Ok(old);
        }
        let served = router.oneshot(request).into_future();
        let served = in_the_name_of((life.sender.clone(), number), served).await;
        let answer = served.unwrap_or_else(|never| match never {});
        let code = answer.status().as_u16();
        if fatal == Some(Moment::After) {
            return self.die(number, Fate::Unheard(code)).await;
        }
        self.hand_back(number, trouble, answer).await
    }

    /// Counts a write of a life; says on which side of it that life ends, if it does. A life that is over
    /// never goes on.
    async fn count(&self, life: &Life, verb: Verb, path: &str) -> Option<Moment> {
        let counts = is_work(verb, path);
        let fatal = {
            let mut state = life.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.writes += usize::from(counts);
            let here = life.cut.filter(|cut| counts && cut.write == state.writes);
            let was_over = state.is_over;
            state.is_over |= here.is_some();
            if was_over { None } else { Some(here.map(|cut| cut.moment)) }
        };
        match fatal {
            Some(fatal) => fatal,
            None => pending().await,
        }
    }

    /// Remembers what lists show just before the write that was chosen.
    async fn remember(&self, router: &Router) {
        let uris = self.state().memory.count();
        for uri in uris {
            let Some(list) = past::request(&uri) else { continue };
            let answer = router.clone().oneshot(list).await.unwrap_or_else(|never| match never {});
            if let Ok(body) = axum::body::to_bytes(answer.into_body(), usize::MAX).await {
                self.state().memory.keep(uri, body);
            }
        }
    }

    /// What a life after the first is told of the past.
    fn recall(&self, life: &Life, number: usize, request: &Request) -> Option<Response> {
        let resource = resource(request.uri().path());
        let uri = request.uri().path_and_query()?.as_str();
        let mut state = self.state();
        if life.sender.life == 0 {
            state.memory.asked(uri, resource);
            return None;
        }
        let answer = state.memory.recall(uri, resource)?;
        drop(state);
        self.becomes(number, Fate::Answered(answer.status().as_u16()));
        Some(answer)
    }

    fn note(&self, life: &Life, verb: Verb, request: &Request) -> (usize, Option<Trouble>) {
        let path = request.uri().path().to_owned();
        let passed = Passed {
            at: self.0.clock.now(),
            sender: life.sender.clone(),
            verb,
            resource: resource(&path).to_owned(),
            path,
            fate: Fate::UnderWay,
        };
        let mut state = self.state();
        if is_work(verb, &passed.path) {
            state.outages.count();
        }
        let outage = state.outages.present().map(suffered);
        let troubles: Vec<Trouble> =
            state.rules.iter_mut().filter_map(|rule| rule.judge(&passed)).collect();
        state.log.push(passed);
        let number = state.log.len() - 1;
        drop(state);
        self.0.writes.send_modify(|writes| *writes += usize::from(verb.is_write()));
        (number, outage.or(troubles.first().copied()))
    }

    fn becomes(&self, number: usize, fate: Fate) {
        if let Some(passed) = self.state().log.get_mut(number) {
            passed.fate = fate;
        }
    }

    async fn die(&self, number: usize, fate: Fate) -> io::Result<Response> {
        self.becomes(number, fate);
        self.end_life().await
    }

    async fn end_life(&self) -> io::Result<Response> {
        self.0.dead.send_modify(|dead| *dead += 1);
        pending().await
    }

    /// What is answered without the server.
    async fn spare_the_server(
        &self,
        number: usize,
        trouble: Option<Trouble>,
    ) -> Option<io::Result<Response>> {
        match trouble? {
            Trouble::Refused(refusal) => {
                let answer = answer::refusal(refusal);
                self.becomes(number, Fate::Refused(answer.status().as_u16()));
                Some(Ok(answer))
            }
            Trouble::Lost => {
                self.becomes(number, Fate::Lost);
                Some(Err(given_up().await))
            }
            Trouble::ResetBefore => {
                self.becomes(number, Fate::Lost);
                Some(Err(io::ErrorKind::ConnectionReset.into()))
            }
            Trouble::Slow(span) => {
                tokio::time::sleep(span).await;
                None
            }
            Trouble::Unanswered | Trouble::TimedOut | Trouble::ResetAfter => None,
        }
    }

    async fn hand_back(
        &self,
        number: usize,
        trouble: Option<Trouble>,
        answer: Response,
    ) -> io::Result<Response> {
        let code = answer.status().as_u16();
        match trouble {
            Some(Trouble::Unanswered) => {
                self.becomes(number, Fate::Unheard(code));
                Err(given_up().await)
            }
            Some(Trouble::TimedOut) => {
                self.becomes(number, Fate::Unheard(code));
                Ok(answer::time_out())
            }
            Some(Trouble::ResetAfter) => {
                self.becomes(number, Fate::Unheard(code));
                Err(io::ErrorKind::ConnectionReset.into())
            }
            _ => {
                self.becomes(number, Fate::Answered(code));
                Ok(self.watched(number, answer))
            }
        }
    }

    /// Puts what stands between a watch and its client into its stream.
    fn watched(&self, number: usize, answer: Response) -> Response {
        let mut state = self.state();
        let Some(passed) = state.log.get(number) else { return answer };
        if passed.verb != Verb::Watch || !answer.status().is_success() {
            return answer;
        }
        let resource = passed.resource.clone();
        let concerns = |disorder: &&Disorder| {
            disorder.resource.as_ref().is_none_or(|about| *about == resource)
        };
        let mut troubles: Vec<_> =
            state.disorders.iter().filter(concerns).map(|disorder| disorder.trouble).collect();
        let lag = state.memory.lag(&resource);
        troubles.extend(lag.map(|span| WatchTrouble::Held { from: 1, span }));
        let outage = state.outages.watch();
        drop(state);
        let (parts, body) = answer.into_parts();
        let mut events = body.into_data_stream().boxed();
        for trouble in troubles {
            events = befall(trouble, lines(events), mix(self.0.seed ^ number as u64));
        }
        let gate = Arc::clone(&self.0);
        let events = events.then(move |line| {
            let (gate, resource) = (Arc::clone(&gate), resource.clone());
            let outage = outage.clone();
            async move {
                outlast(outage).await;
                gate.thawed(&resource).await;
                line
            }
        });
        Response::from_parts(parts, Body::from_stream(events))
    }
}

/// What a client's own time limit makes of an answer that never comes.
async fn given_up() -> io::Error {
    tokio::time::sleep(CLIENT_PATIENCE).await;
    io::ErrorKind::TimedOut.into()
}

/// Whether a request counts as a write: a lease is renewed as time passes, not as work is done.
fn is_work(verb: Verb, path: &str) -> bool {
    verb.is_write() && resource(path) != "leases"
}

fn suffered((end, sort): (tokio::time::Instant, OutageSort)) -> Trouble {
    match sort {
        OutageSort::Frozen => Trouble::Slow(end - tokio::time::Instant::now()),
        OutageSort::Partitioned => Trouble::Lost,
    }
}
