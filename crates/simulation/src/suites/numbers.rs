//! T13: metric providers answer nothing, nonsense or late.

use super::{Case, LONG_PATIENCE, Runs, Suite, demands};
use crate::{examine::Against, run::Reference, story::Story};
use controller::HttpCaller;
use futures::future::BoxFuture;
use rehearsal::{Conditions, Interpreter, Refusals};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use vocab::{Call, Reply, ReplyError};

/// Metric providers that are down, empty, slow or talk nonsense.
pub(super) const NUMBERS: Suite = Suite {
    name: "T13",
    about: "metric providers are down, slow, flapping, or answer nothing or nonsense",
    cases,
    runs: Runs { ci: 25, whole: 180 },
};

/// What a provider answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nonsense {
    Unreachable,
    TimesOut,
    ServerError,
    Empty,
    NotANumber,
    Text,
    Html,
    Redirect,
}

/// Which of its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    All,
    First(usize),
    From(usize),
    Only(usize),
    EveryOther,
}

const SORTS: [Nonsense; 8] = [
    Nonsense::Unreachable,
    Nonsense::TimesOut,
    Nonsense::ServerError,
    Nonsense::Empty,
    Nonsense::NotANumber,
    Nonsense::Text,
    Nonsense::Html,
    Nonsense::Redirect,
];

fn cases(_: &Story, reference: &Reference, _: u64) -> Vec<Case> {
    let calls = reference.measurements();
    if calls == 0 {
        return Vec::new();
    }
    let mut cases = Vec::new();
    for sort in SORTS {
        cases.push(without_data(sort));
        let mut moments = vec![Answers::First(2), Answers::EveryOther, Answers::From(calls)];
        moments.extend((1..=calls.min(12)).map(Answers::Only));
        moments.push(Answers::From(calls.div_ceil(2)));
        cases.extend(moments.into_iter().map(|which| partly(sort, which)));
    }
    cases
}

/// On no data at all there is neither success nor failure.
fn without_data(sort: Nonsense) -> Case {
    let case = case(sort, Answers::All, Against::InvariantsOnly);
    case.demanding(demands::no_verdict(&["Successful", "Failed"]))
}

/// Some answers are missing; what comes of it depends on limits, so that only invariants bind.
fn partly(sort: Nonsense, which: Answers) -> Case {
    case(sort, which, Against::InvariantsOnly).demanding(demands::settles())
}

fn case(sort: Nonsense, which: Answers, against: Against) -> Case {
    let interpreter: Interpreter = Arc::new(move |behind| {
        Arc::new(Provider { behind, sort, which, calls: AtomicUsize::new(0) })
    });
    let conditions = Conditions {
        interpreter: Some(interpreter),
        patience: LONG_PATIENCE,
        refusals: Refusals::PassOver,
        ..Conditions::default()
    };
    let moment = match which {
        Answers::All => "always".to_owned(),
        Answers::First(count) => format!("first-{count}"),
        Answers::From(number) => format!("from-{number}"),
        Answers::Only(number) => format!("only-{number}"),
        Answers::EveryOther => "every-other".to_owned(),
    };
    let case = Case::new(format!("{sort:?}-{moment}").to_lowercase(), conditions, against);
    case.demanding(demands::serves_everybody())
}

struct Provider {
    behind: Arc<dyn HttpCaller>,
    sort: Nonsense,
    which: Answers,
    calls: AtomicUsize,
}

impl HttpCaller for Provider {
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, ReplyError>> {
        let number = 1 + self.calls.fetch_add(1, Ordering::Relaxed);
        let is_hit = match self.which {
            Answers::All => true,
            Answers::First(count) => number <= count,
            Answers::From(from) => number >= from,
            Answers::Only(only) => number == only,
            Answers::EveryOther => number % 2 == 1,
        };
        let is_query = call.url.contains("/api/v1/query");
        if is_hit && !is_query {
            // What a query is answered would be data to anybody else.
            return Box::pin(answer_of_no_query(self.sort, call));
        }
        if is_hit { Box::pin(answer(self.sort, call)) } else { self.behind.call(call) }
    }
}

async fn answer(sort: Nonsense, call: Call) -> Result<Reply, ReplyError> {
    let vector = |value: &str| {
        let sample = format!(r#"[{{"metric":{{}},"value":[1767603600,{value}]}}]"#);
        let sample = if value.is_empty() { "[]".to_owned() } else { sample };
        format!(r#"{{"status":"success","data":{{"resultType":"vector","result":{sample}}}}}"#)
    };
    match sort {
        Nonsense::Unreachable => {
            Err(ReplyError::Unreachable { url: call.url, cause: "connection refused".to_owned() })
        }
        Nonsense::TimesOut => {
            let patience = call.timeout.min(Duration::from_secs(30));
            tokio::time::sleep(patience).await;
            Err(ReplyError::TimedOut { url: call.url, seconds: patience.as_secs() })
        }
        Nonsense::ServerError => Ok(reply(500, "text/plain", "out of memory")),
        Nonsense::Empty => Ok(reply(200, "application/json", &vector(""))),
        Nonsense::NotANumber => Ok(reply(200, "application/json", &vector(r#""NaN""#))),
        Nonsense::Text => Ok(reply(200, "application/json", &vector(r#""fine, thank you""#))),
        Nonsense::Html => Ok(reply(200, "text/html", "<html><body>Please log in</body></html>")),
        Nonsense::Redirect => Ok(reply(302, "text/html", "moved")),
    }
}

/// The same nonsense from a server that is not Prometheus.
async fn answer_of_no_query(sort: Nonsense, call: Call) -> Result<Reply, ReplyError> {
    let json = |body: &str| Ok(reply(200, "application/json", body));
    match sort {
        Nonsense::Empty => json(""),
        Nonsense::NotANumber => json("NaN"),
        Nonsense::Text => json("fine, thank you"),
        _ => answer(sort, call).await,
    }
}

fn reply(status: u16, content_type: &str, body: &str) -> Reply {
    let headers = BTreeMap::from([("content-type".to_owned(), content_type.to_owned())]);
    Reply { status, headers, body: body.as_bytes().to_vec() }
}
