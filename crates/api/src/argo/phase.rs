//! The closed sets of words in statuses, as types.
//!
//! A word this version does not know reads as `Unknown`, so that an object written by a newer
//! controller still loads.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{borrow::Cow, fmt};

/// Declares an enum that travels as its variants' names.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$inner:meta])* $word:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$inner])* $word,)+
            /// A word this version does not know.
            Unknown,
        }

        impl $name {
            /// The word as it travels.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => stringify!($word),)+
                    Self::Unknown => "Unknown",
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    "" => Self::default(),
                    $(stringify!($word) => Self::$word,)+
                    _ => Self::Unknown,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, target: S) -> Result<S::Ok, S::Error> {
                target.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
                Ok(Self::from(&*Cow::<'de, str>::deserialize(source)?))
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string" })
            }
        }
    };
}

words! {
    /// How an analysis run, a metric, a measurement or an experiment stands.
    AnalysisPhase {
        /// Not begun.
        #[default]
        Pending,
        /// Under way.
        Running,
        /// Ended well.
        Successful,
        /// Ended badly.
        Failed,
        /// Could not be judged for a technical reason.
        Error,
        /// Ended without a judgement.
        Inconclusive,
    }
}

impl AnalysisPhase {
    /// Tells whether nothing more will happen.
    pub const fn completed(self) -> bool {
        matches!(self, Self::Successful | Self::Failed | Self::Error | Self::Inconclusive)
    }
}

words! {
    /// How a rollout stands.
    RolloutPhase {
        /// Fully at the wanted version.
        Healthy,
        /// Failed, aborted or invalid.
        Degraded,
        /// On its way.
        #[default]
        Progressing,
        /// Held, by itself or by a person.
        Paused,
    }
}

words! {
    /// How one ReplicaSet of an experiment stands.
    TemplateStatusCode {
        /// Becoming available.
        #[default]
        Progressing,
        /// Available.
        Running,
        /// Ran its time.
        Successful,
        /// Did not become available in time.
        Failed,
        /// Could not be run.
        Error,
    }
}

impl TemplateStatusCode {
    /// Tells whether nothing more will happen.
    pub const fn completed(self) -> bool {
        matches!(self, Self::Successful | Self::Failed | Self::Error)
    }
}
