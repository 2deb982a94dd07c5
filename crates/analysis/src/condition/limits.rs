//! How large a condition and its work may be.
//!
//! Conditions come from users; none may exhaust the stack, the memory or the time of the controller that
//! everybody shares. Whatever a condition does is paid for here before it is done.

/// Longest condition in bytes.
pub const MAX_CONDITION_BYTES: usize = 4096;
/// Most words in a condition.
pub const MAX_CONDITION_WORDS: usize = 512;
/// Most operators; each may cost a level of the stack.
pub const MAX_CONDITION_OPERATORS: usize = 256;
/// Deepest nesting of brackets, branches and operands.
pub const MAX_CONDITION_NESTING: usize = 64;
/// Most steps of one evaluation: a word that is evaluated, an element or sixteen bytes that are looked at.
pub const MAX_CONDITION_STEPS: usize = 1_000_000;
/// Most bytes of lists and texts that one evaluation makes.
pub const MAX_CONDITION_MEMORY: usize = 32 << 20;
/// Most times that `repeat` repeats a text, as upstream.
pub const MAX_REPEATS: usize = 1_000_000;
/// Longest regular expression in bytes.
pub const MAX_PATTERN_BYTES: usize = 4096;
/// Largest regular expression, compiled, in bytes.
pub const MAX_COMPILED_PATTERN_BYTES: usize = 1 << 18;
/// Most values within a result, or within one that a condition makes.
pub const MAX_VALUES: usize = 1_000_000;
/// Deepest nesting of lists and maps within a value.
pub const MAX_VALUE_NESTING: usize = 160;

/// Bytes of text that count as one step.
const BYTES_A_STEP: usize = 16;

/// What one evaluation may still use.
#[derive(Debug)]
pub(super) struct Budget {
    steps: usize,
    bytes: usize,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { steps: MAX_CONDITION_STEPS, bytes: MAX_CONDITION_MEMORY }
    }

    /// Pays for so many steps.
    ///
    /// # Errors
    /// The limit, when it is passed.
    pub(super) fn work(&mut self, steps: usize) -> Result<(), String> {
        self.steps = self.steps.checked_sub(steps).ok_or_else(|| {
            format!("the condition takes more than {MAX_CONDITION_STEPS} steps on this result")
        })?;
        Ok(())
    }

    /// Pays for reading so many bytes of text.
    ///
    /// # Errors
    /// The limit, when it is passed.
    pub(super) fn read(&mut self, bytes: usize) -> Result<(), String> {
        self.work(1 + bytes / BYTES_A_STEP)
    }

    /// Pays for making so many bytes.
    ///
    /// # Errors
    /// The limit, when it is passed.
    pub(super) fn make(&mut self, bytes: usize) -> Result<(), String> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(|| {
            format!(
                "memory budget exceeded: the condition makes more than {MAX_CONDITION_MEMORY} bytes"
            )
        })?;
        self.read(bytes)
    }
}
