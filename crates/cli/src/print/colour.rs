//! Colours for the words that mean something.

/// Whether escape codes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Never,
    /// ANSI colours.
    Always,
}

const NONE: u8 = 0;
const RED: u8 = 31;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;
const BRIGHT_BLUE: u8 = 94;

impl Colour {
    /// Colours `text` by the meaning of `word`; a word without one gets upstream's empty code.
    pub fn paint(self, text: &str, word: &str) -> String {
        match self {
            Self::Always => format!("\u{1b}[{}m{text}\u{1b}[0m", code(word)),
            Self::Never => text.to_owned(),
        }
    }
}

fn code(word: &str) -> u8 {
    match word {
        "✔" | "stable" | "active" => GREEN,
        "✖" | "⚠" => RED,
        "◷" | "?" | "canary" => YELLOW,
        "◌" | "preview" | "ping" | "pong" | "Running" | "Pending" => BRIGHT_BLUE,
        _ => NONE,
    }
}
