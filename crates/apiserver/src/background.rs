//! Work that follows changes: garbage collection and emptying namespaces.
//!
//! **Invariant.** Nothing here runs on a timer: a cluster in which nothing changes does nothing.

use crate::hub::Hub;
use std::sync::{Arc, Weak};
use store::Store;
use tokio::sync::Notify;

/// Starts the work; it ends when the hub shuts down or is gone.
pub(crate) fn start(hub: &Arc<Hub>) {
    let changes = hub.any_change();
    let shutdown = hub.shutdown.clone();
    let weak = Arc::downgrade(hub);
    tokio::spawn(async move {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            () = follow(weak, changes) => {}
        }
    });
}

async fn follow(hub: Weak<Hub>, changes: Arc<Notify>) {
    loop {
        let woken = changes.notified();
        let Some(hub) = hub.upgrade() else { return };
        // Requests that are already queued go first, so that a burst of deletes is collected once.
        tokio::task::yield_now().await;
        while hub.read().has_garbage(hub.clock.now()) {
            hub.write(Store::collect_garbage);
            tokio::task::yield_now().await;
        }
        drop(hub);
        woken.await;
    }
}
