//! The controller as a whole, on an API server in process and on virtual time.

#[cfg(test)]
mod broken;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod modes;
#[cfg(test)]
mod nginx;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod running;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod story;
#[cfg(test)]
mod support;
