//! Custom resource definitions: what they add to the catalogue, and their conditions.
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::object::Object;
use crate::store::Store;

/// Fills in what a definition's controller would.
pub(crate) fn settle(_store: &mut Store, _definition: &mut Value, _now: Timestamp) {}

/// Takes a kept definition into the catalogue.
pub(crate) fn changed(_store: &mut Store, _definition: &Arc<Object>) {}

/// Takes a removed definition out of the catalogue.
pub(crate) fn removed(_store: &mut Store, _definition: &Arc<Object>) {}
