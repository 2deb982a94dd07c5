//! Values of arguments that are more than a word.

use std::time::Duration;

/// Reads a Go duration; a bare `0` needs no unit.
///
/// # Errors
/// A sentence that quotes what is not one.
pub fn duration(text: &str) -> Result<Duration, String> {
    let span = jiff::SignedDuration::from_str_go(text)?;
    Duration::try_from(span).map_err(|_| format!("`{text}` is negative"))
}

/// A length of time and how it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delay {
    /// As it was written.
    pub text: String,
    /// How long it is.
    pub length: Duration,
}

pub(super) fn delay(text: &str) -> Result<Delay, String> {
    Ok(Delay { text: text.to_owned(), length: duration(text)? })
}

trait GoDuration: Sized {
    fn from_str_go(text: &str) -> Result<Self, String>;
}

impl GoDuration for jiff::SignedDuration {
    fn from_str_go(text: &str) -> Result<Self, String> {
        if text == "0" {
            return Ok(Self::ZERO);
        }
        let is_written =
            text.ends_with(|last: char| last.is_ascii_alphabetic()) && !text.contains(' ');
        is_written
            .then(|| text.parse::<Self>().ok())
            .flatten()
            .ok_or_else(|| format!("`{text}` is not a length of time; write it like 30s or 5m"))
    }
}

pub(super) fn container_image(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(container, image)| !container.is_empty() && !image.is_empty())
        .filter(|(_, image)| !image.contains('='))
        .map(|(container, image)| (container.to_owned(), image.to_owned()))
        .ok_or_else(|| format!("`{text}` is not CONTAINER=IMAGE"))
}

/// Reads an option that is on or off, in the words Go knows.
///
/// # Errors
/// A sentence that quotes what is neither.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(false),
        _ => Err(format!("`{text}` is neither true nor false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_belongs_to_one_container() {
        let both = ("app".to_owned(), "demo:2".to_owned());
        assert_eq!(container_image("app=demo:2"), Ok(both));
        for wrong in ["app", "app=", "=demo:2", "app=a=b"] {
            let error = container_image(wrong).unwrap_err();
            assert_eq!(error, format!("`{wrong}` is not CONTAINER=IMAGE"));
        }
    }
}
