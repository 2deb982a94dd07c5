//! Who manages which field.

pub(crate) mod apply;

use jiff::Timestamp;
use serde_json::Value;

use crate::resource::{Origin, Subresource};
use crate::schema::Schema;
use crate::verbs::write::Draft;

/// Who writes, and how.
pub(crate) struct Writer<'a> {
    pub(crate) manager: &'a str,
    pub(crate) api_version: String,
    pub(crate) subresource: Subresource,
    pub(crate) has_status: bool,
    pub(crate) origin: Origin,
    pub(crate) now: Timestamp,
}

impl<'a> Writer<'a> {
    pub(crate) fn of(draft: &'a Draft<'_>) -> Self {
        Self {
            manager: &draft.options.field_manager,
            api_version: draft.resource.api_version(),
            subresource: draft.subresource,
            has_status: draft.resource.subresources.status,
            origin: draft.resource.origin,
            now: draft.now,
        }
    }
}

/// Gives the writer what it changed.
pub(crate) fn update(_s: &Schema, _old: Option<&Value>, _new: &mut Value, _writer: &Writer<'_>) {}
