//! Laying out what is shown, byte for byte as upstream's plugin does.

mod colour;
mod experiments;
mod icons;
mod list;
mod table;
mod tree;

pub use colour::Colour;
pub use experiments::{ExperimentRow, experiment_row, experiments};
pub use list::{Extra, ListRow, Namespace, line, list, row};
pub use table::Table;
pub use tree::{experiment, rollout};

/// What the output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// A terminal that can be cleared and drawn again.
    Terminal,
    /// A pipe or a file: what was written stays.
    Stream,
}
