//! A real Kubernetes control plane without containers: etcd, kube-apiserver and kube-controller-manager in
//! one process, so that what was tried on the embedded cluster can be tried on the genuine one.
//!
//! Tests start with [`for_test`], which says loudly what goes unchecked where there is no control plane, then
//! with [`ControlPlane::start`]. The program itself is a small one in Go (`go/` beside this crate), built once
//! by [`build`] and kept outside of the checkout.
//!
//! **Invariant.** Nothing listens beyond loopback, and no process outlives the handle or, should the whole
//! test be killed, the test.

mod audit;
mod binary;
mod credentials;
mod detached;
mod flags;
mod process;

pub use audit::AuditedRequest;
pub use binary::{Binary, Unavailable, available, build, for_test};
pub use detached::{Running, bring_down, running, start_detached};
pub use flags::Controllers;
pub use process::{ControlPlane, StartFailed};
