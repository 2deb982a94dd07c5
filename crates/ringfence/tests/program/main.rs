//! The whole program as its users meet it: the binary, the real kubectl, sockets and signals.

#[cfg(test)]
mod analysis;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod client;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod controllers;
#[cfg(test)]
mod dashboard;
#[cfg(test)]
mod files;
#[cfg(test)]
mod kubectl;
#[cfg(test)]
mod support;
