//! Colours for the words that mean something.

/// Whether escape codes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Never,
    /// ANSI colours.
    Always,
}

const RED: u8 = 31;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;
const BRIGHT_BLUE: u8 = 94;

impl Colour {
    /// Colours `text` by the meaning of `word`; words without a meaning stay plain.
    pub fn paint(self, text: &str, word: &str) -> String {
        match code(word).filter(|_| self == Self::Always) {
            Some(code) => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            None => text.to_owned(),
        }
    }
}

fn code(word: &str) -> Option<u8> {
    Some(match word {
        "✔" | "stable" | "active" => GREEN,
        "✖" | "⚠" => RED,
        "◷" | "?" | "canary" => YELLOW,
        "◌" | "preview" | "ping" | "pong" | "Running" | "Pending" => BRIGHT_BLUE,
        _ => return None,
    })
}
