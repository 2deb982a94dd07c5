//! Programs: those that keep running, and those that answer and end.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
};

/// Where a running program writes what the test reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    Output,
    Errors,
}

/// A program that ends with the test.
pub(crate) struct Running {
    child: Child,
    lines: Option<std::io::Lines<BufReader<Box<dyn Read + Send>>>>,
}

impl Running {
    pub(crate) fn start(command: &mut Command, speaks: Speaks) -> Self {
        let heard = |stream| if stream == speaks { Stdio::piped() } else { Stdio::null() };
        command.stdin(Stdio::null()).stdout(heard(Speaks::Output)).stderr(heard(Speaks::Errors));
        // Its own group, so that what it started can be ended with it.
        let mut child = command.process_group(0).spawn().unwrap();
        let stream: Box<dyn Read + Send> = match speaks {
            Speaks::Output => Box::new(child.stdout.take().unwrap()),
            Speaks::Errors => Box::new(child.stderr.take().unwrap()),
        };
        Self { child, lines: Some(BufReader::new(stream).lines()) }
    }

    /// The next line.
    pub(crate) fn line(&mut self) -> Option<String> {
        self.lines.as_mut()?.next().map(Result::unwrap)
    }

    /// The rest of the next line that has `mark` in it.
    pub(crate) fn after(&mut self, mark: &str) -> String {
        let mut heard = Vec::new();
        while let Some(line) = self.line() {
            if let Some((_, rest)) = line.split_once(mark) {
                return rest.trim().to_owned();
            }
            heard.push(line);
        }
        panic!("it ended without `{mark}` after {heard:#?}")
    }

    /// Closes the pipe that it writes to.
    pub(crate) fn stop_listening(&mut self) {
        self.lines = None;
    }

    /// Waits for the program to end by itself.
    pub(crate) fn end(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Ends it without a word of warning, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, as a cluster does, and waits until it has.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        ask(Command::new("kill").args(["-TERM", &self.child.id().to_string()]), "").ok();
        self.end()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already, and a browser outlives the driver that started it.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }
}

/// What a program said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Said {
    /// Its output, if it went well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.output, self.errors);
        self.output
    }

    /// Everything it said, if it ended with `code`.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        let said = format!("{}{}", self.output, self.errors);
        assert_eq!(self.code, Some(code), "{said}");
        said
    }
}

/// Runs a program to its end.
pub(crate) fn ask(command: &mut Command, input: &str) -> Said {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), output: text(output.stdout), errors: text(output.stderr) }
}
