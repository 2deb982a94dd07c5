//! The world as a whole: against the API server in the same process, on paused and on real time.

#[cfg(test)]
mod ground;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod sockets;
#[cfg(test)]
mod support;
#[cfg(test)]
mod traffic;
#[cfg(test)]
mod workloads;
