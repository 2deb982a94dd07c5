//! The whole program as its users meet it: the binary, the real kubectl, sockets and signals.

mod bad_input;
mod browser;
mod cli;
mod cluster;
mod controllers;
mod kubectl;
mod support;
