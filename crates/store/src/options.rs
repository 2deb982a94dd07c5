//! What a request asks for besides the object: the query parameters and delete bodies, parsed.

use crate::selector::Selectors;

/// Options of a list.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Which objects.
    pub selectors: Selectors,
    /// At most this many; `None` or zero for all.
    pub limit: Option<usize>,
    /// Where the last page ended: the token that page carried.
    pub continue_token: Option<String>,
    /// `resourceVersion` as given.
    pub resource_version: Option<String>,
    /// `resourceVersionMatch` as given: `Exact` or `NotOlderThan`.
    pub resource_version_match: Option<String>,
}

/// Whether a write is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DryRun {
    /// The write is kept.
    #[default]
    No,
    /// Everything is checked and answered, nothing is kept.
    All,
}

/// What to do about fields the schema does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Drop them silently.
    Ignore,
    /// Drop them and warn.
    #[default]
    Warn,
    /// Refuse the write.
    Strict,
}

/// Whether an apply takes fields over from other managers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Force {
    /// A field owned by another manager is a conflict.
    #[default]
    No,
    /// Conflicting fields change owner.
    Yes,
}

/// Options of a write.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// Whether the write is kept.
    pub dry_run: DryRun,
    /// `fieldManager`, or what the server takes from the user agent; empty means `unknown`.
    pub field_manager: String,
    /// What to do about unknown fields.
    pub field_validation: FieldValidation,
    /// For apply patches.
    pub force: Force,
    /// Paths of fields that occurred twice in the body, as the parser of the body found them.
    pub duplicates: Vec<String>,
}

/// What happens to the objects a deleted object owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They go after it.
    #[default]
    Background,
    /// They go before it.
    Foreground,
    /// They stay, without the owner reference.
    Orphan,
}

/// What must be true of an object for a delete to go ahead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// The object's uid.
    pub uid: Option<String>,
    /// The object's resourceVersion.
    pub resource_version: Option<String>,
}

/// Options of a delete.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// What happens to owned objects; `None` is the kind's default (background).
    pub propagation: Option<Propagation>,
    /// What must be true of the object.
    pub preconditions: Preconditions,
    /// Seconds; only pods have a grace period.
    pub grace_period_seconds: Option<i64>,
    /// Whether the delete is kept.
    pub dry_run: DryRun,
}

/// A patch body by its media type.
#[derive(Clone, Debug)]
pub enum Patch {
    /// `application/json-patch+json`.
    Json(serde_json::Value),
    /// `application/merge-patch+json`.
    Merge(serde_json::Value),
    /// `application/strategic-merge-patch+json`.
    Strategic(serde_json::Value),
    /// `application/apply-patch+yaml`, already parsed.
    Apply(serde_json::Value),
}
