//! How long queries take, beside Prometheus with the same samples; the aim is no more than twice as long.
//!
//! `cargo bench -p metrics --bench promql -- --peer PROMETHEUS [--runs N]`: both are asked over a loopback
//! connection of their own, by the same client, turn by turn; `promtool` must be beside the program.
//! Without a peer only our own times are told.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot measure ends")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time, over sockets and processes")]

mod connection;
mod ours;
mod peer;
#[path = "../../tests/recorded/mod.rs"]
mod recorded;

use connection::Connection;
use peer::Peer;
use std::{env, time::Instant};

/// Turns of each query when nothing else is asked for.
const RUNS: usize = 41;
/// Turns before any is counted.
const WARMING: usize = 5;
const AIM: f64 = 2.0;
/// How many of the slowest are told.
const TOLD: usize = 12;

/// Median times of one query, in microseconds.
struct Timed {
    line: &'static str,
    ours: f64,
    peer: Option<f64>,
}

impl Timed {
    fn ratio(&self) -> f64 {
        self.peer.map_or(0.0, |peer| self.ours / peer)
    }
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let runs = value("--runs").map_or(RUNS, |runs| runs.parse().unwrap());
    let peer = value("--peer").map(|program| Peer::start(program.as_ref()));
    let mut ours = Connection::to(ours::serve());
    let mut theirs = peer.as_ref().map(|peer| Connection::to(peer.address()));
    let mut timed: Vec<Timed> =
        queries().map(|line| measured(line, runs, &mut ours, theirs.as_mut())).collect();
    tell(&mut timed, runs);
}

/// Every query but those that both refuse.
fn queries() -> impl Iterator<Item = &'static str> {
    include_str!("../../tests/data/queries.txt").lines().filter(|line| !line.starts_with('#'))
}

fn measured(
    line: &'static str,
    runs: usize,
    ours: &mut Connection,
    mut peer: Option<&mut Connection>,
) -> Timed {
    let path = path(line);
    let (mut our_times, mut peer_times) = (Vec::new(), Vec::new());
    for run in 0..WARMING + runs {
        let our_time = asked(ours, &path);
        let peer_time = peer.as_deref_mut().map(|peer| asked(peer, &path));
        if run >= WARMING {
            our_times.push(our_time);
            peer_times.extend(peer_time);
        }
    }
    let peer = (!peer_times.is_empty()).then(|| median(&mut peer_times));
    Timed { line, ours: median(&mut our_times), peer }
}

fn path(line: &str) -> String {
    let (path, parameters) = recorded::request(line);
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("/api/v1/{path}?{query}")
}

/// Microseconds from asking until the whole answer was there.
fn asked(connection: &mut Connection, path: &str) -> f64 {
    let began = Instant::now();
    connection.get(path).unwrap();
    began.elapsed().as_secs_f64() * 1e6
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn tell(timed: &mut [Timed], runs: usize) {
    timed.sort_by(|left, right| {
        right.ratio().total_cmp(&left.ratio()).then(right.ours.total_cmp(&left.ours))
    });
    for Timed { line, ours, peer } in timed.iter().take(TOLD) {
        let ratio = peer.map_or("-".to_owned(), |peer| format!("{:.2}", ours / peer));
        let peer = peer.map_or("-".to_owned(), |peer| format!("{peer:.0}"));
        println!("{ratio:>6}  ours {ours:>6.0} µs  peer {peer:>6} µs  {line}");
    }
    let mut our_times: Vec<f64> = timed.iter().map(|timed| timed.ours).collect();
    let mut peer_times: Vec<f64> = timed.iter().filter_map(|timed| timed.peer).collect();
    let (count, ours) = (timed.len(), median(&mut our_times));
    if peer_times.is_empty() {
        println!(
            "{count} queries, median {ours:.0} µs over a loopback connection (median of {runs} each)"
        );
        return;
    }
    let within = timed.iter().filter(|timed| timed.ratio() <= AIM).count();
    let mut ratios: Vec<f64> = timed.iter().map(Timed::ratio).collect();
    println!(
        "{count} queries: ours {ours:.0} µs, peer {:.0} µs (medians); ratio of medians {:.2} at the median, {:.2} at most; {within} of {count} within {AIM} (median of {runs} each)",
        median(&mut peer_times),
        median(&mut ratios),
        ratios.last().copied().unwrap_or_default(),
    );
}
