//! A cluster with every kind installed, made once and then begun with again and again.

use crate::stage::SetUpFailed;
use apiserver::{Server, ServerConfig, Snapshot};
use clock::Clock;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Clusters by seed.
static PREPARED: Mutex<BTreeMap<u64, Arc<Snapshot>>> = Mutex::new(BTreeMap::new());
/// How many of them are kept.
const KEPT: usize = 16;

/// A server that knows our kinds and the Gateway API's.
///
/// # Errors
/// When the kinds cannot be installed.
pub(crate) async fn server(clock: Clock, seed: u64) -> Result<Arc<Server>, SetUpFailed> {
    let known = prepared().get(&seed).cloned();
    if let Some(snapshot) = known {
        return Ok(Server::resume(&snapshot, clock));
    }
    let server = Server::new(ServerConfig::new(clock, seed))?;
    let client = server.client();
    embedded::install(&client).await?;
    world::crds::install(&client).await?;
    let mut prepared = prepared();
    if prepared.len() >= KEPT {
        prepared.clear();
    }
    let snapshot = Arc::new(server.snapshot());
    prepared.insert(seed, Arc::clone(&snapshot));
    Ok(Server::resume(&snapshot, clock))
}

fn prepared() -> std::sync::MutexGuard<'static, BTreeMap<u64, Arc<Snapshot>>> {
    PREPARED.lock().unwrap_or_else(PoisonError::into_inner)
}
