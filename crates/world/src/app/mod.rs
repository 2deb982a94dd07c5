//! The demo application: `/color` with the wire contract of `argoproj/rollouts-demo`, and the paths
//! of podinfo that tutorials use.
//!
//! Start with [`Behaviour::of`]: what an image will do is a pure value, from which both the real
//! servers and the traffic model work. Where upstream's server fails 85 % of the requests of a
//! `bad-` image and cuts delays to whole seconds, ours fails 15 % and keeps the fraction.

mod answer;
mod behaviour;
mod pace;
pub(crate) mod server;

pub(crate) use answer::{App, Ask, health};
pub use behaviour::Behaviour;
pub use pace::Pace;
