//! Figures for people.

use bench::{analysis, scale};

pub(crate) fn of_scale(
    ours: &scale::Figures,
    peer: Option<(&scale::Figures, &scale::Ratios)>,
) -> String {
    let Some((peer, ratios)) = peer else { return format!("ours: {ours}") };
    let scale::Ratios { cpu, requests, event_requests, first_status_p99, peak_memory } = ratios;
    format!(
        "peer: {peer}ours: {ours}ours in parts of the peer's: processor {}, requests {}, events {}, first status {}, memory {}",
        part(*cpu),
        part(*requests),
        part(*event_requests),
        part(*first_status_p99),
        part(*peak_memory)
    )
}

pub(crate) fn of_analysis(
    ours: &analysis::Figures,
    peer: Option<(&analysis::Figures, &analysis::Ratios)>,
) -> String {
    let Some((peer, ratios)) = peer else { return format!("ours: {ours}") };
    let analysis::Ratios { cpu, requests, between_p99, peak_memory } = ratios;
    format!(
        "peer: {peer}ours: {ours}ours in parts of the peer's, of a measurement: processor {}, requests {}; time between two, p99 {}; memory {}",
        part(*cpu),
        part(*requests),
        part(*between_p99),
        part(*peak_memory)
    )
}

fn part(ratio: Option<f64>) -> String {
    ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"))
}
