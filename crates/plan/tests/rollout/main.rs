//! The rollout planner on whole updates: stories, laws, and what users do at any moment.

#![expect(clippy::unwrap_used, reason = "a model that lacks what a story needs is a broken test")]

mod analyses;
mod blue_green;
mod changes;
mod combined;
mod experiments;
mod invalid;
mod laws;
mod model;
mod nginx;
mod readiness;
mod releases;
mod restarts;
mod routes;
mod runs;
mod stories;
mod stuck;
mod takeover;
mod turns;
mod users;
mod workload;
