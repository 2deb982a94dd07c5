//! Where this program's log goes and how it is written.

use clap::{ValueEnum, builder::PossibleValue};
use std::io::{IsTerminal, stderr};
use tracing_subscriber::EnvFilter;

/// How much is logged, in upstream's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Nothing.
    Off,
    /// What somebody must see to.
    Error,
    /// What goes wrong and is tried again.
    Warn,
    /// What happens.
    Info,
    /// What happens inside.
    Debug,
    /// Everything.
    Trace,
}

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl ValueEnum for Level {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Trace]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let value = PossibleValue::new(self.name());
        Some(match self {
            Self::Warn => value.alias("warning"),
            Self::Error => value.aliases(["fatal", "panic"]),
            Self::Off | Self::Info | Self::Debug | Self::Trace => value,
        })
    }
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl From<String> for Format {
    /// As with upstream, what is not known means text.
    fn from(text: String) -> Self {
        if text.eq_ignore_ascii_case("json") { Self::Json } else { Self::Text }
    }
}

/// Logs to standard error: `level` and worse unless `RUST_LOG` says otherwise.
pub(crate) fn start(level: Level, format: Format) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level.name()));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    let lines = lines.with_ansi(stderr().is_terminal());
    match format {
        Format::Text => lines.init(),
        Format::Json => lines.json().flatten_event(true).init(),
    }
}
