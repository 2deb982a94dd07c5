//! The experiment planner on whole experiments: stories, and the laws.

#![expect(clippy::unwrap_used, reason = "a model that lacks what a story needs is a broken test")]

mod laws;
mod model;
mod stories;
