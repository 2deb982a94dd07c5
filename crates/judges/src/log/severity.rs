//! Which lines speak of trouble: by their level, by words for crashes, or by a 5xx status.

/// Bytes of a line that are looked at.
const MAX_LOOKED_AT: usize = 4096;

/// Words that are a level of at least a warning, or say that something ended.
const WORDS: [&str; 17] = [
    "warn",
    "warning",
    "error",
    "err",
    "severe",
    "critical",
    "crit",
    "alert",
    "emerg",
    "fatal",
    "panic",
    "panicked",
    "exception",
    "traceback",
    "oomkilled",
    "segfault",
    "aborted",
];
/// Words after which a number is a status.
const STATUS_WORDS: [&str; 4] = ["status", "code", "statuscode", "status_code"];
/// Levels that say that nothing happened, whatever else the line says.
const CALM_LEVELS: [&str; 6] = ["info", "debug", "trace", "notice", "information", "verbose"];
/// How many words may stand before a level.
const LEVEL_WITHIN: usize = 12;

/// Whether a line speaks of trouble. Frames of stack traces do not: they belong to the line above.
pub fn is_trouble(line: &str) -> bool {
    let line = head(line);
    if is_frame(line) {
        return false;
    }
    let words =
        || line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|w| !w.is_empty());
    let is_one_of =
        |word: &str, list: &[&str]| list.iter().any(|known| known.eq_ignore_ascii_case(word));
    let level = words()
        .take(LEVEL_WITHIN)
        .find(|word| is_one_of(word, &CALM_LEVELS) || is_one_of(word, &WORDS));
    if is_server_error(line) || is_klog_trouble(line) {
        return true;
    }
    match level {
        Some(level) if is_one_of(level, &CALM_LEVELS) => false,
        Some(_) => true,
        None => words().any(|word| is_one_of(word, &WORDS) || word.ends_with("Exception")),
    }
}

/// The part of a line that is looked at, cut between characters.
pub(super) fn head(line: &str) -> &str {
    let mut end = line.len().min(MAX_LOOKED_AT);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    &line[..end]
}

/// A frame of a Java, JavaScript, Python or Go stack trace.
fn is_frame(line: &str) -> bool {
    let trimmed = line.trim_start();
    let is_indented = trimmed.len() < line.len();
    is_indented
        && (trimmed.starts_with("at ")
            || trimmed.starts_with("File \"")
            || trimmed.starts_with("..."))
}

/// `E1122 05:00:00…` and the like, as Kubernetes' own components log.
fn is_klog_trouble(line: &str) -> bool {
    let (level, rest) = line.split_at_checked(1).unwrap_or_default();
    let day = rest.split_ascii_whitespace().next().unwrap_or_default();
    matches!(level, "W" | "E" | "F") && day.len() == 4 && day.bytes().all(|b| b.is_ascii_digit())
}

/// A status of 500 to 599 after `HTTP/1.1"` or a word for it.
fn is_server_error(line: &str) -> bool {
    let mut before = "";
    for word in line.split(|c: char| c.is_whitespace() || "=:,\"{}[]()".contains(c)) {
        if word.is_empty() {
            continue;
        }
        let is_5xx =
            word.len() == 3 && word.starts_with('5') && word.bytes().all(|b| b.is_ascii_digit());
        let is_status = STATUS_WORDS.iter().any(|known| known.eq_ignore_ascii_case(before));
        if is_5xx && (is_status || before.starts_with("HTTP/")) {
            return true;
        }
        before = word;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], expected: bool) {
        for line in lines {
            assert_eq!(is_trouble(line), expected, "{line}");
        }
    }

    #[test]
    fn levels_crashes_and_server_errors_are_trouble() {
        check(
            &[
                "2026-11-22T05:00:00Z ERROR cannot connect",
                r#"{"level":"warn","msg":"slow"}"#,
                "level=error msg=\"x\"",
                "E1122 05:00:00.000000       1 reflector.go:147] failed to list",
                "thread 'main' panicked at src/main.rs:3:5:",
                "panic: runtime error: index out of range",
                "java.lang.NullPointerException: oops",
                "Traceback (most recent call last):",
                r#"10.0.0.1 - - [22/Nov/2026] "GET / HTTP/1.1" 503 12"#,
                r#"{"path":"/","status":500}"#,
            ],
            true,
        );
    }

    #[test]
    fn the_rest_is_not() {
        check(
            &[
                "",
                "INFO no error so far",
                r#"{"level":"info","msg":"recovered from panic"}"#,
                r#"10.0.0.1 - - "GET /500 HTTP/1.1" 200 503"#,
                "served 500 requests",
                "\tat com.example.Main.main(Main.java:5)",
                "  File \"x.py\", line 3, in error",
                "I1122 05:00:00.000000       1 main.go:1] started",
                "Ende",
            ],
            false,
        );
    }
}
