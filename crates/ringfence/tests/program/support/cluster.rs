//! A cluster of the test's own, and its clients.

use super::{CANARY, PROGRAM, Running, Said, Speaks, ask};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A folder that goes with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("{name}-{}", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in the build's own temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running `ringfence cluster`.
pub(crate) struct Cluster {
    pub(crate) running: Running,
    pub(crate) kubeconfig: String,
    /// Host and port of the API server.
    pub(crate) api: String,
    /// URL of the gateway.
    pub(crate) gateway: String,
}

impl Cluster {
    /// Starts one in `folder`, with further arguments.
    pub(crate) fn start(folder: &Folder, arguments: &[&str]) -> Self {
        let kubeconfig = folder.file("kubeconfig");
        let mut command = Command::new(PROGRAM);
        command.args(["cluster", "--kubeconfig", &kubeconfig]).args(arguments);
        let mut running = Running::start(&mut command, Speaks::Errors);
        let api = running.after("API server");
        let gateway = running.after("gateway");
        running.after("Try:");
        Self { running, kubeconfig, api, gateway }
    }

    /// Runs kubectl to its end; arguments are parted by spaces.
    pub(crate) fn kubectl(&self, arguments: &str) -> Said {
        self.pipe(arguments, "")
    }

    /// Runs kubectl with something on its standard input.
    pub(crate) fn pipe(&self, arguments: &str, input: &str) -> Said {
        let mut command = Command::new("kubectl");
        command.env("KUBECONFIG", &self.kubeconfig).args(arguments.split(' '));
        ask(&mut command, input)
    }

    /// Runs a command of this program to its end; arguments are parted by spaces.
    pub(crate) fn ringfence(&self, arguments: &str) -> Said {
        ask(&mut self.client(arguments), "")
    }

    /// A command of this program.
    pub(crate) fn client(&self, arguments: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command.env("KUBECONFIG", &self.kubeconfig).args(arguments.split(' '));
        command
    }

    /// Waits until the rollout is in a phase.
    #[track_caller]
    pub(crate) fn await_phase(&self, rollout: &str, phase: &str) {
        let until = format!("--for=jsonpath={{.status.phase}}={phase}");
        self.kubectl(&format!("wait rollout/{rollout} {until} --timeout=60s")).ok();
    }

    /// A healthy rollout `web` of five blue pods.
    #[track_caller]
    pub(crate) fn with_canary(self) -> Self {
        assert_eq!(self.pipe("apply -f -", CANARY).ok(), "rollout.argoproj.io/web created\n");
        self.kubectl("wait rollout/web --for=condition=Healthy --timeout=60s").ok();
        self
    }
}
