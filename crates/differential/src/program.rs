//! A controller as a process of its own.

use crate::stage::{Side, Stage};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Metric servers are on this machine, where our controller goes only if it is told so.
const MEASURES_HERE: &str = "--egress-allow=127.0.0.0/8";
/// Flags that let controllers write as fast as they can.
const UNHURRIED: [&str; 2] = ["--qps=1000", "--burst=2000"];

/// A controller that runs until this is dropped, which ends it as a machine that is lost does.
#[derive(Debug)]
pub struct Program {
    child: Child,
}

impl Program {
    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
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
    path: PathBuf,
    /// Whether it is `ringfence`, of which the controller is one command among others.
    is_ours: bool,
}

impl Binary {
    /// A program by its path; `ringfence` is known by its name.
    pub fn at(path: &Path) -> Self {
        let is_ours =
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ringfence"));
        Self { path: path.to_owned(), is_ours }
    }

    /// What the user agent of its requests begins with.
    pub fn user_agent(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        if self.is_ours { "ringfence-controller".to_owned() } else { name.into_owned() }
    }

    /// Starts a controller that heeds rollouts with this instance id only; what it says goes to a file.
    ///
    /// # Errors
    /// When it cannot be run or the file cannot be written.
    pub fn start(
        &self,
        kubeconfig: &Path,
        instance: &str,
        flags: &[&str],
        log: &Path,
    ) -> io::Result<Program> {
        let said = File::options().create(true).append(true).open(log)?;
        let mut command = Command::new(&self.path);
        if self.is_ours {
            command.args(["controller", MEASURES_HERE]);
        }
        let child = command
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(["--instance-id", instance, "--leader-elect=false"])
            .args(["--metricsPort=0", "--healthzPort=0", "--loglevel=info"])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()?;
        Ok(Program { child })
    }
}

/// Both controllers, and where their logs go.
#[derive(Debug)]
pub struct Controllers {
    /// The one ours is compared with.
    pub peer: Binary,
    /// Ours.
    pub ours: Binary,
    /// A folder for their logs.
    pub logs: Option<PathBuf>,
}

impl Controllers {
    /// Starts one of them, which heeds the rollouts of one side only; what it says goes to a file.
    ///
    /// # Errors
    /// When it cannot be run or the file cannot be written.
    pub fn start(&self, which: Side, stage: &Stage, place: Side) -> io::Result<Program> {
        let binary = if which == Side::Peer { &self.peer } else { &self.ours };
        let file = self.logs.as_deref().map(|folder| folder.join(format!("{}.log", which.name())));
        let log = file.as_deref().unwrap_or(Path::new("/dev/null"));
        binary.start(&stage.ground.kubeconfig(), place.name(), &UNHURRIED, log)
    }
}
