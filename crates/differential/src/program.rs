//! A controller as a process of its own.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A controller that runs until this is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
}

impl Program {
    /// Starts one that heeds rollouts with this instance id only; what it says goes to a file.
    ///
    /// # Errors
    /// When it cannot be run or the file cannot be written.
    pub fn start(
        binary: &Binary,
        kubeconfig: &Path,
        instance: &str,
        log: &Path,
    ) -> io::Result<Self> {
        let said = File::options().create(true).append(true).open(log)?;
        let mut command = Command::new(&binary.path);
        if binary.is_ours {
            command.arg("controller");
        }
        let child = command
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(["--instance-id", instance])
            .args(["--leader-elect=false", "--qps=1000", "--burst=2000"])
            .args(["--metricsPort=0", "--healthzPort=0", "--loglevel=info"])
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()?;
        Ok(Self { child })
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it as a node that shuts down does, and waits until it is gone.
    pub fn stop(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program of a controller.
#[derive(Clone, Debug)]
pub struct Binary {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is `ringfence`, of which the controller is one command among others.
    pub is_ours: bool,
}

impl Binary {
    /// A program by its path; `ringfence` is known by its name.
    pub fn at(path: &Path) -> Self {
        let is_ours =
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ringfence"));
        Self { path: path.to_owned(), is_ours }
    }
}
