//! What a cluster hands out: service addresses and node ports.
use serde_json::Value;

use crate::error::ApiError;
use crate::resource::Resource;
use crate::store::Store;

/// Gives a service its addresses.
pub(crate) fn apply(
    _store: &mut Store,
    _resource: &Resource,
    _old: Option<&Value>,
    _new: &mut Value,
) -> Result<(), ApiError> {
    Ok(())
}
